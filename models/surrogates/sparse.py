"""The posterior of many readings through few inducing values: a sparse variational Gaussian process in closed form.

Notation: n readings y with noise covariance D (block diagonal: one film, one block), M inducing points Z among theirs.

    K_ZZ = R R^T,   A = R^-1 K_Zn,   B = A D^-1 A^T = V diag(l) V^T,   a = A D^-1 y                        (1)
    mean(x) = k(x, Z) T w,          cov(x, x') = k(x, x') - k(x, Z) T T^T k(Z, x')                         (2)
    T = R^-T V diag(l / (1 + l))^(1/2),         w = diag(l (1 + l))^(-1/2) V^T a                           (3)
    D_f = diag(v_f) + s_b^2 1 1^T,  D_f^-1 = diag(1/v_f) - c_f (1/v_f)(1/v_f)^T                            (4)

Equations (2) and (3) are the best Gaussian over the values at Z, in the same form that an exact posterior has: whoever
asks need not know. (4) is a matrix of rank one away from a diagonal, so n readings cost n M^2 and not n^3.

Source: Titsias 2009, Variational learning of inducing variables in sparse Gaussian processes (PMLR 5:567), with D in
the place of s^2 I; the choice of Z: Burt, Rasmussen, van der Wilk 2020, Convergence of sparse variational inference in
Gaussian processes regression (JMLR 21:131).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh, solve_triangular
from scipy.sparse import csr_array

from models.surrogates.evidence import cholesky

Array = NDArray[np.float64]
Covariance = Callable[[Array, Array], Array]
"""Prior covariance of f between two sets of scaled points."""

JITTER = 1e-8
"""Relative to the prior variance, on K_ZZ."""
INFORMED = 1e-10
"""Directions of B that the readings inform by less are left to the prior."""
LOOKED_AT = 4096
"""Readings among which inducing points are sought."""


@dataclass(frozen=True)
class FilmNoise:
    """D of eq. (4): variances of the readings, and an offset that those of one film share."""

    variance: Array
    """`n` variances v."""
    film: NDArray[np.intp]
    """`n` film numbers, 0 to F - 1."""
    film_variance: float
    """s_b^2."""

    def solve(self, rows: Array) -> Array:
        """`rows` (... x n) times D^-1."""
        scaled = rows / self.variance
        if self.film_variance == 0.0:
            return scaled
        member = csr_array((np.ones(len(self.film)), (np.arange(len(self.film)), self.film)))
        precision = np.bincount(self.film, 1.0 / self.variance)
        shared = self.film_variance / (1.0 + self.film_variance * precision)
        drawn: Array = np.asarray(scaled @ member) * shared
        return np.asarray(scaled - drawn[..., self.film] / self.variance)

    def block(self, rows: NDArray[np.intp]) -> Array:
        """D of the readings `rows` of one film, `k x k`."""
        return np.diag(self.variance[rows]) + self.film_variance


@dataclass(frozen=True)
class Sparse:
    """The posterior of eq. (2)."""

    points: Array
    """Z: `M x D`."""
    project: Array
    """T: `M x r`."""
    whitened: Array
    """w: `r`."""


def inducing_points(points: Array, covariance: Covariance, variance: float, most: int) -> Array:
    """Greedily choose the points that leave the least prior variance unexplained, as a pivoted Cholesky factor does.

    Args:
        points: `n x D` scaled points; of more than `LOOKED_AT`, an even share in their order is looked at.
        covariance: Prior covariance of f.
        variance: Its value at a single point.
        most: Largest number of points to choose.

    Returns:
        `M x D`; fewer than `most` where the rest is explained but for rounding.
    """
    z = np.unique(points[np.unique(np.linspace(0, len(points) - 1, min(len(points), LOOKED_AT)).astype(int))], axis=0)
    most = min(most, len(z))
    rows = np.empty((most, len(z)))
    left = np.full(len(z), variance)
    chosen: list[int] = []
    for m in range(most):
        pivot = int(np.argmax(left))
        if left[pivot] < 10.0 * JITTER * variance:
            break
        chosen.append(pivot)
        row = covariance(z[[pivot]], z)[0] - rows[:m, pivot] @ rows[:m]
        rows[m] = row / np.sqrt(left[pivot])
        left = np.maximum(left - rows[m] ** 2, 0.0)
    return z[chosen]


def sparse_posterior(points: Array, readings: tuple[Array, Array], noise: FilmNoise, covariance: Covariance) -> Sparse:
    """Eq. (1) to (3).

    Args:
        points: `M x D` inducing points.
        readings: `n x D` scaled points and `n` values.
        noise: D.
        covariance: Prior covariance of f.
    """
    z, y = readings
    root, across = _whitened(points, z, covariance)
    solved = noise.solve(across)
    weight, directions = eigh(solved @ across.T)
    kept = weight > INFORMED * max(1.0, float(weight[-1]))
    weight, directions = weight[kept], directions[:, kept]
    project = solve_triangular(root, directions, lower=True, trans="T") * np.sqrt(weight / (1.0 + weight))
    whitened = (directions.T @ (solved @ y)) / np.sqrt(weight * (1.0 + weight))
    return Sparse(points, project, whitened)


def sparse_leave_film_out(
    points: Array, readings: tuple[Array, Array], noise: FilmNoise, covariance: Covariance, variance: float
) -> tuple[Array, Array]:
    """Predict the readings of each film from those of the others, as `diagnostics.leave_film_out` does, in n M^2.

    The inverse of Q = A^T A + D has the blocks P_ff = D_f^-1 - W_f^T W_f with W = (I + B)^(-1/2) A D^-1. What the
    inducing points leave unexplained of the prior variance is added to each reading's.

    Returns:
        `n` predicted means and `n` predicted standard deviations.
    """
    z, y = readings
    _, across = _whitened(points, z, covariance)
    solved = noise.solve(across)
    factor = cholesky(np.eye(len(points)) + solved @ across.T)
    W = solve_triangular(factor, solved, lower=True)
    pull = noise.solve(y) - W.T @ (W @ y)
    unexplained = np.maximum(variance - np.einsum("ij,ij->j", across, across), 0.0)
    mean, sd = np.empty_like(y), np.empty_like(y)
    order = np.argsort(noise.film, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(noise.film[order])) + 1):
        block = np.linalg.inv(np.linalg.inv(noise.block(rows)) - W[:, rows].T @ W[:, rows])
        mean[rows] = y[rows] - block @ pull[rows]
        sd[rows] = np.sqrt(np.diag(block) + unexplained[rows])
    return mean, sd


def _whitened(points: Array, z: Array, covariance: Covariance) -> tuple[Array, Array]:
    """R (M x M) and A (M x n) of eq. (1)."""
    prior = covariance(points, points)
    prior[np.diag_indices_from(prior)] *= 1.0 + JITTER
    root = cholesky(prior)
    return root, solve_triangular(root, covariance(points, z), lower=True)
