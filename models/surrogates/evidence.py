"""How well hyperparameters explain one column of readings: log evidence, its gradient, and the best ones.

Notation: n standardised readings y at scaled points, F the `n x n` matrix that is 1 where two readings share a film.

    K = s_f^2 k(r) + c + s_b^2 F + diag(v),   v_i = known variance, or sigma^2 where none is known        (1)
    log p(y) = -1/2 y^T K^-1 y - 1/2 log|K| - n/2 log(2 pi)                                               (2)
    d log p / d theta = 1/2 tr(M dK/d theta),   M = a a^T - K^-1,   a = K^-1 y                            (3)

Source: Rasmussen and Williams 2006, Gaussian Processes for Machine Learning, eq. 2.30 and 5.9. All parameters are
logarithms: each is positive, and L-BFGS needs about a third of the steps it needs in natural ones.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack
from scipy.optimize import minimize

from models.errors import FitFailed
from models.surrogates.kernels import lengthscale_gradient, matern52

Array = NDArray[np.float64]

NUGGET = 1e-6
"""Least variance of a reading, in standardised units: repeats said to have no noise must stay invertible."""
CONSTANT_VARIANCE = 1.0
"""c of eq. (1): prior variance of the constant mean, in standardised units."""
JITTERS = (0.0, 1e-8, 1e-6, 1e-4)
"""Tried in turn, relative to the mean variance, until the covariance has a Cholesky factor."""
INFEASIBLE = 1e25
"""Negative log evidence where no jitter helps: the line search turns back."""


@dataclass(frozen=True)
class Prior:
    """Normal prior on a logarithm, and the range in which it is sought."""

    mean: float
    sd: float
    lower: float
    upper: float


def lengthscale_prior(dimension: int) -> Prior:
    """Prior of a log lengthscale that grows with the square root of the dimension.

    The log-normal (sqrt(2) + log(dimension) / 2, sqrt(3)) of Hvarfner, Hellsten and Nardi 2024, Vanilla Bayesian
    optimization performs great in high dimensions (arXiv 2402.02229), whose mode in the lengthscale is the mean here.
    """
    return Prior(math.sqrt(2.0) - 3.0 + 0.5 * math.log(dimension), math.sqrt(3.0), math.log(0.02), math.log(1e3))


OUTPUT_VARIANCE = Prior(0.0, 1.0, math.log(1e-3), math.log(1e4))
"""Prior of log s_f^2: the readings are standardised."""
NOISE_VARIANCE = Prior(-5.0, 1.0, math.log(1e-4), math.log(1e3))
"""Prior of log sigma^2: the log-normal (-4, 1) of Hvarfner et al. 2024, at its mode."""
FILM_VARIANCE = Prior(2.0 * math.log(0.3), 1.0, math.log(1e-6), math.log(1e2))
"""Prior of log s_b^2. Strong, since one film cannot tell its own offset from f; real wafers differ by 0.4 to 0.8 sd."""


@dataclass(frozen=True)
class Hyperparameters:
    """What is fitted, in standardised units. Lengthscales are in widths of the search space."""

    lengthscales: Array
    """`D`, one per element and process column."""
    output_variance: float
    noise_variance: float
    film_variance: float
    """0 where the film effect is left out."""

    def theta(self) -> Array:
        """The logarithms, in the order lengthscales, output, noise, film (left out if 0)."""
        rest = [self.output_variance, self.noise_variance] + ([self.film_variance] if self.film_variance > 0 else [])
        return np.asarray(np.log(np.concatenate([self.lengthscales, rest])))

    def natural(self) -> Array:
        """Every value in one vector of length D + 3: exact where `theta` would round."""
        return np.concatenate([self.lengthscales, [self.output_variance, self.noise_variance, self.film_variance]])

    @classmethod
    def from_natural(cls, values: Array) -> "Hyperparameters":
        """The inverse of `natural`."""
        return cls(values[:-3], float(values[-3]), float(values[-2]), float(values[-1]))

    @classmethod
    def from_theta(cls, theta: Array, dimension: int) -> "Hyperparameters":
        """The inverse of `theta`."""
        e = np.exp(theta)
        film = float(e[dimension + 2]) if len(e) > dimension + 2 else 0.0
        return cls(e[:dimension], float(e[dimension]), float(e[dimension + 1]), film)


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

    def noise(self, noise_variance: float) -> Array:
        """`n` variances v of eq. (1)."""
        known = ~np.isnan(self.known_variance)
        return np.where(known, np.where(known, self.known_variance, 0.0), noise_variance) + NUGGET


def cholesky(covariance: Array) -> Array:
    """Lower Cholesky factor, `n x n`, with as little jitter as it takes.

    Raises:
        FitFailed: If the matrix is not positive definite, or not finite, with the largest jitter.
    """
    scale = float(np.mean(np.diag(covariance)))
    for jitter in JITTERS:
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
        variances = [h.output_variance * np.vdot(m, k), h.noise_variance * np.diag(m)[inferred].sum()]
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


def priors(dimension: int, *, film_effect: bool) -> list[Prior]:
    """One prior per entry of theta."""
    scales = [lengthscale_prior(dimension)] * dimension
    return [*scales, OUTPUT_VARIANCE, NOISE_VARIANCE] + ([FILM_VARIANCE] if film_effect else [])


def log_prior(theta: Array, prior: list[Prior]) -> tuple[float, Array]:
    """Log density of theta up to a constant, and its gradient."""
    mean, sd = np.array([p.mean for p in prior]), np.array([p.sd for p in prior])
    score = (theta - mean) / sd
    return float(-0.5 * score @ score), -score / sd


@dataclass(frozen=True)
class Fit:
    """Where the search of the hyperparameters ended, and what it took."""

    hyperparameters: Hyperparameters
    log_evidence: float
    starts: int
    evaluations: int
    warm: bool
    """Whether the first climb began at an earlier fit."""

    def report(self) -> dict[str, float | int | bool]:
        """All but the hyperparameters, JSON-able."""
        return {k: getattr(self, k) for k in ("log_evidence", "starts", "evaluations", "warm")}


def fit(
    data: Readings,
    *,
    film_effect: bool,
    seed: int,
    starts: int,
    previous: Hyperparameters | None,
    progress: Callable[[str], None],
) -> Fit:
    """Find the hyperparameters of largest evidence times prior.

    Args:
        data: Scaled, standardised readings.
        film_effect: Whether s_b is fitted.
        seed: Seed of the random starts.
        starts: How many climbs in all.
        previous: Where the first climb starts.
        progress: Called at each evaluation.

    Returns:
        The best end of all climbs.

    Raises:
        FitFailed: If no climb ends at a finite value.
    """
    prior = priors(data.x.shape[1], film_effect=film_effect)
    bounds = [(p.lower, p.upper) for p in prior]
    evidence = Evidence(data)

    def objective(theta: Array) -> tuple[float, Array]:
        progress("fit")
        try:
            value, gradient = evidence(theta)
        except FitFailed:
            return INFEASIBLE, np.zeros_like(theta)
        density, slope = log_prior(theta, prior)
        if not (np.isfinite(value) and np.isfinite(gradient).all()):
            return INFEASIBLE, np.zeros_like(theta)
        return -value - density, -gradient - slope

    results = [
        minimize(objective, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 200, "ftol": 1e-8})
        for start in _starts(prior, seed, starts, previous)
    ]
    best = min(results, key=lambda r: float(r.fun))
    if not float(best.fun) < INFEASIBLE:
        raise FitFailed(f"the evidence of {len(data.y)} readings was finite at none of {starts} starts")
    return Fit(
        Hyperparameters.from_theta(best.x, data.x.shape[1]),
        evidence(best.x)[0],
        starts,
        sum(int(r.nfev) for r in results),
        warm=previous is not None,
    )


def _starts(prior: list[Prior], seed: int, count: int, previous: Hyperparameters | None) -> list[Array]:
    """The previous optimum (if any), the prior's mean, then seeded draws near it: `count` in all."""
    mean, sd = np.array([p.mean for p in prior]), np.array([p.sd for p in prior])
    draws = mean + 0.5 * sd * np.random.default_rng(seed).standard_normal((count, len(prior)))
    known = [] if previous is None or len(previous.theta()) != len(prior) else [previous.theta()]
    low, high = np.array([p.lower for p in prior]), np.array([p.upper for p in prior])
    return [np.clip(start, low, high) for start in (*known, mean, *draws)][:count]
