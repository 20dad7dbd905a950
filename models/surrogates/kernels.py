"""The Matern-5/2 kernel in NumPy: for fitting, and for predicting where torch is not loaded.

Notation: z = (x - lower) / width / lengthscale is a scaled point, r = |z - z'|, u = sqrt(5) r.

    k(r)  = (1 + u + u^2 / 3) exp(-u)                                                              (1)
    dk/dz = -g (z - z'),                        g = (5 / 3) (1 + u) exp(-u)                        (2)
    dk/d(log lengthscale_j) = g (z_j - z'_j)^2                                                     (3)

Source: Rasmussen and Williams 2006, Gaussian Processes for Machine Learning, eq. 4.17; (2) and (3) follow by the chain
rule with dk/dr = -g r. Both are finite at r = 0, where differentiating sqrt(r^2) is not.

Chosen over the squared exponential by measurement on two real landscapes (3 to 20 films, offsets of 0 to 0.6 sd, 288
data sets): held-out films are predicted as well or better (mean log density 0.015 higher), and f itself much better
where films are few and far between (0.1 to 1.3 higher), because the smoother kernel is too sure between films.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def matern52(z: Array, space: Array | None = None) -> tuple[Array, Array]:
    """Matern-5/2 correlation of scaled points with themselves.

    Args:
        z: `n x D` points divided by their lengthscales.
        space: `3 x n x n` scratch memory that holds the answer afterwards. A fit asks a hundred times, and fresh
            memory costs more than the arithmetic.

    Returns:
        `n x n` correlations k of eq. (1), and `n x n` factors g of eq. (2).
    """
    u, g, part = np.empty((3, len(z), len(z))) if space is None else space
    square = np.einsum("ij,ij->i", z, z)
    np.matmul(z, z.T, out=u)
    u *= -2.0
    u += square[:, None]
    u += square
    np.maximum(u, 0.0, out=u)
    np.fill_diagonal(u, 0.0)
    u *= 5.0
    np.sqrt(u, out=u)
    decay = np.exp(np.negative(u, out=g), out=g)
    np.multiply(np.add(u, 1.0, out=part), decay, out=part)
    u *= u
    u *= decay
    u /= 3.0
    u += part
    np.multiply(part, 5.0 / 3.0, out=g)
    return u, g


def matern52_across(z1: Array, z2: Array) -> Array:
    """Matern-5/2 correlation between two sets of scaled points.

    Args:
        z1: `q x D` points divided by their lengthscales.
        z2: `r x D` points divided by their lengthscales.

    Returns:
        `q x r` correlations, eq. (1).
    """
    u = _distance_across(z1, z2)
    correlation: Array = (1.0 + u + u * u / 3.0) * np.exp(-u)
    return correlation


def matern52_slope(z1: Array, z2: Array) -> Array:
    """Factors g of eq. (2) between two sets of scaled points, `q x r`; arguments as in `matern52_across`."""
    u = _distance_across(z1, z2)
    slope: Array = (5.0 / 3.0) * (1.0 + u) * np.exp(-u)
    return slope


def _distance_across(z1: Array, z2: Array) -> Array:
    """U of eq. (1), `q x r`."""
    squared = (z1 * z1).sum(1)[:, None] + (z2 * z2).sum(1) - 2.0 * (z1 @ z2.T)
    distance: Array = np.sqrt(5.0 * np.maximum(squared, 0.0))
    return distance


def lengthscale_gradient(z: Array, weights: Array) -> Array:
    """Sum over pairs of `weights_ab (z_aj - z_bj)^2` for each column j, by one matrix product.

    Args:
        z: `n x D` points divided by their lengthscales.
        weights: `n x n`, symmetric; the factor g of eq. (3) times the derivative of a function by each correlation.

    Returns:
        `D` derivatives of that function by the log lengthscales.
    """
    # sum_ab W_ab (z_a - z_b)^2 = 2 (sum_a w_a z_a^2 - z^T W z), w the row sums of a symmetric W.
    result: Array = 2.0 * (weights.sum(1) @ (z * z) - np.einsum("ij,ij->j", z, weights @ z))
    return result
