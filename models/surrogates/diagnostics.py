"""How far to trust a fitted surrogate: its predictions of each film from all the others."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp, ndtr

Array = NDArray[np.float64]

LEVELS = (0.5, 0.9, 0.95)
"""Central intervals whose coverage is reported."""
CURVE = tuple(round(0.05 * k, 2) for k in range(1, 20))
"""Levels of the reliability curve."""
HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)
MOST_FILMS = 50
"""Films whose residuals are reported."""


def leave_film_out(inverse: Array, y: Array, film: NDArray[np.intp]) -> tuple[Array, Array]:
    """Predict the readings of each film from those of the other films, without factorising anything twice.

    With P = K^-1 and B the rows of one film, y_B given the rest is normal with mean y_B - P_BB^-1 (P y)_B and
    covariance P_BB^-1: noise and the unseen film's own offset are in it, as they are in K.

    Args:
        inverse: `n x n` inverse of the covariance of the readings.
        y: `n` readings.
        film: `n` film numbers.

    Returns:
        `n` predicted means and `n` predicted standard deviations.

    Source: block inversion; Rasmussen and Williams 2006, eq. 5.12, for blocks of one.
    """
    mean, sd = np.empty_like(y), np.empty_like(y)
    pull = inverse @ y
    for number in np.unique(film):
        rows = np.flatnonzero(film == number)
        block = np.linalg.inv(inverse[np.ix_(rows, rows)])
        mean[rows] = y[rows] - block @ pull[rows]
        sd[rows] = np.sqrt(np.diag(block))
    return mean, sd


def calibration(y: Array, mean: Array, sd: Array, weights: Array | None = None) -> dict[str, float]:
    """Share of readings inside their central 50, 90 and 95 % intervals, and the mean log density of a reading.

    Args:
        y: `n` readings.
        mean: `n` predicted means, or `C x n` of a mixture.
        sd: Their standard deviations, of the same shape.
        weights: `C` weights of the mixture, sum 1; all alike if not given.
    """
    z = np.atleast_2d((y - mean) / sd)
    each = np.full(len(z), 1.0 / len(z)) if weights is None else weights
    rank = each @ ndtr(z)
    density = logsumexp(-0.5 * z * z - HALF_LOG_2PI - np.log(sd), axis=0, b=each[:, None])
    report = {f"coverage_{round(100 * p)}": float(np.mean(np.abs(rank - 0.5) <= p / 2)) for p in LEVELS}
    return report | {"log_density": float(np.mean(density))}


def reliability(y: Array, mean: Array, sd: Array, weights: Array) -> dict[str, Any]:
    """How often readings fall where they should: the reliability curve, and the histogram behind it.

    Args:
        y: `n` readings.
        mean: `C x n` means of a mixture.
        sd: `C x n` standard deviations.
        weights: `C` weights, sum 1.

    Returns:
        `readings` their number, `reliability` pairs of a central interval's level and the share of the readings in it,
        `ranks` how many readings fall in each tenth of their predicted distribution: even counts are honest.
    """
    rank = weights @ ndtr((y - mean) / sd)
    inside = [float(np.mean(np.abs(rank - 0.5) <= level / 2)) for level in CURVE]
    return {
        "readings": len(y),
        "reliability": [list(pair) for pair in zip(CURVE, inside, strict=True)],
        "ranks": np.histogram(rank, bins=10, range=(0.0, 1.0))[0].tolist(),
    }


def film_residuals(y: Array, mean: Array, sd: Array, film: NDArray[np.intp]) -> list[dict[str, float | int]]:
    """What is odd about single films, the oddest first.

    Args:
        y: `n` readings.
        mean: `n` predictions from all other films.
        sd: `n` standard deviations of a reading about them.
        film: `n` film numbers.

    Returns:
        Per film its number, its readings, their mean distance from the prediction and the root of their mean squared
        distance in standard deviations, for at most `MOST_FILMS` films.
    """
    found: list[dict[str, float | int]] = []
    for number in np.unique(film):
        away = (y - mean)[film == number]
        z = away / sd[film == number]
        found.append(
            {
                "film": int(number),
                "readings": len(z),
                "mean_residual": float(away.mean()),
                "rms_z": float(np.sqrt(np.mean(z * z))),
            }
        )
    return sorted(found, key=lambda f: -f["rms_z"])[:MOST_FILMS]
