"""The Gaussian process with film effect by explicit dense algebra, independent of the code it judges.

Nothing is integrated out in advance: f at every point, b of every film, the drift at every reading and the constant of
every calibration sample are unknowns of one Gaussian vector u with prior covariance C. Readings are y = H u + noise.
The posterior is the textbook formula with explicit inverses.
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
    time: np.ndarray = None
    drift_variance: float = 0.0
    drift_time: float = 1.0
    sample: np.ndarray = None
    """Number of the calibration sample that a reading is of, -1 for a material."""
    sample_variance: float = 0.0
    films: list = field(init=False)
    samples: list = field(init=False)

    def __post_init__(self):
        n = len(self.y)
        self.time = np.zeros(n) if self.time is None else self.time
        self.sample = np.full(n, -1) if self.sample is None else self.sample
        self.films = sorted({f for f, s in zip(self.film.tolist(), self.sample.tolist(), strict=True) if s < 0})
        self.samples = sorted({s for s in self.sample.tolist() if s >= 0})

    def kernel(self, a, b):
        """Prior covariance of f between two single points, written as in the textbook."""
        r = np.sqrt(sum(((u - v) / scale) ** 2 for u, v, scale in zip(a, b, self.lengthscales, strict=True)))
        s = np.sqrt(5.0) * r
        return self.constant_variance + self.output_variance * (1.0 + s + 5.0 * r**2 / 3.0) * np.exp(-s)

    def drift(self, s, t):
        """Covariance of an Ornstein-Uhlenbeck process at two times, given that it is 0 at time 0."""
        times = np.array([s, t, 0.0])
        free = np.exp(-np.abs(times[:, None] - times) / self.drift_time)
        return self.drift_variance * (free[0, 1] - free[0, 2] * free[2, 1] / free[2, 2])

    def prior(self, points):
        """Covariance of (f at `points`, b of each film, constant of each sample, drift at each reading)."""
        n, films, samples, readings = len(points), len(self.films), len(self.samples), len(self.y)
        C = np.zeros((n + films + samples + readings,) * 2)
        for i in range(n):
            for j in range(n):
                C[i, j] = self.kernel(points[i], points[j])
        for k in range(films):
            C[n + k, n + k] = self.film_variance
        for k in range(n + films, n + films + samples):
            C[k, k] = self.sample_variance
        first = n + films + samples
        for i in range(readings):
            for j in range(readings):
                C[first + i, first + j] = self.drift(self.time[i], self.time[j])
        return C

    def design(self, extra=0):
        """H: a reading is f at its point (after `extra` other points) and b of its film, or its sample, and drift."""
        n = len(self.y)
        films, samples = extra + n, extra + n + len(self.films)
        H = np.zeros((n, samples + len(self.samples) + n))
        for i in range(n):
            if self.sample[i] >= 0:
                H[i, samples + self.samples.index(self.sample[i])] = 1.0
            else:
                H[i, extra + i] = 1.0
                H[i, films + self.films.index(self.film[i])] = 1.0
            H[i, samples + len(self.samples) + i] = 1.0
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
