"""What a model shows of itself, reading by reading and film by film: what charts of it are drawn from.

With K the covariance of n standardised readings y (`evidence.py`), F_i the `n` indicator of film i, k_t the
covariance of the readings with the drift at time t:

    b_i | y ~ N(s_b^2 F_i^T K^-1 y,  s_b^2 - s_b^4 F_i^T K^-1 F_i)                                         (1)
    g(t) | y ~ N(k_t^T K^-1 y,  k(t, t) - k_t^T K^-1 k_t)                                                  (2)

Several equally likely sets of hyperparameters are told by the mean and the variance of their mixture.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from models.dataset import Dataset
from models.objective import Property
from models.surrogates.conditioning import Conditioner
from models.surrogates.evidence import drift_covariance
from models.surrogates.film_gp_state import FilmGPState
from models.surrogates.fit_report import film_by_film

Array = NDArray[np.float64]

READINGS = 400
"""Most held-out readings that are shown: the worst predicted, and an even share of the others."""
WORST = 40
"""Of those, the worst predicted."""
FILMS = 200
"""Most films whose effects are shown: the newest."""
TIMES = 60
"""Times at which drift is shown."""


class HeldOut(BaseModel):
    """Readings beside what was predicted of them from all other films; one number per reading."""

    model_config = ConfigDict(frozen=True)

    film: list[str]
    measured: list[float]
    mean: list[float]
    sd: list[float]
    """Of a reading: noise, film effect and what is not known of f."""
    of: int
    """Readings that there are, of which these are some."""


class FilmEffects(BaseModel):
    """How far films lie off at equal composition; one number per film, in the order in which they were read."""

    model_config = ConfigDict(frozen=True)

    film: list[str]
    mean: list[float]
    sd: list[float]


class Drift(BaseModel):
    """How the instrument reads, against how it read when a calibration sample was first read."""

    model_config = ConfigDict(frozen=True)

    time: list[float]
    """Seconds since the epoch."""
    mean: list[float]
    sd: list[float]


class PropertyPortrait(BaseModel):
    """One property, in its own unit and direction."""

    model_config = ConfigDict(frozen=True)

    property: str
    unit: str
    held_out: HeldOut | None
    """None with a single film."""
    film_effects: FilmEffects | None
    """None where the model has none."""
    drift: Drift | None
    """None where no calibration sample tells of one."""


class _Rows(NamedTuple):
    """Own readings of one property: which of the dataset's rows they are, and which of the column's."""

    of_dataset: NDArray[np.intp]
    of_column: NDArray[np.intp]


def portrait(
    sought: Property, state: FilmGPState, k: int, components: Sequence[Conditioner], dataset: Dataset
) -> PropertyPortrait:
    """Property `k` as a model sees it.

    Args:
        sought: The property.
        state: Of the fitted model.
        k: Its number.
        components: Its readings under each of the equally likely sets of hyperparameters.
        dataset: The rows of the state, with their names.
    """
    own = np.flatnonzero(components[0].data.own())
    rows = _Rows(np.flatnonzero(~np.isnan(state.Y[:, k]))[own], own)
    unit = float(sought.sign() * state.scale[k])
    level = float(sought.sign() * state.centre[k])
    return PropertyPortrait(
        property=sought.property,
        unit=sought.unit,
        held_out=_held_out(state, k, components, dataset.films[rows.of_dataset], (level, unit)),
        film_effects=_film_effects(components, rows, dataset, unit),
        drift=_drift(components, state, unit),
    )


def _held_out(
    state: FilmGPState, k: int, components: Sequence[Conditioner], films: NDArray[np.str_], to: tuple[float, float]
) -> HeldOut | None:
    data = components[0].data
    shown = (state.sides(k) == 0)[data.own()]  # a one-sided reading has no distance from its prediction
    if len(np.unique(films)) < 2 or not shown.any():
        return None
    parts = [film_by_film(component) for component in components]
    mean, latent, noise = (np.array(part)[:, data.own()][:, shown] for part in zip(*parts, strict=True))
    y, centre = data.y[data.own()][shown], mean.mean(0)
    sd = np.sqrt((latent + noise).mean(0) + mean.var(0))
    kept = _telling(np.abs(y - centre) / sd)
    level, unit = to
    return HeldOut(
        film=films[shown][kept].tolist(),
        measured=(level + unit * y[kept]).tolist(),
        mean=(level + unit * centre[kept]).tolist(),
        sd=(abs(unit) * sd[kept]).tolist(),
        of=len(y),
    )


def _telling(z: Array) -> NDArray[np.intp]:
    """Which readings to show: the worst predicted, and an even share of the others."""
    if len(z) <= READINGS:
        return np.arange(len(z))
    even = np.linspace(0, len(z) - 1, READINGS - WORST).astype(np.intp)
    return np.unique(np.concatenate([even, np.argsort(-z)[:WORST]]))


def _film_effects(components: Sequence[Conditioner], rows: _Rows, dataset: Dataset, unit: float) -> FilmEffects | None:
    if all(c.h.film_variance == 0.0 for c in components):
        return None
    names = dataset.films[rows.of_dataset]
    order = np.argsort(dataset.times[rows.of_dataset], kind="stable")
    shown = list(dict.fromkeys(names[order].tolist()))[-FILMS:]
    member = np.zeros((len(components[0].data.y), len(shown)))
    number = {name: j for j, name in enumerate(shown)}
    for row, name in zip(rows.of_column.tolist(), names.tolist(), strict=True):
        if name in number:
            member[row, number[name]] = 1.0
    means, variances = [], []
    for c in components:
        across = c.h.film_variance * member
        solved = c.solve(np.column_stack([c.data.y, across]))
        means.append(across.T @ solved[:, 0])
        variances.append(c.h.film_variance - np.einsum("nj,nj->j", across, solved[:, 1:]))
    mean, sd = _mixture(means, variances)
    return FilmEffects(film=shown, mean=(unit * mean).tolist(), sd=(abs(unit) * sd).tolist())


def _drift(components: Sequence[Conditioner], state: FilmGPState, unit: float) -> Drift | None:
    if all(c.h.drift_variance == 0.0 or c.data.time is None for c in components):
        return None
    time = components[0].data.time
    assert time is not None  # noqa: S101 - drift is modelled of readings that have times only
    asked = np.linspace(0.0, float(time.max()), TIMES)
    means, variances = [], []
    for c in components:
        across = drift_covariance(c.h, time[:, None], asked)
        solved = c.solve(np.column_stack([c.data.y, across]))
        means.append(across.T @ solved[:, 0])
        variances.append(drift_covariance(c.h, asked, asked) - np.einsum("nj,nj->j", across, solved[:, 1:]))
    mean, sd = _mixture(means, variances)
    start, span = state.clock
    return Drift(time=(start + span * asked).tolist(), mean=(unit * mean).tolist(), sd=(abs(unit) * sd).tolist())


def _mixture(means: Sequence[Array], variances: Sequence[Array]) -> tuple[Array, Array]:
    """Mean and standard deviation of equally likely normals."""
    mean, variance = np.array(means), np.maximum(np.array(variances), 0.0)
    return mean.mean(0), np.sqrt(variance.mean(0) + mean.var(0))
