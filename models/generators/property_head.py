"""What a generator itself expects of a composition: one Gaussian process per property over fractions and descriptors.

A composition is described by its fractions, by the mean and the spread of its elements' features, and by the process.
Two compositions of different elements may thus be alike. Small on purpose: it only weighs draws, the decision about a
film is the surrogate's.

    k(u, v) = s² Matérn-5/2( |Δx| / l_x  ⊕  |Δ descriptors| / l_f  ⊕  |Δ process| / l_p ),   y ~ N(m, K + σ² I)
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, solve_triangular
from scipy.optimize import minimize

Array = NDArray[np.float64]

START = np.log([0.6, 2.0, 1.0, 1.0, 0.3])
"""l_x in fractions, l_f in standardised features, l_p in the unit cube, s and σ in sd of the property."""
SPREAD = np.array([1.0, 1.0, 1.0, 0.5, 1.0])
"""Standard deviations of the normal priors of the logarithms about `START`."""
MOST_FITTED = 400
"""Examples to which hyperparameters are fitted; more are drawn by seed. The process is conditioned on all."""
FEWEST = 5
"""Values of a property below which nothing is expected."""
CHUNK = 4096
"""Compositions that are predicted at once."""


class Expected(NamedTuple):
    """Normal distribution of the latent property, point by point."""

    mean: Array
    """`j x m`, NaN where nothing is known of a property."""
    sd: Array
    """`j x m`."""


@dataclass(frozen=True)
class _Process:
    """The fitted process of one property."""

    theta: Array
    inputs: Array
    factor: Array
    weights: Array
    centre: float
    scale: float


class PropertyHead:
    """Independent processes, one per property."""

    def __init__(self, features: Array, X: Array, Y: Array, P: Array, theta: Array) -> None:
        """Condition on examples with given hyperparameters.

        Args:
            features: `d x F` of the elements.
            X: `n x d` fractions.
            Y: `n x m` values, NaN where unknown.
            P: `n x p` process columns; a missing one counts as the middle.
            theta: `m x 5` logarithms of the hyperparameters.
        """
        self.X, self.Y, self.P, self.theta = X, Y, P, theta
        self._features = features
        self._widths = (X.shape[1], 2 * features.shape[1], P.shape[1])
        inputs = self._inputs(X, P)
        self._processes = [self._conditioned(theta[k], inputs, Y[:, k]) for k in range(Y.shape[1])]

    @classmethod
    def fit(cls, features: Array, X: Array, Y: Array, P: Array, *, seed: int) -> "PropertyHead":
        """Choose the hyperparameters of highest posterior density, property by property."""
        theta = np.tile(START, (Y.shape[1], 1))
        unfitted = cls(features, X, np.full(Y.shape, np.nan), P, theta)
        inputs = unfitted._inputs(X, P)
        for k in range(Y.shape[1]):
            known = np.random.default_rng([seed, k]).permutation(np.flatnonzero(np.isfinite(Y[:, k])))
            some = np.sort(known[:MOST_FITTED])
            if len(some) >= FEWEST:
                theta[k] = _fitted(unfitted._widths, inputs[some], _standardised(Y[some, k])[0])
        return cls(features, X, Y, P, theta)

    def expect(self, X: Array, P: Array) -> Expected:
        """Mean and sd of the latent properties at `j x d` compositions and `j x p` process columns."""
        expected = Expected(*np.full((2, len(X), len(self._processes)), np.nan))
        inputs = self._inputs(X, P)
        for first in range(0, len(X), CHUNK):
            part = slice(first, first + CHUNK)
            for k, process in enumerate(self._processes):
                if process is not None:
                    expected.mean[part, k], expected.sd[part, k] = self._posterior(process, inputs[part])
        return expected

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Examples and hyperparameters; the rest follows from them."""
        return {"X": self.X, "Y": self.Y, "P": self.P, "theta": self.theta}

    def _inputs(self, X: Array, P: Array) -> Array:
        """Fractions, means and spreads of the features, process: `j x (d + 2F + p)`."""
        mean = X @ self._features
        spread = np.sqrt(np.maximum(X @ self._features**2 - mean**2, 0.0))
        return np.hstack([X, mean, spread, np.where(np.isfinite(P), P, 0.5)])

    def _conditioned(self, theta: Array, inputs: Array, y: Array) -> _Process | None:
        known = np.isfinite(y)
        if known.sum() < FEWEST:
            return None
        standard, centre, scale = _standardised(y[known])
        factor = np.asarray(np.linalg.cholesky(_covariance(self._widths, theta, inputs[known])), dtype=np.float64)
        return _Process(theta, inputs[known], factor, cho_solve((factor, True), standard), centre, scale)

    def _posterior(self, process: _Process, inputs: Array) -> tuple[Array, Array]:
        cross = _kernel(self._widths, process.theta, inputs, process.inputs)
        solved = solve_triangular(process.factor, cross.T, lower=True)
        variance = np.maximum(np.exp(2.0 * process.theta[3]) - (solved**2).sum(axis=0), 1e-12)
        return process.centre + process.scale * (cross @ process.weights), process.scale * np.sqrt(variance)


def _standardised(y: Array) -> tuple[Array, float, float]:
    centre, scale = float(y.mean()), float(y.std()) or 1.0
    return (y - centre) / scale, centre, scale


def _kernel(widths: tuple[int, int, int], theta: Array, u: Array, v: Array) -> Array:
    """Matérn-5/2 between `j x D` and `n x D` inputs, `j x n`."""
    scales = np.repeat(np.exp(theta[:3]), widths)
    a, b = u / scales, v / scales
    squared = np.maximum((a**2).sum(1)[:, None] + (b**2).sum(1) - 2.0 * a @ b.T, 0.0)
    r = np.sqrt(5.0 * squared)
    kernel: Array = np.exp(2.0 * theta[3]) * (1.0 + r + r**2 / 3.0) * np.exp(-r)
    return kernel


def _covariance(widths: tuple[int, int, int], theta: Array, inputs: Array) -> Array:
    noise = np.exp(2.0 * theta[4]) + 1e-8
    return np.asarray(_kernel(widths, theta, inputs, inputs) + noise * np.eye(len(inputs)))


def _fitted(widths: tuple[int, int, int], inputs: Array, y: Array) -> Array:
    """Hyperparameters of highest posterior density, five logarithms."""

    def loss(theta: Array) -> float:
        factor = np.linalg.cholesky(_covariance(widths, theta, inputs))
        white = solve_triangular(factor, y, lower=True)
        prior = (((theta - START) / SPREAD) ** 2).sum()
        return float(0.5 * white @ white + np.log(np.diag(factor)).sum() + 0.5 * prior)

    # Five numbers: differences cost six small factorisations, less than a second gradient to keep right.
    found = minimize(loss, START, method="L-BFGS-B", bounds=[(t - 4.0, t + 3.0) for t in START])
    return np.asarray(found.x)
