"""Where a reading is noisy: features of its composition, process and position that carry the log of its variance.

    log m(x, t) = log sigma^2 + tau ((1 - a)^(1/2) phi_C(x)^T w_x + a^(1/2) phi_P(t)^T w_t)                (1)
    phi_C(u) = L^-1 k(C, u),      L L^T = k(C, C)                                                          (2)

x is the point in widths of the search space, t the position along the film, C a few centres among the readings, P a few
positions, k the squared exponential. What makes devices at the edge of a film noisy is no matter of what they are made
of, so (1) is a sum. With w ~ N(0, I) the log noise is a Gaussian process whose variance is tau^2 at the centres; far
from all readings phi_C vanishes.

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
PLACES = np.linspace(0.0, 1.0, 5)[:, None]
"""P of eq. (1)."""
PLACE_SHARE = 0.3
"""a of eq. (1)."""


def reading_features(x: Array, centres: Array, positions: Array | None = None) -> Array:
    """Features of readings: what multiplies tau (w_x, w_t) in eq. (1).

    Args:
        x: `j x D` points in widths of the search space.
        centres: C, `B x D`.
        positions: `j` positions, NaN where unknown: such a reading has the mean features of P. None: all unknown.

    Returns:
        `j x (B + P)`.
    """
    t = np.full(len(x), np.nan) if positions is None else positions
    known = ~np.isnan(t)[:, None]
    place = np.where(known, noise_features(np.nan_to_num(t)[:, None], PLACES), typical_place())
    return np.hstack([(1.0 - PLACE_SHARE) ** 0.5 * noise_features(x, centres), PLACE_SHARE**0.5 * place])


def typical_place() -> Array:
    """Features of a position that is not known, `P`."""
    return np.asarray(noise_features(PLACES, PLACES).mean(0))


def noise_features(u: Array, centres: Array) -> Array:
    """Eq. (2) at `j x D` points: `j x B`."""
    return np.asarray(solve_triangular(centre_factor(centres), _correlation(centres, u), lower=True).T)


def centre_factor(centres: Array) -> Array:
    """L of eq. (2), `B x B`."""
    return np.asarray(np.linalg.cholesky(_correlation(centres, centres) + JITTER * np.eye(len(centres))))


def carried_weights(weights: Array, old: Array, new: Array) -> Array:
    """Weights for new centres (B' x D) that say there what the old ones (B + P) say of the log noise: `B' + P`."""
    material = solve_triangular(centre_factor(new), noise_features(new, old) @ weights[: len(old)], lower=True)
    return np.concatenate([material, weights[len(old) :]])


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
    """Choose C greedily among `j x D` points: each time the one that the others explain least; `B x D`."""
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
    """The squared exponential k of eq. (2)."""
    squared = ((u1[:, None] - u2) ** 2).sum(-1)
    return np.asarray(np.exp(-correlation_scale(u1.shape[1]) * squared))
