"""The Matern-5/2 kernel and its columns in torch, with gradients in the points: for acquisitions. See `kernels.py`."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable


class _Matern52(torch.autograd.Function):
    """Eq. (1) of `kernels.py` with the gradient of eq. (2): finite where points coincide."""

    @staticmethod
    def forward(ctx: FunctionCtx, z1: Tensor, z2: Tensor) -> Tensor:
        square1, square2 = (z1 * z1).sum(-1, keepdim=True), (z2 * z2).sum(-1, keepdim=True)
        u = (z1 @ (-10.0 * z2).mT).add_(5.0 * square1).add_(5.0 * square2.mT).clamp_min_(0.0).sqrt_()
        decay = torch.neg(u).exp_()
        slope = (1.0 + u).mul_(decay)
        ctx.save_for_backward(z1, z2, slope)
        return torch.addcmul(slope, u.square_(), decay, value=1.0 / 3.0)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:  # noqa: ANN401  # torch leaves it untyped
        z1, z2, slope = ctx.saved_tensors
        w = (gradient * slope).mul_(5.0 / 3.0)
        need1, need2 = ctx.needs_input_grad
        to_z1 = (w @ z2 - w.sum(-1, keepdim=True) * z1).sum_to_size(z1.shape) if need1 else None
        to_z2 = (w.mT @ z1 - w.sum(-2).unsqueeze(-1) * z2).sum_to_size(z2.shape) if need2 else None
        return to_z1, to_z2


def matern52_between(z1: Tensor, z2: Tensor) -> Tensor:
    """Matern-5/2 correlation between two sets of scaled points, differentiable once in both.

    Args:
        z1: `batch_shape x q x D` points divided by their lengthscales.
        z2: `batch_shape x r x D` points divided by their lengthscales; batch shapes broadcast.

    Returns:
        `batch_shape x q x r` correlations, eq. (1) of `kernels.py`.
    """
    correlation: Tensor = _Matern52.apply(z1, z2)  # type: ignore[no-untyped-call]
    return correlation


def with_totals(X: Tensor, totals: Tensor) -> Tensor:
    """Device points with the totals of their groups as further columns: `scaling.with_totals`.

    Args:
        X: `... x (d + p)` device points.
        totals: `g x d`, 1 where an element belongs to a group.

    Returns:
        `... x (d + p + g)`.
    """
    return torch.cat([X, X[..., : totals.shape[1]] @ totals.mT], dim=-1) if len(totals) else X
