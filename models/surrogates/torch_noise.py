"""The variance of a reading at any device point, in torch: for acquisitions that ask what a film would tell."""

from collections.abc import Callable

import torch
from torch import Tensor

from models.surrogates.film_gp_state import FilmGPState
from models.surrogates.hyperparameters import Hyperparameters
from models.surrogates.noise_basis import MIDDLE, centre_factor, correlation_scale
from models.tensors import to_tensor

Variance = Callable[[Tensor, Tensor | None], Tensor]


def reading_variance(state: FilmGPState, h: Hyperparameters) -> Variance:
    """Variance of one reading, standardised, as a function of device points and positions.

    Eq. (1) of `noise_basis.py`, differentiable in the points.

    Args:
        state: Whose centres the noise features have.
        h: Hyperparameters of the objective.

    Returns:
        A function of `... x q x D` points and `q` positions (or None): `... x q` variances.
    """
    if h.noise_spread == 0.0:
        return lambda X, _positions: torch.full(X.shape[:-1], h.noise_variance, dtype=X.dtype)
    lower, width, centres = to_tensor(state.lower), to_tensor(state.width), to_tensor(state.noise_centres)
    pull = torch.linalg.solve_triangular(
        to_tensor(centre_factor(state.noise_centres)).mT, to_tensor(h.noise_weights)[:, None], upper=True
    )
    scale = correlation_scale(centres.shape[1])

    def variance(X: Tensor, positions: Tensor | None) -> Tensor:
        where = torch.full(X.shape[:-1], MIDDLE, dtype=X.dtype) if positions is None else positions.expand(X.shape[:-1])
        u = torch.cat([(X - lower) / width, where[..., None]], dim=-1)
        squared = ((u[..., None, :] - centres) ** 2).sum(-1)
        log_noise: Tensor = (torch.exp(-scale * squared) @ pull)[..., 0]
        return h.noise_variance * torch.exp(h.noise_spread * log_noise)

    return variance
