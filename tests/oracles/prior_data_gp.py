"""f, the offset and the discrepancy of each source, and the offset of each film as unknowns of one Gaussian vector.

Nothing is integrated out in advance and no kernel of the models is used: y = H u + noise with explicit H, and the
posterior of u by the textbook formula.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist


@dataclass(frozen=True)
class DensePriorDataGP:
    """In standardised units; `x` in widths of the search space; `source` is -1 of own readings."""

    x: np.ndarray
    y: np.ndarray
    noise: np.ndarray
    film: np.ndarray
    source: np.ndarray
    lengthscales: np.ndarray
    output: float
    constant: float
    film_variance: float
    offset: float
    discrepancies: np.ndarray

    def unit(self, a, b):
        r = np.sqrt(5.0) * cdist(a / self.lengthscales, b / self.lengthscales)
        return (1.0 + r + r**2 / 3.0) * np.exp(-r)

    def unknowns(self, probe):
        """Prior covariance C of u = (f at readings and probe, o_s, d_s at readings, b) and H."""
        n, points = len(self.y), np.vstack([self.x, probe])
        films, sources = np.unique(self.film), len(self.discrepancies)
        sizes = [len(points), sources, sources * n, len(films)]
        starts = np.concatenate([[0], np.cumsum(sizes)])
        C, H = np.zeros((starts[-1],) * 2), np.zeros((n, starts[-1]))
        C[: len(points), : len(points)] = self.output * self.unit(points, points) + self.constant
        H[:, :n] = np.eye(n)
        for s in range(sources):
            of = self.source == s
            C[starts[1] + s, starts[1] + s] = self.offset
            H[of, starts[1] + s] = 1.0
            at = slice(starts[2] + s * n, starts[2] + (s + 1) * n)
            C[at, at] = self.discrepancies[s] * self.unit(self.x, self.x)
            H[:, at] = np.diag(of.astype(float))
        for k, film in enumerate(films):
            C[starts[3] + k, starts[3] + k] = self.film_variance
            H[self.film == film, starts[3] + k] = 1.0
        return C, H, starts

    def covariance(self):
        """Of the readings."""
        C, H, _ = self.unknowns(self.x[:0])
        return H @ C @ H.T + np.diag(self.noise)

    def log_evidence(self):
        K = self.covariance()
        return -0.5 * (self.y @ np.linalg.inv(K) @ self.y + np.linalg.slogdet(2.0 * np.pi * K)[1])

    def posterior(self, probe):
        """Mean and covariance of f at the probe, then mean and variance of the offset of each source."""
        C, H, starts = self.unknowns(probe)
        gain = C @ H.T @ np.linalg.inv(H @ C @ H.T + np.diag(self.noise))
        mean, covariance = gain @ self.y, C - gain @ H @ C
        at, o = slice(len(self.y), starts[1]), slice(starts[1], starts[2])
        return mean[at], covariance[at, at], mean[o], np.diag(covariance)[o]
