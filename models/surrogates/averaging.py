"""Several equally likely sets of hyperparameters: what few readings leave open about them belongs into every interval.

With m the most probable theta, P P^T the prior's covariance and H the Hessian of -log p(theta | y) at m,

    P^T H P = V diag(e) V^T,     theta_i = m + P V diag(max(e, e_0))^(-1/2) t_i,     t_i ~ Student's t       (1)
    w_i = p(y | theta_i) p(theta_i) / q(theta_i)                                                           (2)

with q the density of the draws. As many come from a t distribution with the moments of the prior, which finds what lies
far from m: lengthscales may be long. From both, weighted by (2), follow the moments of a third t distribution (3), from
which as many come again; q is that of all three together. C sets are taken by weight, evenly: the k-th is the theta_i
at which the sum of the weights passes (k + 1/2) / C. The weights of the log noise stay as fitted.

Source: importance resampling, Rubin 1988, Using the SIR algorithm to simulate posterior distributions; one density for
all draws: Owen and Zhou 2000, Safe and effective importance sampling; even resampling: Kitagawa 1996, Monte Carlo
filter and smoother; what averaging is worth: Snoek, Larochelle, Adams 2012, Practical Bayesian optimization of machine
learning algorithms (arXiv 1206.2944).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv, logsumexp, ndtri
from scipy.stats import qmc

from models.errors import FitFailed
from models.surrogates.evidence import Evidence, Readings
from models.surrogates.hyperparameters import Hyperparameters, Layout, log_prior, prior_covariance

Array = NDArray[np.float64]

MOST_READINGS = 150
"""Beyond, the readings settle the hyperparameters, and an average would cost more than it changes."""
READINGS_TIMES_SETS = 600
"""A decision costs as much more as there are sets: fewer where there are many readings."""
DRAWS = 64
"""Sets that are drawn at a time; a power of 2, as the quasi-random numbers want it."""
DEGREES = 6.0
"""Degrees of freedom of the t distribution: wider tails than those of the posterior."""
LEAST_CURVATURE = 0.5
"""e_0 of eq. (1), in units of the prior's: no direction is drawn much wider than the prior."""
PRIOR_SHARE = 0.02
"""Of the prior's covariance, added to that of eq. (3)."""
STEP = 1e-3
"""Of the differences that give H from gradients."""


def sets_for(readings: int, most: int, own: int | None = None) -> int:
    """How many sets, at most `most`, say so much more than one that they are worth their cost.

    Args:
        readings: All of them: they make the cost.
        most: Wanted.
        own: Those that are no prior data, which settle what prior data are worth; all if not given.
    """
    if (readings if own is None else own) > MOST_READINGS:
        return 1
    return max(1, min(most, READINGS_TIMES_SETS // max(1, readings)))


@dataclass(frozen=True)
class Averaging:
    """How sets of hyperparameters are drawn."""

    count: int
    """Number of sets, C."""
    elements: int
    """Number of leading columns that are fractions."""
    seed: int
    """Seed of the quasi-random numbers."""
    progress: Callable[[str], None]
    """Called at each evaluation of the evidence; may raise to stop."""
    totals: int = 0
    """Number of last columns that are totals of fractions."""

    def __call__(self, data: Readings, found: Hyperparameters) -> tuple[Hyperparameters, ...]:
        """Draw C sets around the most probable one, `found`; all are `found` if none has a finite evidence."""
        posterior = _Posterior(data, found, found.layout(self.elements, self.totals), self.progress)
        first = [_Proposal(posterior.mode, posterior.root()), _Proposal(posterior.prior_mean, posterior.prior_root)]
        theta = np.vstack([proposal.draws(self.seed + k) for k, proposal in enumerate(first)])
        density = posterior.densities(theta)
        if not np.isfinite(density).any():
            return (found,) * self.count
        fitted = _Proposal.fitted(theta, _weights(theta, density, first), posterior.prior_root)
        more = fitted.draws(self.seed + len(first))
        theta, density = np.vstack([theta, more]), np.concatenate([density, posterior.densities(more)])
        passed = np.cumsum(_weights(theta, density, [*first, fitted]))
        chosen = np.searchsorted(passed, (np.arange(self.count) + 0.5) / self.count)
        return tuple(posterior.hyperparameters(theta[k]) for k in np.minimum(chosen, len(theta) - 1))


@dataclass(frozen=True)
class _Proposal:
    """The t distribution of eq. (1) or (3)."""

    centre: Array
    """`p`."""
    root: Array
    """`p x p` root of its spread."""

    @classmethod
    def fitted(cls, theta: Array, weights: Array, prior_root: Array) -> Self:
        """Eq. (3): with the moments of weighted draws (S x p), and a share of the prior's covariance."""
        centre = np.asarray(weights @ theta)
        away = theta - centre
        covariance = (away.T * weights) @ away + PRIOR_SHARE * prior_root @ prior_root.T
        return cls(centre, np.asarray(np.linalg.cholesky(covariance)))

    def draws(self, seed: int) -> Array:
        """Quasi-random draws, `DRAWS x p`."""
        uniform = qmc.Sobol(len(self.centre) + 1, seed=seed).random(DRAWS)
        inner = np.clip(uniform, 1e-9, 1.0 - 1e-9)
        spread = 2.0 * gammaincinv(0.5 * DEGREES, inner[:, -1]) / DEGREES
        return np.asarray(self.centre + ndtri(inner[:, :-1]) / np.sqrt(spread)[:, None] @ self.root.T)

    def density(self, theta: Array) -> Array:
        """Log density at `S x p`, up to a constant."""
        t = np.linalg.solve(self.root, (theta - self.centre).T)
        size = len(self.centre)
        tail = 0.5 * (DEGREES + size) * np.log1p((t * t).sum(0) / DEGREES)
        return np.asarray(-tail - np.linalg.slogdet(self.root)[1])


def _weights(theta: Array, density: Array, proposals: Sequence[_Proposal]) -> Array:
    """Eq. (2) with sum 1, for draws (S x p) of posterior density `density` (S) that all `proposals` made together."""
    proposed = logsumexp([proposal.density(theta) for proposal in proposals], axis=0)
    logarithms = density - proposed
    weights = np.exp(logarithms - logarithms.max())
    return np.asarray(weights / weights.sum())


class _Posterior:
    """Log p(theta | y) up to a constant over all of theta but the weights of the noise."""

    def __init__(self, data: Readings, found: Hyperparameters, layout: Layout, progress: Callable[[str], None]) -> None:
        self._evidence, self._layout, self._progress = Evidence(data, layout), layout, progress
        self._prior = layout.priors()
        theta = found.theta()
        split = len(theta) - layout.weights
        self.mode, self._weights = theta[:split], theta[split:]
        self.prior_mean = np.array([p.mean for p in self._prior[:split]])
        self.prior_root = np.asarray(np.linalg.cholesky(prior_covariance(self._prior[:split])))

    def __call__(self, theta: Array) -> tuple[float, Array]:
        """Value and gradient; minus infinity where the covariance has no Cholesky factor."""
        self._progress("average")
        whole = np.concatenate([theta, self._weights])
        density, slope = log_prior(whole, self._prior)
        try:
            value, gradient = self._evidence(whole)
        except FitFailed:
            return -np.inf, np.zeros_like(theta)
        total = value + density
        return total if np.isfinite(total) else -np.inf, (gradient + slope)[: len(theta)]

    def hyperparameters(self, theta: Array) -> Hyperparameters:
        """The set at theta."""
        return self._layout.hyperparameters(np.concatenate([theta, self._weights]))

    def densities(self, theta: Array) -> Array:
        """Values at `S x p`."""
        return np.array([self(row)[0] for row in theta])

    def root(self) -> Array:
        """P V diag(max(e, e_0))^(-1/2) of eq. (1)."""
        size = len(self.mode)
        steps = STEP * np.eye(size)
        rows = [(self(self.mode - step)[1] - self(self.mode + step)[1]) / (2.0 * STEP) for step in steps]
        hessian = 0.5 * (np.array(rows) + np.array(rows).T)
        curvature, directions = np.linalg.eigh(self.prior_root.T @ hessian @ self.prior_root)
        return np.asarray(self.prior_root @ directions / np.sqrt(np.maximum(curvature, LEAST_CURVATURE)))
