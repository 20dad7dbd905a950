"""Which devices will work: the probability that one at a composition, process and position is alive.

    P_ok(u, t) = Phi(eta),   eta = b + a_x phi(u)^T w_x + a_t phi(t)^T w_t,   w ~ N(0, I)                  (1)

u holds the point in widths of the search space, t the position along the film; phi are the whitened features of
`noise_basis.py`, so that a_x^2 and a_t^2 are prior variances of eta, once from the material and once from the place.
Dead devices are readings of (1), living ones too. With s^2 = a_x^2 + a_t^2 and b = Phi^-1(rate) (1 + s^2)^(1/2), the
probability before any reading is the lab's rate everywhere, and far from all readings it stays so:

    P_ok = Phi( (b + Phi m) / (1 + V)^(1/2) ),      V = s^2 - Phi (I - H^-1) Phi^T                         (2)

m and H^-1 are mean and covariance of w after the devices (Laplace); a_x and a_t are those of a short list that explain
the devices best. Where none explains more than chance they are 0: the rate is then all there is to know.

Source: Rasmussen and Williams 2006, Gaussian Processes for Machine Learning, eq. 3.16, 3.25 and 3.32.
"""

from dataclasses import dataclass, replace
from itertools import product
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtr, ndtri

from models.surrogates.noise_basis import noise_centres, noise_features

Array = NDArray[np.float64]

PRIOR_DEVICES, PRIOR_RATE = 10.0, 0.95
"""The lab's rate before any device: as if ten had been made, of which 95 % work."""
AMPLITUDES = (0.0, 0.5, 1.0, 2.0)
"""Values of a_x and a_t that are tried; their prior is the half of a standard normal."""
PLACES = np.linspace(0.0, 1.0, 5)[:, None]
"""Positions that carry the features of the place."""
NEWTON_STEPS = 50


@dataclass(frozen=True)
class YieldModel:
    """A fitted model of eq. (1). D columns, B features."""

    rate: float
    """Share of devices that work, over all."""
    a_x: float
    a_t: float
    centres: Array
    """Centres of the features of the material, `c x D`."""
    mean: Array
    """m: `B`."""
    gained: Array
    """I - H^-1: `B x B`."""

    @classmethod
    def fit(cls, x: Array, positions: Array, alive: NDArray[np.bool_]) -> Self:
        """Learn from devices that work and devices that do not.

        Args:
            x: `n x D` device points in widths of the search space, n > 0.
            positions: `n` positions along the film; NaN where unknown, and then they say nothing.
            alive: `n`.
        """
        rate = float((alive.sum() + PRIOR_DEVICES * PRIOR_RATE) / (len(alive) + PRIOR_DEVICES))
        centres, side = noise_centres(x), np.where(alive, 1.0, -1.0)
        nothing = np.empty(0)
        tried = [cls(rate, a_x, a_t, centres, nothing, nothing) for a_x, a_t in product(AMPLITUDES, AMPLITUDES)]
        ends = [_laplace(blank.features(x, positions), blank.intercept, side) for blank in tried]
        scores = [end.evidence - 0.5 * blank.variance for blank, end in zip(tried, ends, strict=True)]
        best = int(np.argmax(np.round(scores, 9)))
        gained = np.eye(len(ends[best].mean)) - np.linalg.inv(ends[best].hessian)
        return replace(tried[best], mean=ends[best].mean, gained=gained)

    @property
    def variance(self) -> float:
        """Prior variance s^2 of eta."""
        return self.a_x**2 + self.a_t**2

    @property
    def intercept(self) -> float:
        """The constant b of eta."""
        return float(ndtri(self.rate) * np.sqrt(1.0 + self.variance))

    def features(self, x: Array, positions: Array) -> Array:
        """Phi of eq. (2) at `j` devices, amplitudes included: `j x B`; none of what has amplitude 0."""
        parts = [np.empty((len(x), 0))]
        if self.a_x > 0.0:
            parts.append(self.a_x * noise_features(x, self.centres))
        if self.a_t > 0.0:
            known = ~np.isnan(positions)
            place = noise_features(np.where(known, positions, 0.5)[:, None], PLACES)
            parts.append(self.a_t * np.where(known[:, None], place, 0.0))
        return np.hstack(parts)

    def probability(self, x: Array, positions: Array) -> Array:
        """P_ok of eq. (2) at `j x D` points in widths of the search space with `j` positions (NaN: unknown): `j`."""
        features = self.features(x, positions)
        spread = 1.0 + self.variance - np.einsum("ij,jk,ik->i", features, self.gained, features)
        return np.asarray(ndtr((self.intercept + features @ self.mean) / np.sqrt(spread)))


def devices_seen(
    X: Array, film: NDArray[np.intp], positions: Array, dead: NDArray[np.bool_]
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Rows that stand for one device each, and whether it works: one with several readings counts once.

    Args:
        X: `n x D` device points.
        film: `n` film numbers.
        positions: `n` positions; NaN where unknown.
        dead: `n`: whether the row says that the device is dead.

    Returns:
        `j` row numbers and `j` truths: alive unless any row says dead.
    """
    key = np.column_stack([film, np.where(np.isnan(positions), -1.0, positions), X])
    first, device = np.unique(key, axis=0, return_index=True, return_inverse=True)[1:]
    died = np.bincount(device.reshape(-1), weights=dead) > 0
    return first, ~died


class _Mode(NamedTuple):
    """Where the weights are most probable."""

    mean: Array
    """`B`."""
    hessian: Array
    """`B x B`: minus the second derivative of the log posterior there."""
    evidence: float
    """Log evidence by Laplace's formula."""


def _laplace(features: Array, intercept: float, side: Array) -> _Mode:
    """Climb to the mode by Newton's method: the posterior is log-concave."""
    w = np.zeros(features.shape[1])
    for _ in range(NEWTON_STEPS):
        slope, weight = _slopes(side * (intercept + features @ w))
        hessian = np.eye(len(w)) + (features.T * weight) @ features
        step = np.linalg.solve(hessian, features.T @ (side * slope) - w)
        w = w + step
        if np.abs(step).max(initial=0.0) < 1e-10:
            break
    z = side * (intercept + features @ w)
    hessian = np.eye(len(w)) + (features.T * _slopes(z)[1]) @ features
    evidence = float(log_ndtr(z).sum() - 0.5 * w @ w - 0.5 * np.linalg.slogdet(hessian)[1])
    return _Mode(w, hessian, evidence)


def _slopes(z: Array) -> tuple[Array, Array]:
    """First derivative of log Phi(z), and minus the second."""
    ratio = np.exp(-0.5 * z * z - 0.5 * np.log(2.0 * np.pi) - log_ndtr(z))
    return ratio, ratio * (z + ratio)
