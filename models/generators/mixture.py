"""The aggregate posterior of the codes as a mixture of Gaussians, from which new codes are drawn.

With few data the codes of the examples do not fill N(0, I) evenly, and what is decoded from its empty parts is unlike
the data. So the mean over examples of q(z | x_i, c_i) is projected on a mixture: the one that maximises
`Σ_i w_i E_q[log p(z)]`, by expectation maximisation with the posterior variances in every step.

Source: Ghosh et al. 2020, From Variational to Deterministic Autoencoders (arXiv 1903.12436), where this is called
ex-post density estimation.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.special import logsumexp

Array = NDArray[np.float64]

ROUNDS = 60
FLOOR = 1e-4
"""Least variance that is added to each component, in units of the prior."""


@dataclass(frozen=True)
class Mixture:
    """K Gaussians over l dimensions."""

    shares: Array
    """`K`, sum 1."""
    means: Array
    """`K x l`."""
    covariances: Array
    """`K x l x l`."""

    def sample(self, count: int, rng: np.random.Generator) -> Array:
        """Draw `count x l` codes."""
        which = rng.choice(len(self.shares), count, p=self.shares)
        factors, noise = np.linalg.cholesky(self.covariances), rng.standard_normal((count, self.means.shape[1]))
        drawn: Array = self.means[which] + np.einsum("kij,kj->ki", factors[which], noise)
        return drawn

    def log_density(self, mean: Array, variance: Array) -> Array:
        """`log share_k + E_q[log N(z; m_k, S_k)]` for q = N(mean_i, variance_i), `n x K`."""
        columns = []
        for share, centre, covariance in zip(self.shares, self.means, self.covariances, strict=True):
            factor = np.linalg.cholesky(covariance)
            white = solve_triangular(factor, (mean - centre).T, lower=True)
            precision = (solve_triangular(factor, np.eye(len(centre)), lower=True) ** 2).sum(axis=0)
            constant = np.log(share) - np.log(np.diag(factor)).sum() - 0.5 * len(centre) * np.log(2.0 * np.pi)
            columns.append(constant - 0.5 * (white**2).sum(axis=0) - 0.5 * variance @ precision)
        return np.transpose(columns)


def fit_mixture(mean: Array, variance: Array, weights: Array, components: int, rng: np.random.Generator) -> Mixture:
    """Project an aggregate posterior on a mixture.

    Args:
        mean: `n x l` means of q(z | x_i, c_i).
        variance: `n x l` variances.
        weights: `n`, how much each example counts.
        components: K.
        rng: Draws the first centres among the means, far from each other.
    """
    share = weights / weights.sum()
    near = np.argmin(_squares(mean, _spread_out(mean, share, components, rng)), axis=1)
    belonging = np.eye(components)[near]
    for _ in range(ROUNDS):
        mixture = _maximised(mean, variance, share[:, None] * belonging)
        joint = mixture.log_density(mean, variance)
        belonging = np.exp(joint - logsumexp(joint, axis=1, keepdims=True))
    return mixture


def _maximised(mean: Array, variance: Array, belonging: Array) -> Mixture:
    """Shares, means and covariances of the components, from how much each example belongs to each (n x K)."""
    size = np.maximum(belonging.sum(axis=0), 1e-12)
    centres = (belonging.T @ mean) / size[:, None]
    away = mean[:, None] - centres
    scatter = np.einsum("nk,nki,nkj->kij", belonging / size, away, away)
    own = (belonging / size).T @ variance + FLOOR
    return Mixture(size / size.sum(), centres, scatter + np.einsum("ki,ij->kij", own, np.eye(mean.shape[1])))


def _spread_out(mean: Array, share: Array, components: int, rng: np.random.Generator) -> Array:
    """Centres among the means, each drawn with the square of its distance to those before (k-means++)."""
    centres = mean[[rng.choice(len(mean), p=share)]]
    while len(centres) < components:
        chance = share * _squares(mean, centres).min(axis=1)
        chance = chance / chance.sum() if chance.sum() > 0.0 else share
        centres = np.vstack([centres, mean[rng.choice(len(mean), p=chance)]])
    return centres


def _squares(a: Array, b: Array) -> Array:
    squares: Array = ((a[:, None] - b) ** 2).sum(axis=-1)
    return squares
