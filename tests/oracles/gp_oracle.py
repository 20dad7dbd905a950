"""The Gaussian process with film effect by explicit dense algebra, independent of the code it judges.

Nothing is integrated out in advance: f at every point and b of every film are unknowns of one Gaussian vector u with
prior covariance C, readings are y = H u + noise, and the posterior is the textbook formula with explicit inverses.
"""

from dataclasses import dataclass, field

import numpy as np


@dataclass
class DenseFilmGP:
    """Everything in standardised units; `x` are points in widths of the search space."""

    x: np.ndarray
    y: np.ndarray
    noise: np.ndarray
    film: np.ndarray
    lengthscales: np.ndarray
    output_variance: float
    film_variance: float
    constant_variance: float
    films: list = field(init=False)

    def __post_init__(self):
        self.films = sorted(set(self.film.tolist()))

    def kernel(self, a, b):
        """Prior covariance of f between two single points, written as in the textbook."""
        r = np.sqrt(sum(((u - v) / scale) ** 2 for u, v, scale in zip(a, b, self.lengthscales, strict=True)))
        s = np.sqrt(5.0) * r
        return self.constant_variance + self.output_variance * (1.0 + s + 5.0 * r**2 / 3.0) * np.exp(-s)

    def prior(self, points):
        """Covariance of (f at `points`, b of each film)."""
        n, count = len(points), len(self.films)
        C = np.zeros((n + count, n + count))
        for i in range(n):
            for j in range(n):
                C[i, j] = self.kernel(points[i], points[j])
        for k in range(count):
            C[n + k, n + k] = self.film_variance
        return C

    def design(self, extra=0):
        """H: each reading is f at its point (after `extra` other points) plus b of its film."""
        n = len(self.y)
        H = np.zeros((n, extra + n + len(self.films)))
        for i in range(n):
            H[i, extra + i] = 1.0
            H[i, extra + n + self.films.index(self.film[i])] = 1.0
        return H

    def reading_covariance(self):
        H = self.design()
        return H @ self.prior(self.x) @ H.T + np.diag(self.noise)

    def posterior(self, points):
        """Mean and covariance of f (b = 0) at `points`."""
        C, H = self.prior(np.vstack([points, self.x])), self.design(extra=len(points))
        gain = C @ H.T @ np.linalg.inv(H @ C @ H.T + np.diag(self.noise))
        q = len(points)
        return (gain @ self.y)[:q], (C - gain @ H @ C)[:q, :q]

    def log_evidence(self):
        """Log density of the readings by eigenvalues, not by Cholesky."""
        values, vectors = np.linalg.eigh(self.reading_covariance())
        white = (vectors.T @ self.y) / np.sqrt(values)
        return -0.5 * (white @ white + np.log(values).sum() + len(self.y) * np.log(2.0 * np.pi))

    def without_film(self, number):
        """Mean and sd of the readings of one film from all others, by doing it again without them."""
        out = self.film == number
        K = self.reading_covariance()
        inverse = np.linalg.inv(K[~out][:, ~out])
        across = K[out][:, ~out]
        mean = across @ inverse @ self.y[~out]
        return mean, np.sqrt(np.diag(K[out][:, out] - across @ inverse @ across.T))
