"""A Gaussian process with film effect by dense algebra in numpy, to which readings can be added: what an oracle asks.

Nothing here comes from the models: the kernel is written out, every posterior is a solve of the whole system.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.distance import cdist

CONSTANT = 1.0
"""Prior variance of the unknown constant mean."""


@dataclass(frozen=True)
class DenseProcess:
    """In standardised units; `X` in widths of the search space."""

    X: np.ndarray
    y: np.ndarray
    film: np.ndarray
    lengthscale: float
    output: float
    noise: float
    film_variance: float

    @classmethod
    def of(cls, model, *, lengthscale, output, noise, film):
        """With the readings of a model, and the beliefs that it was given."""
        state = model.state
        y = (state.Y[:, 0] - state.centre[0]) / state.scale[0]
        return cls((state.X - state.lower) / state.width, y, state.film, lengthscale, output, noise, film)

    def prior(self, A, B):
        s = np.sqrt(5.0) * cdist(A, B) / self.lengthscale
        return self.output * (1.0 + s + s**2 / 3.0) * np.exp(-s) + CONSTANT

    def posterior(self, P):
        """Mean and covariance of f at P."""
        same = self.film[:, None] == self.film
        K = self.prior(self.X, self.X) + self.film_variance * same + self.noise * np.eye(len(self.X))
        across = self.prior(P, self.X)
        solved = np.linalg.solve(K, np.column_stack([self.y, across.T]))
        return across @ solved[:, 0], self.prior(P, P) - across @ solved[:, 1:]

    def readings(self, P):
        """Mean and covariance of the readings of one new film at P."""
        mean, covariance = self.posterior(P)
        return mean, covariance + self.film_variance + self.noise * np.eye(len(P))

    def after(self, P, y):
        """The same with one more film, read at P."""
        film = np.append(self.film, np.full(len(P), self.film.max() + 1))
        return replace(self, X=np.vstack([self.X, P]), y=np.append(self.y, y), film=film)

    def after_mean(self, P):
        """The same with one more film whose readings are what is expected."""
        return self.after(P, self.posterior(P)[0])


def draws(mean, covariance, count, seed):
    """`count x n` plain random draws."""
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    return mean + np.random.default_rng(seed).standard_normal((count, len(mean))) @ root.T


def mean_and_error(samples):
    """Mean of samples and its standard error."""
    return samples.mean(), samples.std() / np.sqrt(len(samples))
