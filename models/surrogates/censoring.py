"""Readings that only say "at least" or "at most": the Gaussian pseudo-readings that say the same.

A saturated instrument reads its limit c whatever the true reading y is. With g = f + b the value before noise, the
reading says y = g + eps >= c (side +1) or <= c (side -1), eps ~ N(0, v):

    p(reading | g) = Phi(side (g - c) / sqrt(v))                                                           (1)

Expectation propagation puts a pseudo-reading N(g; y~, v~) in its place. Without it, g is known as N(mu, V), its cavity:

    z = side (mu - c) / sqrt(v + V),   r = phi(z) / Phi(z),   beta = r (z + r) / (v + V)                   (2)
    y~ = mu + side r / (sqrt(v + V) beta),      v~ = 1 / beta - V                                          (3)

so that the mean and the variance of g are those under (1). (2) and (3) are repeated over all censored readings until
they stand still: (1) is log-concave, so v~ >= v always.

Source: Minka 2001, Expectation propagation for approximate Bayesian inference (arXiv 1301.2294); Rasmussen and Williams
2006, eq. 3.58 and 3.59, for the moments under (1).
"""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfcx

Array = NDArray[np.float64]

VAGUE = 1e8
"""Largest variance of a pseudo-reading, relative to the prior's: beyond it, it says nothing."""
SWEEPS = 50
"""Most rounds over all one-sided readings; ten are usual."""
CLOSE = 1e-6
"""The rounds end when no mean moves by more, in standard deviations."""


def one_sided_sites(mean: Array, covariance: Array, limit: Array, side: Array, noise: Array) -> tuple[Array, Array]:
    """Pseudo-readings for one-sided readings of jointly Gaussian values.

    Args:
        mean: `q` means of the values g, given everything but the one-sided readings.
        covariance: `q x q`, theirs.
        limit: `q` limits c.
        side: `q`: +1 where the reading is at least its limit, -1 where it is at most.
        noise: `q` variances v of a reading, positive.

    Returns:
        `q` values y~ and `q` variances v~ of eq. (3).
    """
    posterior = _Posterior(mean.astype(np.float64), covariance.astype(np.float64))
    precision, pull = np.zeros_like(posterior.mean), np.zeros_like(posterior.mean)
    vague = VAGUE * np.diag(covariance)
    for _ in range(SWEEPS):
        before = posterior.mean.copy()
        for k in range(len(precision)):
            at, variance = posterior.without(k, precision[k], pull[k])
            site, site_variance = _site(at, variance, limit[k], side[k], noise[k])
            new = 1.0 / min(site_variance, vague[k])
            posterior.add(k, new - precision[k], new * site - pull[k])
            precision[k], pull[k] = new, new * site
        if np.max(np.abs(posterior.mean - before) / np.sqrt(np.diag(posterior.covariance))) < CLOSE:
            break
    return pull / precision, 1.0 / precision


class _Posterior:
    """Jointly Gaussian values that take in one pseudo-reading at a time."""

    def __init__(self, mean: Array, covariance: Array) -> None:
        self.mean, self.covariance = mean.copy(), covariance.copy()

    def without(self, k: int, precision: float, pull: float) -> tuple[float, float]:
        """Mean and variance of value k with its pseudo-reading taken out."""
        spread = float(self.covariance[k, k])
        left = max(1.0 - spread * precision, 1e-9)
        return (float(self.mean[k]) - spread * pull) / left, spread / left

    def add(self, k: int, precision: float, pull: float) -> None:
        """Change the pseudo-reading of value k by a precision and by a precision times a value."""
        column = self.covariance[:, k].copy()
        grown = 1.0 + precision * column[k]
        self.mean += column * ((pull - precision * self.mean[k]) / grown)
        self.covariance -= np.multiply.outer(column, column * (precision / grown))


def _site(mean: float, variance: float, limit: float, side: float, noise: float) -> tuple[float, float]:
    """Eq. (2) and (3): value and variance of a pseudo-reading from its cavity."""
    total = noise + variance
    z = side * (mean - limit) / math.sqrt(total)
    # Far on the right side r vanishes, and with it all that the reading says. Phi itself is 0 far on the wrong one.
    r = max(math.sqrt(2.0 / math.pi) / erfcx(-z / math.sqrt(2.0)), 1e-150)
    beta = r * (z + r) / total
    return mean + side * math.sqrt(total) / (z + r), max(1.0 / beta - variance, noise)
