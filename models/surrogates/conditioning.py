"""The latent f given readings, with NumPy alone: exact while that is affordable, through inducing values beyond.

Both have one form (notation of `latent.py`):

    mean(x) = k(x, Z) T w,      cov(x, x') = k(x, x') - k(x, Z) T T^T k(Z, x')                             (1)

Exact: Z are the readings' points, T = L^-T and w = L^-1 y with L L^T = K the covariance of the readings (Rasmussen and
Williams 2006, Gaussian Processes for Machine Learning, eq. 2.23 and 2.24). Sparse: see `sparse.py`. K holds film
effects, drift and noise; k(x, Z) does not: f is what all films have in common.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import block_diag, lapack, solve_triangular

from models.surrogates.diagnostics import leave_film_out
from models.surrogates.evidence import (
    CONSTANT_VARIANCE,
    OFFSET_VARIANCE,
    POSTERIOR_JITTER,
    SAMPLE_VARIANCE,
    Evidence,
    Readings,
    cholesky,
    drift_covariance,
    symmetric_inverse,
)
from models.surrogates.hyperparameters import Hyperparameters
from models.surrogates.kernels import matern52_across
from models.surrogates.sparse import (
    FilmNoise,
    Inducing,
    inducing_points,
    sparse_leave_film_out,
    sparse_posterior,
    sparse_solve,
)

Array = NDArray[np.float64]

EXACT = 2600
"""Readings up to which every one is conditioned on; beyond, the cubic cost would be felt at every decision."""
INDUCING = 1024
"""Largest number of points of a sparse posterior."""
OF_A_SOURCE = 256
"""Largest number of points at which a sparse posterior induces the discrepancy of a source."""
DRIFT_TIMES = 64
"""Largest number of times at which a sparse posterior induces the drift."""


@dataclass(frozen=True)
class Conditioning:
    """What eq. (1) needs."""

    h: Hyperparameters
    z: Array
    """Z: `M x D` points in lengthscales."""
    project: Array
    """T: `M x r`."""
    whitened: Array
    """w: `r`."""
    sparse: bool

    @property
    def variance(self) -> float:
        """Prior variance of f at one point."""
        return self.h.output_variance + CONSTANT_VARIANCE

    def half(self, x: Array) -> Array:
        """k(x, Z) T, `j x r`, at `j x D` points in widths of the search space."""
        return np.asarray(_prior(self.h, x / self.h.lengthscales, self.z) @ self.project)

    def prior(self, x1: Array, x2: Array) -> Array:
        """Prior covariance of f between points in widths of the search space."""
        return _prior(self.h, x1 / self.h.lengthscales, x2 / self.h.lengthscales)

    def moments(self, x: Array) -> tuple[Array, Array]:
        """Posterior mean and variance of f at `j x D` points in widths of the search space."""
        half = self.half(x)
        return half @ self.whitened, (1.0 + POSTERIOR_JITTER) * self.variance - (half * half).sum(1)


class Conditioner:
    """One objective's readings under one set of hyperparameters.

    Raises:
        FitFailed: If the covariance of the readings has no Cholesky factor.
    """

    def __init__(self, data: Readings, h: Hyperparameters, exact: int | None = None) -> None:
        """Condition.

        Args:
            data: The readings.
            h: Hyperparameters.
            exact: Readings up to which every one is conditioned on, if not `EXACT`.
        """
        self.data, self.h = data, h
        self.sparse = len(data.y) > (EXACT if exact is None else exact)
        self.conditioning = self._by_inducing() if self.sparse else self._by_all()

    def leave_film_out(self) -> tuple[Array, Array]:
        """Means and standard deviations of the readings (`n` each), of each film from all the others."""
        if self.sparse:
            return sparse_leave_film_out(self._induced[1], self.data.y, self._noise)
        inverse = symmetric_inverse(self.factor.copy(order="F"))
        return leave_film_out(inverse, self.data.y, self.data.film)

    def solve(self, columns: Array) -> Array:
        """K^-1 times `columns` (n x k), K as the inducing values see it where the posterior is sparse."""
        if self.sparse:
            return sparse_solve(self._induced[1], columns, self._noise)
        return np.asarray(lapack.dpotrs(self.factor, columns, lower=1)[0])

    def unexplained(self) -> float:
        """Share of the prior variance at the readings that the inducing values leave to chance; 0 where exact."""
        if not self.sparse:
            return 0.0
        inducing = self._induced[1]
        across = inducing.whitened()[1]
        return float(np.mean(1.0 - (across * across).sum(0) / inducing.variance))

    @cached_property
    def factor(self) -> Array:
        """Lower Cholesky factor of the covariance of the readings, `n x n`."""
        return cholesky(Evidence(self.data).covariance(self.h)[0])

    def _by_all(self) -> Conditioning:
        factor, material = self.factor, self.data.material()
        project = solve_triangular(factor, np.eye(len(factor)), lower=True, check_finite=False).T
        whitened = solve_triangular(factor, self.data.y, lower=True, check_finite=False)
        z = self.data.x[material] / self.h.lengthscales
        return Conditioning(self.h, z, np.ascontiguousarray(project[material]), whitened, sparse=False)

    def _by_inducing(self) -> Conditioning:
        points, inducing = self._induced
        project, whitened = sparse_posterior(inducing, self.data.y, self._noise)
        return Conditioning(self.h, points, np.ascontiguousarray(project[: len(points)]), whitened, sparse=True)

    @cached_property
    def _noise(self) -> FilmNoise:
        film = np.unique(self.data.film, return_inverse=True)[1].reshape(-1)
        offset = np.where(self.data.material(), self.h.film_variance**0.5, 0.0)
        return FilmNoise(self.data.noise(self.h), offset, film)

    @cached_property
    def _induced(self) -> tuple[Array, Inducing]:
        """Points at which f is induced, and all that is: f, drift, constants of calibration samples."""
        data, h, material = self.data, self.h, self.data.material()
        z = data.x / h.lengthscales
        points = inducing_points(z[material], lambda a, b: _prior(h, a, b), self._variance, INDUCING)
        parts = [(_prior(h, points, points), _prior(h, points, z) * material, self._variance * material)]
        if h.drift_variance > 0.0 and data.time is not None:
            parts.append(_drift(h, data.time))
        if data.sample is not None:
            parts.append(_constants(data.sample, SAMPLE_VARIANCE))
        if data.source is not None:
            parts.append(_constants(data.source, OFFSET_VARIANCE))
            parts += [
                self._discrepancy(z, data.source == s, v)
                for s, v in enumerate(h.discrepancy)
                if (data.source == s).any()
            ]
        within, across, variance = zip(*parts, strict=True)
        return points, Inducing(block_diag(*within), np.vstack(across), np.sum(variance, axis=0))

    def _discrepancy(self, z: Array, rows: NDArray[np.bool_], variance: float) -> tuple[Array, Array, Array]:
        """The discrepancy of one source at a few of its points: K_uu, K_un and the variance at each of `n` readings."""
        points = inducing_points(z[rows], lambda a, b: variance * matern52_across(a, b), variance, OF_A_SOURCE)
        within, across = (variance * matern52_across(points, other) for other in (points, z))
        return within, across * rows, np.where(rows, variance, 0.0)

    @property
    def _variance(self) -> float:
        return self.h.output_variance + CONSTANT_VARIANCE


def _prior(h: Hyperparameters, z1: Array, z2: Array) -> Array:
    """Prior covariance of f between points in lengthscales, the constant mean's own included."""
    return np.asarray(h.output_variance * matern52_across(z1, z2) + CONSTANT_VARIANCE)


def _drift(h: Hyperparameters, time: Array) -> tuple[Array, Array, Array]:
    """The drift at a few times: K_uu, K_un and the variance at each of `n` times."""
    distinct = np.unique(time[time != 0.0])  # at 0 there is no drift yet
    knots = distinct[np.unique(np.linspace(0, len(distinct) - 1, min(len(distinct), DRIFT_TIMES)).astype(int))]

    within, across = (drift_covariance(h, knots[:, None], other) for other in (knots, time))
    return within, across, drift_covariance(h, time, time)


def _constants(of: NDArray[np.intp], variance: float) -> tuple[Array, Array, Array]:
    """Constants of calibration samples or sources, `of` -1 elsewhere: K_uu, K_un and the variance of `n` readings."""
    names = np.unique(of[of >= 0])
    member = (names[:, None] == of).astype(np.float64)
    return variance * np.eye(len(names)), variance * member, variance * member.sum(0)
