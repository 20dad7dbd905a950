"""The variance of a reading at any device point, in torch: for acquisitions that ask what a film would tell."""

from collections.abc import Callable

import torch
from torch import Tensor

from models.surrogates.conditioned import Conditioned
from models.surrogates.film_gp_state import FilmGPState
from models.surrogates.hyperparameters import Hyperparameters
from models.surrogates.noise_basis import PLACE_SHARE, PLACES, Array, centre_factor, correlation_scale, typical_place
from models.surrogates.torch_kernels import with_totals
from models.tensors import to_tensor

NEAREST = 1e-20
"""Least squared distance, 5 r^2: the square root has no slope at 0."""
Variance = Callable[[Tensor, Tensor | None], Tensor]


def reading_variance(state: FilmGPState, column: int, h: Hyperparameters) -> Variance:
    """Variance of one reading, standardised, as a function of device points and positions.

    `noise_basis.mean_noise`, differentiable in the points.

    Args:
        state: Whose centres the noise features have.
        column: Number of the objective.
        h: Hyperparameters of the objective.

    Returns:
        A function of `... x q x (d + p)` points and `q` positions (or None): `... x q` variances.
    """
    if h.noise_spread == 0.0:
        return lambda X, _positions: torch.full(X.shape[:-1], h.noise_variance, dtype=X.dtype)
    lower, width = (to_tensor(part[: state.X.shape[1]]) for part in (state.lower, state.width))
    material = Basis((1.0 - PLACE_SHARE) ** 0.5, state.noise_centres)
    place = Basis(PLACE_SHARE**0.5, PLACES)
    typical = PLACE_SHARE**0.5 * to_tensor(typical_place())
    weights, doubt, spread = to_tensor(h.noise_weights), to_tensor(state.doubt(column)), h.noise_spread

    def variance(X: Tensor, positions: Tensor | None) -> Tensor:
        of_place = typical if positions is None else place(positions[..., None])
        features = torch.cat([material((X - lower) / width), of_place.expand(*X.shape[:-1], -1)], dim=-1)
        own = ((features @ doubt) * features).sum(-1)
        rest = (1.0 - (features * features).sum(-1)).clamp_min(0.0)
        return h.noise_variance * torch.exp(spread * (features @ weights) + 0.5 * spread**2 * (own + rest))

    return variance


def misread_variance(state: FilmGPState, read: Conditioned) -> Variance:
    """Variance that an error of the measured composition adds to a reading, as `reading_variance` gives its own.

    Eq. (1) and (2) of `composition_error.py`, differentiable in the points; 0 where fractions are right.

    Args:
        state: Says how far fractions are off.
        read: The posterior of the objective.
    """
    if not state.composition_error.size:
        return lambda X, _positions: torch.zeros(X.shape[:-1], dtype=X.dtype)
    sd, elements = float(state.composition_error[0]), int(state.composition_error[1])
    lower, width, totals = (to_tensor(part) for part in (state.lower, state.width, state.totals))
    weights = read.project @ read.whitened

    def variance(X: Tensor, _positions: Tensor | None) -> Tensor:
        z = (with_totals(X, totals) - lower) / width / read.lengthscales
        squared = (z * z).sum(-1, keepdim=True) + (read.z * read.z).sum(-1) - 2.0 * (z @ read.z.mT)
        u = (5.0 * squared).clamp_min(NEAREST).sqrt()
        pull = (5.0 / 3.0) * (1.0 + u) * torch.exp(-u) * weights
        gradient = read.h.output_variance * (pull @ read.z - pull.sum(-1, keepdim=True) * z) / read.lengthscales / width
        slope = gradient[..., :elements]
        if len(totals):
            slope = slope + gradient[..., -len(totals) :] @ totals
        along: Tensor = (slope**2).sum(-1) - slope.sum(-1) ** 2 / elements
        return sd**2 * along.clamp_min(0.0)

    return variance


class Basis:
    """Eq. (2) of `noise_basis.py` times an amplitude, differentiable in the points."""

    def __init__(self, amplitude: float, centres: Array) -> None:
        """Whiten once.

        Args:
            amplitude: Factor of all features.
            centres: C, `B x D`.
        """
        eye = torch.eye(len(centres), dtype=torch.float64)
        factor = to_tensor(centre_factor(centres))
        self._centres, self._scale = to_tensor(centres), correlation_scale(centres.shape[1])
        self._whiten = amplitude * torch.linalg.solve_triangular(factor, eye, upper=False).mT

    def __call__(self, u: Tensor) -> Tensor:
        """Features of `... x D` points, `... x B`."""
        squared = ((u[..., None, :] - self._centres) ** 2).sum(-1)
        features: Tensor = torch.exp(-self._scale * squared) @ self._whiten
        return features
