"""The variance of a reading at any device point, in torch: for acquisitions that ask what a film would tell."""

from collections.abc import Callable

import torch
from torch import Tensor

from models.surrogates.film_gp_state import FilmGPState
from models.surrogates.hyperparameters import Hyperparameters
from models.surrogates.noise_basis import MIDDLE, centre_factor, correlation_scale
from models.tensors import to_tensor

Variance = Callable[[Tensor, Tensor | None], Tensor]


def reading_variance(state: FilmGPState, column: int, h: Hyperparameters) -> Variance:
    """Variance of one reading, standardised, as a function of device points and positions.

    `noise_basis.mean_noise`, differentiable in the points.

    Args:
        state: Whose centres the noise features have.
        column: Number of the objective.
        h: Hyperparameters of the objective.

    Returns:
        A function of `... x q x D` points and `q` positions (or None): `... x q` variances.
    """
    if h.noise_spread == 0.0:
        return lambda X, _positions: torch.full(X.shape[:-1], h.noise_variance, dtype=X.dtype)
    lower, width, centres = to_tensor(state.lower), to_tensor(state.width), to_tensor(state.noise_centres)
    weights, doubt, spread = to_tensor(h.noise_weights), to_tensor(state.doubt(column)), h.noise_spread
    eye = torch.eye(len(centres), dtype=centres.dtype)
    whiten = torch.linalg.solve_triangular(to_tensor(centre_factor(state.noise_centres)), eye, upper=False).mT
    scale = correlation_scale(centres.shape[1])

    def variance(X: Tensor, positions: Tensor | None) -> Tensor:
        where = torch.full(X.shape[:-1], MIDDLE, dtype=X.dtype) if positions is None else positions.expand(X.shape[:-1])
        u = torch.cat([(X - lower) / width, where[..., None]], dim=-1)
        features = torch.exp(-scale * ((u[..., None, :] - centres) ** 2).sum(-1)) @ whiten
        own = ((features @ doubt) * features).sum(-1)
        rest = (1.0 - (features * features).sum(-1)).clamp_min(0.0)
        return h.noise_variance * torch.exp(spread * (features @ weights) + 0.5 * spread**2 * (own + rest))

    return variance
