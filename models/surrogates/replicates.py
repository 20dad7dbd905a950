"""Variances of repeated readings, pulled towards what all devices have in common.

The sample variance of three readings is a poor estimate: taken at its word, the luckiest device would count as the
surest. With s_i^2 of device i from n_i readings, d_i = n_i - 1, and the variances of all devices drawn alike,

    sigma_i^2 ~ nu0 s0^2 / chi^2(nu0),     s_i^2 | sigma_i^2 ~ sigma_i^2 chi^2(d_i) / d_i,                 (1)
    s_i^2 / s0^2 ~ F(d_i, nu0),                                                                            (2)
    v_i = (nu0 s0^2 + d_i s_i^2) / (nu0 + d_i).                                                            (3)

nu0 and s0^2 are those under which (2) explains the s_i^2 best; a weak prior on log nu0 decides where devices are few.

Source: Smyth 2004, Linear models and empirical Bayes methods (doi 10.2202/1544-6115.1027), eq. 3 and section 6; by
likelihood here, where Smyth takes moments.
"""

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import betaln

from models.dataset import Dataset

Array = NDArray[np.float64]

DEGREES = (math.log(4.0), 1.0)
"""Mean and sd of the normal prior of log nu0."""
MOST_DEGREES = 1e4
"""Beyond it all devices have the same variance."""
LEAST_SHARE = 1e-4
"""Of the median s^2 of repeats that differ: a smaller one is a matter of the instrument's last digit."""


class Pooled(NamedTuple):
    """What the variances of all devices have in common, eq. (1)."""

    degrees: float
    """nu0: how alike they are."""
    variance: float
    """s0^2."""


def pooled(variances: Array, degrees: Array) -> Pooled:
    """The prior of eq. (1) that explains the sample variances of many devices best.

    Args:
        variances: `j` sample variances s_i^2, at least one of them positive.
        degrees: `j` degrees of freedom d_i, each at least 1.

    Returns:
        nu0 and s0^2.
    """
    typical = float(np.median(variances[variances > 0.0]))  # a mean would be that of the wildest alone
    ratio = np.maximum(variances / typical, LEAST_SHARE)

    def loss(theta: Array) -> float:
        log_nu, log_s = theta
        explained = log_density(ratio * math.exp(-log_s), degrees, math.exp(log_nu)) - log_s
        return float(0.5 * ((log_nu - DEGREES[0]) / DEGREES[1]) ** 2 - explained.sum())

    bounds = [(0.0, math.log(MOST_DEGREES)), (-10.0, 5.0)]
    found = minimize(
        loss, [DEGREES[0], -0.5], method="Nelder-Mead", bounds=bounds, options={"xatol": 1e-6, "fatol": 1e-9}
    )
    return Pooled(math.exp(found.x[0]), typical * math.exp(found.x[1]))


def log_density(ratio: Array, d1: Array, d2: float) -> Array:
    """Log density of F(d1, d2), eq. (2), at ratios > 0: `j` of `j` ratios and degrees d1."""
    odds = ratio * d1 / d2
    tail = 0.5 * (d1 + d2) * np.log1p(odds)
    return np.asarray(0.5 * d1 * np.log(odds) - tail - np.log(ratio) - betaln(0.5 * d1, 0.5 * d2))


def shrunk(variance: Array, replicates: Array) -> Array:
    """Variances of the means of repeated readings, shrunk by eq. (3); all others as they are.

    Args:
        variance: `n` variances of readings: s_i^2 / n_i where `replicates` is 2 or more; NaN where none is known.
        replicates: `n` numbers of raw readings behind each.

    Returns:
        `n` variances v_i / n_i. Where no repeat differs from another at all, nothing was learned: NaN, not 0.
    """
    repeated = (replicates >= 2) & ~np.isnan(variance)
    result = variance.copy()
    if not repeated.any():
        return result
    n = replicates[repeated]
    sample, degrees = variance[repeated] * n, n - 1.0
    if not (sample > 0.0).any():
        result[repeated] = np.nan
        return result
    prior = pooled(sample, degrees)
    result[repeated] = (prior.degrees * prior.variance + degrees * sample) / (prior.degrees + degrees) / n
    return result


def merged(dataset: Dataset) -> Dataset:
    """The same readings, repeats of one device without known variance as their mean.

    Repeats share what makes devices differ. As readings of their own they would tell a model that its noise is their
    small scatter, and what devices differ by would be taken for the property: with a scatter of devices three times
    that of repeats, the log density of f was 0.8 higher with means (docs/science.md, section 2).

    Args:
        dataset: Canonical.

    Returns:
        One row per device and pattern of properties read, at the mean of their times and with the name of the least
        reading; all else as it is.
    """
    plain = np.isnan(dataset.Yvar).all(1) & (dataset.replicates == 1).all(1) & (dataset.censored == 0).all(1)
    rows = np.flatnonzero(plain & ~dataset.dead & ~dataset.calibration)
    film = np.unique(dataset.films, return_inverse=True)[1].reshape(-1)
    positions = np.where(np.isnan(dataset.positions), -1.0, dataset.positions)
    key = np.column_stack([film, positions, dataset.X, np.isnan(dataset.Y)])[rows]
    first, device = np.unique(key, axis=0, return_index=True, return_inverse=True)[1:]
    if len(first) == len(rows):
        return dataset
    read = np.column_stack([dataset.Y, dataset.times])
    sums, count = np.zeros((len(first), read.shape[1])), np.bincount(device.reshape(-1))
    np.add.at(sums, device.reshape(-1), read[rows])
    read[rows[first]] = sums / count[:, None]
    kept = np.ones(len(dataset), dtype=bool)
    kept[np.setdiff1d(rows, rows[first])] = False
    return replace(dataset, Y=read[:, :-1], times=read[:, -1]).take(kept)
