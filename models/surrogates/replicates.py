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
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.stats import f as f_distribution

Array = NDArray[np.float64]

DEGREES = (math.log(4.0), 1.0)
"""Mean and sd of the normal prior of log nu0."""
MOST_DEGREES = 1e4
"""Beyond it all devices have the same variance."""
LEAST_SHARE = 1e-4
"""Of the mean s^2: a smaller one is a matter of the instrument's last digit."""


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
    mean = float(np.average(variances, weights=degrees))
    ratio = np.maximum(variances / mean, LEAST_SHARE)

    def loss(theta: Array) -> float:
        log_nu, log_s = theta
        explained = f_distribution.logpdf(ratio * math.exp(-log_s), degrees, math.exp(log_nu)) - log_s
        return float(0.5 * ((log_nu - DEGREES[0]) / DEGREES[1]) ** 2 - explained.sum())

    bounds = [(0.0, math.log(MOST_DEGREES)), (-10.0, 5.0)]
    found = minimize(
        loss, [DEGREES[0], -0.5], method="Nelder-Mead", bounds=bounds, options={"xatol": 1e-6, "fatol": 1e-9}
    )
    return Pooled(math.exp(found.x[0]), mean * math.exp(found.x[1]))


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
