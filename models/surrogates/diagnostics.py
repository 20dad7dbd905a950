"""How far to trust a fitted surrogate: its predictions of each film from all the others."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp
from scipy.stats import norm

Array = NDArray[np.float64]

LEVELS = (0.5, 0.9, 0.95)
"""Central intervals whose coverage is reported."""


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


def calibration(y: Array, mean: Array, sd: Array) -> dict[str, float]:
    """Share of readings inside their central 50, 90 and 95 % intervals, and the mean log density of a reading.

    Args:
        y: `n` readings.
        mean: `n` predicted means, or `C x n` of equally likely predictions.
        sd: Their standard deviations, of the same shape.
    """
    z = np.atleast_2d((y - mean) / sd)
    rank = norm.cdf(z).mean(0)
    density = logsumexp(norm.logpdf(z) - np.log(sd), axis=0) - np.log(len(z))
    report = {f"coverage_{round(100 * p)}": float(np.mean(np.abs(rank - 0.5) <= p / 2)) for p in LEVELS}
    return report | {"log_density": float(np.mean(density))}
