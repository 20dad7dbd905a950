"""Data from elsewhere as evidence of f: each source with an offset of its own and a discrepancy that varies like f.

    y_i = f(x_i) + o_s + d_s(x_i) + b_i + eps_i,     o_s ~ N(0, o),     d_s ~ GP(0, s_s^2 k(r))              (1)

for a reading i of the source s. Between a reading of prior data and f lies only s_f^2 k(r), within a source also
o + s_s^2 k(r): with rho^2 = s_f^2 / (s_f^2 + s_s^2) the two properties have the correlation rho. s_s^2 is learned with
all other hyperparameters (`evidence.py`). A source that contradicts the campaign's films ends with a large s_s^2 and
says nothing more; one that agrees counts almost like own readings. eps_i has the variance of the campaign's noise and
e_s^2 on top. Whatever is predicted is f, with o_s = d_s = 0.

Each source is centred by its own median first, so that o need not cover how far the levels of two labs lie apart.

Source: Kennedy and O'Hagan 2000, Predicting the output from a complex computer code when fast approximations are
available (doi 10.1093/biomet/87.1.1), with the discrepancy on the side of the prior data; the kernel is that of
Poloczek, Wang and Frazier 2017, Multi-information source optimization (arXiv 1603.00389).
"""

import math
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from models.dataset import Dataset
from models.problem import Problem
from models.surrogates.conditioning import Conditioner
from models.surrogates.evidence import OFFSET_VARIANCE
from models.surrogates.film_gp_state import FilmGPState
from models.surrogates.scaling import source_names

Array = NDArray[np.float64]

FITTED = 300
"""Readings of prior data per property to which hyperparameters are fitted: a fit grows with the cube of all readings,
and those of the campaign must not wait for them."""
CONDITIONED = 4000
"""Readings of prior data per property on which the posterior is conditioned: more say hardly more, and a table of fifty
thousand would fill the memory."""


def thinned(dataset: Dataset, most: int) -> NDArray[np.bool_]:
    """Which readings are kept, `n`: all own ones, and of each source an even share of `most` per property.

    Rows are taken in the order of a digest of their content: as good as at random, and the same ones again when the
    campaign's own readings grow.
    """
    kept = np.ones(len(dataset), dtype=bool)
    names = source_names(dataset)
    for name in names:
        rows = np.flatnonzero(dataset.sources == name)
        read = ~np.isnan(dataset.Y[rows])
        if read.sum(0).max() <= most // len(names):
            continue
        order = np.argsort([_digest(dataset, row) for row in rows.tolist()], kind="stable")
        enough = np.cumsum(read[order], axis=0) <= most // len(names)
        kept[rows[order]] = (enough & read[order]).any(1)
    return kept


def _digest(dataset: Dataset, row: int) -> str:
    name = str(dataset.names[row]) if len(dataset.names) else ""
    return sha256(name.encode() + dataset.X[row].tobytes() + dataset.Y[row].tobytes()).hexdigest()


def prior_data_report(
    problem: Problem, state: FilmGPState, sets: Sequence[Sequence[Conditioner]], dataset: Dataset
) -> list[list[dict[str, Any]]]:
    """What was learned of each source, property by property, in physical units and the property's own direction.

    Args:
        problem: Whose properties they are.
        state: Of the fitted model.
        sets: Per property, its readings under each of the equally likely sets of hyperparameters.
        dataset: To which the model was conditioned; it has the names of the sources.

    Returns:
        Per property, one entry per source: its name, its readings, how far it reads above f (None of a sparse
        posterior), by how much it differs beside, by how much it scatters beyond the campaign's noise, its correlation
        with f, readings held for outliers.
    """
    names = source_names(dataset)
    return [
        [{"source": name, **_source_report(state, k, s, sets[k], p.sign())} for s, name in enumerate(names)]
        for k, p in enumerate(problem.properties)
    ]


def _source_report(
    state: FilmGPState, k: int, s: int, components: Sequence[Conditioner], sign: float
) -> dict[str, Any]:
    scale, data = float(state.scale[k]), components[0].data
    rows = np.zeros(len(data.y), dtype=bool) if data.source is None else data.source == s
    offsets = [offset(component, rows) for component in components if not component.sparse and rows.any()]
    level = scale * state.levels(k)[s]
    variances = [(c.h.output_variance, float(c.h.discrepancy[s])) for c in components]
    means = np.array([mean for mean, _ in offsets])
    return {
        "readings": int(rows.sum()),
        "offset": sign * float(level + scale * means.mean()) if offsets else None,
        "offset_sd": scale * float(np.mean([v for _, v in offsets]) + means.var()) ** 0.5 if offsets else None,
        "discrepancy_sd": scale * float(np.mean([d for _, d in variances])) ** 0.5,
        "scatter_sd": scale * float(np.mean([c.h.scatter[s] for c in components])) ** 0.5,
        "correlation": float(np.mean([math.sqrt(f / (f + d)) for f, d in variances])),
        "outliers": int(state.settled(k).held()[rows].sum()),
    }


def offset(component: Conditioner, rows: NDArray[np.bool_]) -> tuple[float, float]:
    """Posterior mean and variance of the offset of one source, standardised, against its own median.

    Args:
        component: An exact posterior.
        rows: `n`: which of its readings are of the source.
    """
    factor, member = component.factor, rows.astype(np.float64)
    right = np.column_stack([component.data.y, member])
    solved = lapack.dpotrs(factor, np.asfortranarray(right), lower=1)[0]
    mean, explained = OFFSET_VARIANCE * (member @ solved)
    return float(mean), max(OFFSET_VARIANCE * (1.0 - float(explained)), 0.0)
