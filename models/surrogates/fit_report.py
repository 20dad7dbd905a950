"""What a model version says of itself: numbers for people, ready for JSON, in physical units."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.dataset import Dataset
from models.problem import Problem
from models.surrogates.conditioning import Conditioner, Conditioning
from models.surrogates.diagnostics import calibration, film_residuals, reliability
from models.surrogates.film_gp_state import FilmGPState, film_numbers
from models.surrogates.outliers import SHARES, WILD
from models.surrogates.sensitivity import sensitivity, steps
from models.surrogates.yield_model import YieldModel

Array = NDArray[np.float64]


def column_report(state: FilmGPState, k: int, components: Sequence[Conditioner]) -> dict[str, Any]:
    """Objective `k`: readings, films, leave-one-film-out calibration, outliers, noise, film effect, lengthscales.

    Args:
        state: The fitted state.
        k: Number of the objective.
        components: Its readings under each of the equally likely sets of hyperparameters.
    """
    column, h, scale = components[0], state.hyperparameters[k], float(state.scale[k])
    own = column.data.own()
    settled, side = state.settled(k), state.sides(k)
    noise = float(np.mean([c.data.inferred(c.h)[column.data.typical()] for c in components]))
    films = len(np.unique(column.data.film[own]))
    return {
        "readings": int(own.sum()),
        "readings_at_fit": int(state.fitted[k]),
        "films": films,
        "posterior": "sparse variational" if column.sparse else "exact",
        "inducing_points": len(column.conditioning.z) if column.sparse else None,
        "unexplained": column.unexplained() if column.sparse else None,
        "leave_film_out": held_out(state, k, components) if films > 1 else None,
        "outliers": [
            {"row": int(row), "counts_for": float(1.0 / settled.inflation[j])}
            for j, row in enumerate(np.flatnonzero(~np.isnan(state.Y[:, k])))
            if settled.held()[j] and state.sources()[row] < 0
        ],
        "one_sided": int((side != 0)[~column.data.prior()].sum()),
        "noise_sd": scale * noise**0.5,
        "noise_varies": h.noise_spread > 0.0,
        "film_effect_sd": scale * float(np.mean([c.h.film_variance for c in components])) ** 0.5,
        "drift_sd": scale * h.drift_variance**0.5,
        "output_sd": scale * h.output_variance**0.5,
        "lengthscales": h.lengthscales.tolist(),
        "averaged_over": len(components),
        "centre": float(state.centre[k]),
        "scale": scale,
    }


def held_out(state: FilmGPState, k: int, components: Sequence[Conditioner]) -> dict[str, Any] | None:
    """How well each film is predicted from all others: coverage, log density, reliability, residuals of films.

    A reading that is held for an outlier counts like any other: what is predicted is a reading of which nothing is
    known, wild ones among them if the model reckons with them. One-sided readings have no place in a distribution.
    Calibration samples are no films, nor is prior data: it takes part in what the others predict.

    Returns:
        None if no reading is left to be predicted.
    """
    rows = components[0].data.own() & (state.sides(k) == 0)
    if not rows.any():
        return None
    scale, y, film = float(state.scale[k]), components[0].data.y, components[0].data.film
    robust = state.inflation.size > 0 and bool((state.inflation != 1.0).any())
    shares, wild = (SHARES, WILD) if robust else (np.ones(1), np.ones(1))
    means, sds = [], []
    for component in components:
        mean, f, own = film_by_film(component)
        means += [mean] * len(wild)
        sds += [np.sqrt(f + r**2 * own) for r in wild]
    weights = np.tile(shares, len(components)) / len(components)
    mean, sd, y = scale * np.array(means)[:, rows], scale * np.array(sds)[:, rows], scale * y[rows]
    first = np.arange(0, len(means), len(wild))
    centre = mean[first].mean(0)
    sound = np.sqrt((sd[first] ** 2).mean(0) + mean[first].var(0))
    report = {**calibration(y, mean, sd, weights), **reliability(y, mean, sd, weights)}
    return report | {"film_residuals": film_residuals(y, centre, sound, film[rows])}


def film_by_film(component: Conditioner) -> tuple[Array, Array, Array]:
    """Predict each reading from all films but its own, as if nothing were known of the reading itself.

    Returns:
        `n` means, `n` variances of what is read, `n` variances of a sound reading about it.
    """
    mean, sd = component.leave_film_out()
    own = replace(component.data, inflation=1.0).noise(component.h)
    return mean, np.maximum(sd**2 - component.data.noise(component.h), 0.0), own


def yield_report(model: YieldModel | None) -> dict[str, Any] | None:
    """How many devices work, and on what that depends; None where no device ever died."""
    if model is None:
        return None
    return {"rate": model.rate, "varies_with_material": model.a_x > 0.0, "varies_with_position": model.a_t > 0.0}


def named(metrics: dict[str, Any], dataset: Dataset) -> dict[str, Any]:
    """The metrics with the names of films and readings in place of their numbers.

    Args:
        metrics: Of a model of this dataset.
        dataset: The canonical dataset.
    """
    of_film = dict(zip(film_numbers(dataset).tolist(), dataset.films.tolist(), strict=True))
    for report in metrics["objectives"]:
        for outlier in report["outliers"]:
            row = outlier["row"]
            outlier["film"] = str(dataset.films[row])
            outlier["reading"] = str(dataset.names[row]) if len(dataset.names) else None
        for film in (report["leave_film_out"] or {}).get("film_residuals", ()):
            film["film"] = of_film[film["film"]]
    return metrics


def sensitivities(
    problem: Problem, state: FilmGPState, sets: Sequence[Sequence[Conditioning]]
) -> dict[str, list[dict[str, Any]]]:
    """What each element and process variable does to each property, in the property's own direction.

    Args:
        problem: Whose space and properties they are.
        state: Of the fitted model.
        sets: Per property, the posterior under each of the equally likely sets of hyperparameters.
    """
    signs = [p.sign() for p in problem.properties]
    ways = list(steps(problem.space))
    return {
        p.property: [sensitivity(way, sets[k], state.scaled, float(signs[k] * state.scale[k])) for way in ways]
        for k, p in enumerate(problem.properties)
    }
