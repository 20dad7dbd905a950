"""The probability that devices work, in torch: for acquisitions that weigh films by it."""

from collections.abc import Callable

import torch
from torch import Tensor

from models.surrogates.torch_noise import Basis
from models.surrogates.yield_model import PLACES, Array, YieldModel
from models.tensors import to_tensor

Survival = Callable[[Tensor, Tensor | None], Tensor]
"""Of `... x q x D` device points and `q` positions (None: unknown): `... x q` probabilities."""


def survival_of(model: YieldModel, lower: Array, width: Array) -> Survival:
    """Eq. (2) of `yield_model.py`, differentiable in the points.

    Args:
        model: The fitted model.
        lower: `D` least values of the search space.
        width: `D` widths of the search space.
    """
    low, wide = to_tensor(lower), to_tensor(width)
    parts = [(model.a_x, model.centres)] if model.a_x > 0.0 else []
    material, place = [Basis(a, c) for a, c in parts], Basis(model.a_t, PLACES) if model.a_t > 0.0 else None
    mean, gained = to_tensor(model.mean), to_tensor(model.gained)

    def survival(X: Tensor, positions: Tensor | None) -> Tensor:
        features = [basis((X - low) / wide) for basis in material]
        if place is not None:
            empty = torch.zeros(len(PLACES), dtype=X.dtype)
            one = empty.expand(X.shape[-2], -1) if positions is None else place(positions[:, None])
            features.append(one.expand(*X.shape[:-1], -1))
        if not features:
            return torch.full(X.shape[:-1], model.rate, dtype=X.dtype)
        phi = torch.cat(features, dim=-1)
        spread = 1.0 + model.variance - ((phi @ gained) * phi).sum(-1)
        chance: Tensor = torch.special.ndtr((model.intercept + phi @ mean) / spread.sqrt())
        return chance

    return survival
