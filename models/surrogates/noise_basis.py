"""Where a reading is noisy: features of its composition, process and position that carry the log of its variance.

    log m(u) = log sigma^2 + tau phi(u)^T w,      phi(u) = L^-1 k(C, u),      L L^T = k(C, C)              (1)

u holds the point in widths of the search space and the position along the film, C a few centres among the readings, k
the squared exponential. With w ~ N(0, I) the log noise is a Gaussian process whose variance is tau^2 at the centres;
far from all readings phi vanishes and the noise is sigma^2.

Source: the subset of regressors, Rasmussen and Williams 2006, section 8.3.1; a Gaussian process of the log noise:
Goldberg, Williams, Bishop 1998, Regression with input-dependent noise (NIPS 10).
"""

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

Array = NDArray[np.float64]

MOST_CENTRES = 16
"""Features of the noise: it varies slowly, or it cannot be told from chance."""
REACH = 0.35
"""Lengthscale of k, over the square root of the number of columns."""
EXPLAINED = 0.1
"""Centres are added until none of the readings leaves more than this share of the variance unexplained."""
JITTER = 1e-8
"""On k(C, C)."""
MIDDLE = 0.5
"""Stands for a position that is not known."""


def noise_points(x: Array, positions: Array | None = None) -> Array:
    """U of eq. (1), `j x (D + 1)`: points in widths of the search space, and positions where they are known."""
    where = np.full(len(x), MIDDLE) if positions is None else np.where(np.isnan(positions), MIDDLE, positions)
    return np.column_stack([x, where])


def noise_features(u: Array, centres: Array) -> Array:
    """Phi of eq. (1) at `j x (D + 1)` points: `j x B`."""
    return np.asarray(solve_triangular(centre_factor(centres), _correlation(centres, u), lower=True).T)


def centre_factor(centres: Array) -> Array:
    """L of eq. (1), `B x B`."""
    return np.asarray(np.linalg.cholesky(_correlation(centres, centres) + JITTER * np.eye(len(centres))))


def carried_weights(weights: Array, old: Array, new: Array) -> Array:
    """Weights at new centres (B' x (D + 1)) that say there what the old ones (B) say of the log noise: `B'`."""
    return np.asarray(solve_triangular(centre_factor(new), noise_features(new, old) @ weights, lower=True))


def mean_noise(features: Array, spread: float, weights: Array, doubt: Array) -> Array:
    """Expected factor of sigma^2 where the weights are normal: the mean of a log-normal is not that of the logarithm.

    Args:
        features: `j x B` features.
        spread: tau.
        weights: `B` means of the weights.
        doubt: `B x B` their covariance.

    Returns:
        `j` factors; what the centres cannot explain is left to the prior.
    """
    own = np.einsum("ij,jk,ik->i", features, doubt, features)
    rest = np.maximum(1.0 - np.einsum("ij,ij->i", features, features), 0.0)
    return np.asarray(np.exp(spread * (features @ weights) + 0.5 * spread**2 * (own + rest)))


def noise_centres(u: Array) -> Array:
    """Choose C greedily among `j x (D + 1)` points: each time the one that the others explain least; `B x (D + 1)`."""
    u = np.unique(u, axis=0)
    rows = np.empty((min(MOST_CENTRES, len(u)), len(u)))
    left = np.ones(len(u))
    chosen: list[int] = []
    for b in range(len(rows)):
        pivot = int(np.argmax(left))
        if left[pivot] < EXPLAINED:
            break
        chosen.append(pivot)
        rows[b] = (_correlation(u[[pivot]], u)[0] - rows[:b, pivot] @ rows[:b]) / np.sqrt(left[pivot])
        left = np.maximum(left - rows[b] ** 2, 0.0)
    return u[chosen]


def correlation_scale(columns: int) -> float:
    """How fast the logarithm of k falls with the squared distance."""
    return 0.5 / (REACH**2 * columns)


def _correlation(u1: Array, u2: Array) -> Array:
    """K of eq. (1)."""
    squared = ((u1[:, None] - u2) ** 2).sum(-1)
    return np.asarray(np.exp(-correlation_scale(u1.shape[1]) * squared))
