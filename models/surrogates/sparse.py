"""The posterior of many readings through few inducing values: a sparse variational Gaussian process in closed form.

Notation: n readings y with noise covariance D (block diagonal: one film, one block), M inducing values u with prior
covariance K_uu and K_un with what the readings read: f at points among theirs, drift at a few times, the constants of
calibration samples.

    K_uu = R R^T,   A = R^-1 K_un,   B = A D^-1 A^T = V diag(l) V^T,   a = A D^-1 y                        (1)
    mean(x) = k(x, u) T w,          cov(x, x') = k(x, x') - k(x, u) T T^T k(u, x')                         (2)
    T = R^-T V diag(l / (1 + l))^(1/2),         w = diag(l (1 + l))^(-1/2) V^T a                           (3)
    D_f = diag(v_f) + b_f b_f^T,    D_f^-1 = diag(1/v_f) - c_f (b_f/v_f)(b_f/v_f)^T                        (4)

Equations (2) and (3) are the best Gaussian over u, in the same form that an exact posterior has: whoever asks need not
know. (4) is a matrix of rank one away from a diagonal, so n readings cost n M^2 and not n^3.

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
    offset: Array
    """`n` standard deviations b of the offset; 0 where a reading has no part in it."""
    film: NDArray[np.intp]
    """`n` film numbers, 0 to F - 1."""

    def solve(self, rows: Array) -> Array:
        """`rows` (... x n) times D^-1."""
        scaled, pull = rows / self.variance, self.offset / self.variance
        member = csr_array((pull, (np.arange(len(self.film)), self.film)))
        shared = 1.0 / (1.0 + np.bincount(self.film, self.offset * pull))
        drawn: Array = np.asarray(rows @ member) * shared
        return np.asarray(scaled - drawn[..., self.film] * pull)

    def block(self, rows: NDArray[np.intp]) -> Array:
        """D of the readings `rows` of one film, `k x k`."""
        return np.asarray(np.diag(self.variance[rows]) + np.multiply.outer(self.offset[rows], self.offset[rows]))


@dataclass(frozen=True)
class Inducing:
    """What is induced from: the prior of u, of what the readings read, and between the two."""

    within: Array
    """K_uu: `M x M`."""
    across: Array
    """K_un: `M x n`."""
    variance: Array
    """`n` prior variances of what the readings read."""

    def whitened(self) -> tuple[Array, Array]:
        """R (M x M) and A (M x n) of eq. (1)."""
        prior = self.within.copy()
        prior[np.diag_indices_from(prior)] *= 1.0 + JITTER
        root = cholesky(prior)
        return root, solve_triangular(root, self.across, lower=True)


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


def sparse_posterior(inducing: Inducing, y: Array, noise: FilmNoise) -> tuple[Array, Array]:
    """T (M x r) and w (r) of eq. (3), for `n` readings y with noise D."""
    root, across = inducing.whitened()
    solved = noise.solve(across)
    weight, directions = eigh(solved @ across.T)
    kept = weight > INFORMED * max(1.0, float(weight[-1]))
    weight, directions = weight[kept], directions[:, kept]
    project = solve_triangular(root, directions, lower=True, trans="T") * np.sqrt(weight / (1.0 + weight))
    return project, (directions.T @ (solved @ y)) / np.sqrt(weight * (1.0 + weight))


def sparse_solve(inducing: Inducing, columns: Array, noise: FilmNoise) -> Array:
    """Q^-1 times `columns` (n x k), with Q = A^T A + D the covariance of the readings as the inducing values see it."""
    _, W = _inverse_root(inducing, noise)
    return np.asarray(noise.solve(columns.T).T - W.T @ (W @ columns))


def _inverse_root(inducing: Inducing, noise: FilmNoise) -> tuple[Array, Array]:
    """A of eq. (1) and W = (I + B)^(-1/2) A D^-1, `M x n` each: Q^-1 = D^-1 - W^T W."""
    _, across = inducing.whitened()
    solved = noise.solve(across)
    factor = cholesky(np.eye(len(across)) + solved @ across.T)
    return across, solve_triangular(factor, solved, lower=True)


def sparse_leave_film_out(inducing: Inducing, y: Array, noise: FilmNoise) -> tuple[Array, Array]:
    """Predict the readings of each film from those of the others, as `diagnostics.leave_film_out` does, in n M^2.

    The inverse of Q = A^T A + D has the blocks P_ff = D_f^-1 - W_f^T W_f with W = (I + B)^(-1/2) A D^-1. What u leaves
    unexplained of the prior variance is added to each reading's.

    Returns:
        `n` predicted means and `n` predicted standard deviations.
    """
    across, W = _inverse_root(inducing, noise)
    pull = noise.solve(y) - W.T @ (W @ y)
    unexplained = np.maximum(inducing.variance - np.einsum("ij,ij->j", across, across), 0.0)
    mean, sd = np.empty_like(y), np.empty_like(y)
    order = np.argsort(noise.film, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(noise.film[order])) + 1):
        block = np.linalg.inv(np.linalg.inv(noise.block(rows)) - W[:, rows].T @ W[:, rows])
        mean[rows] = y[rows] - block @ pull[rows]
        sd[rows] = np.sqrt(np.diag(block) + unexplained[rows])
    return mean, sd
