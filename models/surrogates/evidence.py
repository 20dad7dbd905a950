"""How well hyperparameters explain one column of readings: the log evidence and its gradient.

Notation: n standardised readings y at scaled points, F the `n x n` matrix that is 1 where two readings share a film.

    K = s_f^2 k(r) + c + s_b^2 F + diag(v),   v_i = known variance, or sigma^2, times inflation_i         (1)
    log p(y) = -1/2 y^T K^-1 y - 1/2 log|K| - n/2 log(2 pi)                                               (2)
    d log p / d theta = 1/2 tr(M dK/d theta),   M = a a^T - K^-1,   a = K^-1 y                            (3)

Source: Rasmussen and Williams 2006, Gaussian Processes for Machine Learning, eq. 2.30 and 5.9; theta holds
logarithms. The value and the whole gradient cost one Cholesky factor, one inverse from it and two matrix products.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from models.errors import FitFailed
from models.surrogates.hyperparameters import Hyperparameters
from models.surrogates.kernels import lengthscale_gradient, matern52

Array = NDArray[np.float64]

NUGGET = 1e-6
"""Least variance of a reading, in standardised units: repeats said to have no noise must stay invertible."""
CONSTANT_VARIANCE = 1.0
"""c of eq. (1): prior variance of the constant mean, in standardised units."""
POSTERIOR_JITTER = 1e-7
"""Added to the posterior variance, relative to the prior's: joint samples at devices 0.1 at.% apart need it."""
JITTERS = (0.0, 1e-8, 1e-6, 1e-4)
"""Tried in turn, relative to the mean variance, until the covariance has a Cholesky factor."""


@dataclass(frozen=True)
class Readings:
    """One column of D_t, ready for the evidence: scaled and standardised."""

    x: Array
    """`n x D` points in widths of the search space."""
    y: Array
    """`n` standardised readings."""
    known_variance: Array
    """`n` standardised variances, NaN where the noise is inferred."""
    film: NDArray[np.intp]
    """`n` film numbers."""
    inflation: Array | float = 1.0
    """`n` factors of the variances, known or inferred: large where a reading is held for an outlier."""

    def noise(self, noise_variance: float) -> Array:
        """`n` variances v of eq. (1)."""
        known = ~np.isnan(self.known_variance)
        own = np.where(known, np.where(known, self.known_variance, 0.0), noise_variance)
        return self.inflation * own + NUGGET


def cholesky(covariance: Array) -> Array:
    """Lower Cholesky factor, `n x n`, with as little jitter as it takes.

    Raises:
        FitFailed: If the matrix is not positive definite, or not finite, with the largest jitter.
    """
    scale = float(np.mean(np.diag(covariance)))
    for jitter in JITTERS if np.isfinite(scale) else ():
        # The transpose of a symmetric C-ordered matrix is the Fortran-ordered matrix that LAPACK wants.
        matrix = covariance.T if jitter == 0.0 else covariance.T + jitter * scale * np.eye(len(covariance))
        factor, info = lapack.dpotrf(matrix, lower=1, clean=1, overwrite_a=0)
        if info == 0:
            return np.asarray(factor)
    raise FitFailed(f"the covariance of {len(covariance)} readings has no Cholesky factor")


class Evidence:
    """Eq. (2) and (3) for one column of readings, as a function of theta."""

    def __init__(self, data: Readings) -> None:
        n = len(data.y)
        self.data = data
        self._same_film = np.asarray(data.film[:, None] == data.film, dtype=np.float64)
        self._space = np.empty((3, n, n))

    def covariance(self, h: Hyperparameters) -> tuple[Array, Array, Array]:
        """K of eq. (1), the correlations k and their factors g, `n x n` each, valid until the next call."""
        k, g = matern52(self.data.x / h.lengthscales, self._space)
        total = np.multiply(k, h.output_variance, out=self._space[2])
        total += CONSTANT_VARIANCE
        if h.film_variance > 0.0:
            total += h.film_variance * self._same_film
        total[np.diag_indices_from(total)] += self.data.noise(h.noise_variance)
        return total, k, g

    def __call__(self, theta: Array) -> tuple[float, Array]:
        """Log evidence at `theta` and its gradient.

        Raises:
            FitFailed: If the covariance cannot be factorised.
        """
        n, dimension = self.data.x.shape
        h = Hyperparameters.from_theta(theta, dimension)
        total, k, g = self.covariance(h)
        factor = cholesky(total)
        a = lapack.dpotrs(factor, self.data.y, lower=1)[0]
        value = -0.5 * self.data.y @ a - np.log(np.diag(factor)).sum() - 0.5 * n * math.log(2.0 * math.pi)
        m = np.multiply.outer(a, a, out=total)
        m -= symmetric_inverse(factor)
        inferred = np.isnan(self.data.known_variance)
        of_noise = (self.data.inflation * np.diag(m))[inferred].sum()
        variances = [h.output_variance * np.vdot(m, k), h.noise_variance * of_noise]
        if h.film_variance > 0.0:
            variances.append(h.film_variance * np.vdot(m, self._same_film))
        g *= m
        scales = h.output_variance * lengthscale_gradient(self.data.x / h.lengthscales, g)
        return float(value), 0.5 * np.concatenate([scales, variances])


def symmetric_inverse(factor: Array) -> Array:
    """Inverse of the matrix whose lower Cholesky factor is given, `n x n`; the factor's memory is used up."""
    lower = lapack.dpotri(factor, lower=1, overwrite_c=1)[0]
    inverse = lower + lower.T
    inverse[np.diag_indices_from(inverse)] *= 0.5
    return np.asarray(inverse)
