"""Several equally likely sets of hyperparameters: what few readings leave open about them belongs into every interval.

With m the most probable theta, P P^T the prior's covariance and H the Hessian of -log p(theta | y) at m,

    P^T H P = V diag(e) V^T,     theta_i = m + P V diag(max(e, e_0))^(-1/2) t_i,     t_i ~ Student's t       (1)
    w_i = p(y | theta_i) p(theta_i) / q(theta_i),                                                          (2)

q the density of the draws (1). The sets are drawn by their weights (2) from quasi-random t_i, evenly: the k-th of C
sets is the theta_i at which the sum of the weights passes (k + 1/2) / C. The weights of the log noise stay as fitted.

Source: importance resampling, Rubin 1988, Using the SIR algorithm to simulate posterior distributions; systematic
resampling: Kitagawa 1996; what averaging is worth: Snoek, Larochelle, Adams 2012, Practical Bayesian optimization of
machine learning algorithms (arXiv 1206.2944).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv, ndtri
from scipy.stats import qmc

from models.errors import FitFailed
from models.surrogates.evidence import Evidence, Readings
from models.surrogates.hyperparameters import Hyperparameters, log_prior, prior_covariance

Array = NDArray[np.float64]

MOST_READINGS = 200
"""Beyond, the readings settle the hyperparameters, and an average would cost more than it changes."""
DRAWS = 128
"""Sets that are drawn and weighed; a power of 2, as the quasi-random numbers want it."""
DEGREES = 6.0
"""Degrees of freedom of the t distribution: wider tails than those of the posterior."""
LEAST_CURVATURE = 0.5
"""e_0 of eq. (1), in units of the prior's: no direction is drawn much wider than the prior."""
STEP = 1e-3
"""Of the differences that give H from gradients."""


@dataclass(frozen=True)
class Averaging:
    """How sets of hyperparameters are drawn."""

    count: int
    """Number of sets, C; 1 for none but the most probable one."""
    elements: int
    """Number of leading columns that are fractions."""
    seed: int
    """Seed of the quasi-random numbers."""
    progress: Callable[[str], None]
    """Called at each evaluation of the evidence; may raise to stop."""

    def says_more(self, data: Readings) -> bool:
        """Whether readings leave so much open that several sets say more than one."""
        return self.count > 1 and len(data.y) <= MOST_READINGS

    def __call__(self, data: Readings, found: Hyperparameters) -> tuple[Hyperparameters, ...]:
        """Draw C sets around the most probable one, `found`; all are `found` if none has a finite evidence."""
        posterior = _Posterior(data, found, self.elements, self.progress)
        root = posterior.proposal_root()
        t, log_q = _student(len(root), self.seed)
        theta = posterior.mode + t @ root.T
        weights = np.array([posterior(row)[0] for row in theta]) - log_q
        if not np.isfinite(weights).any():
            return (found,) * self.count
        weights = np.exp(weights - weights.max())
        passed = np.cumsum(weights) / weights.sum()
        chosen = np.searchsorted(passed, (np.arange(self.count) + 0.5) / self.count)
        return tuple(posterior.hyperparameters(theta[k]) for k in np.minimum(chosen, len(theta) - 1))


class _Posterior:
    """Log p(theta | y) up to a constant over all of theta but the weights of the noise."""

    def __init__(self, data: Readings, found: Hyperparameters, elements: int, progress: Callable[[str], None]) -> None:
        layout = found.layout(elements)
        self._evidence, self._layout, self._progress = Evidence(data, layout), layout, progress
        self._prior = layout.priors()
        theta = found.theta()
        split = len(theta) - layout.weights
        self.mode, self._weights = theta[:split], theta[split:]

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

    def proposal_root(self) -> Array:
        """P V diag(max(e, e_0))^(-1/2) of eq. (1)."""
        size = len(self.mode)
        steps = STEP * np.eye(size)
        rows = [(self(self.mode - step)[1] - self(self.mode + step)[1]) / (2.0 * STEP) for step in steps]
        hessian = 0.5 * (np.array(rows) + np.array(rows).T)
        prior = np.linalg.cholesky(prior_covariance(self._prior[:size]))
        curvature, directions = np.linalg.eigh(prior.T @ hessian @ prior)
        return np.asarray(prior @ directions / np.sqrt(np.maximum(curvature, LEAST_CURVATURE)))


def _student(size: int, seed: int) -> tuple[Array, Array]:
    """Quasi-random draws of the multivariate t distribution, `DRAWS x size`, and their log densities but a constant."""
    uniform = qmc.Sobol(size + 1, seed=seed).random(DRAWS)
    inner = np.clip(uniform, 1e-9, 1.0 - 1e-9)
    spread = 2.0 * gammaincinv(0.5 * DEGREES, inner[:, -1]) / DEGREES
    t = ndtri(inner[:, :-1]) / np.sqrt(spread)[:, None]
    return t, -0.5 * (DEGREES + size) * np.log1p((t * t).sum(1) / DEGREES)
