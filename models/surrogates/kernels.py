"""The Matern-5/2 kernel: values for fitting (NumPy) and values with gradients in X for acquisitions (torch).

Notation: z = (x - lower) / width / lengthscale is a scaled point, r = |z - z'|, u = sqrt(5) r.

    k(r)  = (1 + u + u^2 / 3) exp(-u)                                                              (1)
    dk/dz = -g (z - z'),                        g = (5 / 3) (1 + u) exp(-u)                        (2)
    dk/d(log lengthscale_j) = g (z_j - z'_j)^2                                                     (3)

Source: Rasmussen and Williams 2006, Gaussian Processes for Machine Learning, eq. 4.17; (2) and (3) follow by the chain
rule with dk/dr = -g r. Both are finite at r = 0, where differentiating sqrt(r^2) is not.

Chosen over the squared exponential by measurement on two real landscapes (3 to 20 films, offsets of 0 to 0.6 sd, 288
data sets): held-out films are predicted as well or better (mean log density 0.015 higher), and f itself much better
where films are few and far between (0.1 to 1.3 higher), because the smoother kernel is too sure between films.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

Array = NDArray[np.float64]


def matern52(z: Array, space: Array | None = None) -> tuple[Array, Array]:
    """Matern-5/2 correlation of scaled points with themselves.

    Args:
        z: `n x D` points divided by their lengthscales.
        space: `3 x n x n` scratch memory that holds the answer afterwards. A fit asks a hundred times, and fresh
            memory costs more than the arithmetic.

    Returns:
        `n x n` correlations k of eq. (1), and `n x n` factors g of eq. (2).
    """
    u, g, part = np.empty((3, len(z), len(z))) if space is None else space
    square = np.einsum("ij,ij->i", z, z)
    np.matmul(z, z.T, out=u)
    u *= -2.0
    u += square[:, None]
    u += square
    np.maximum(u, 0.0, out=u)
    np.fill_diagonal(u, 0.0)
    u *= 5.0
    np.sqrt(u, out=u)
    decay = np.exp(np.negative(u, out=g), out=g)
    np.multiply(np.add(u, 1.0, out=part), decay, out=part)
    u *= u
    u *= decay
    u /= 3.0
    u += part
    np.multiply(part, 5.0 / 3.0, out=g)
    return u, g


def lengthscale_gradient(z: Array, weights: Array) -> Array:
    """Sum over pairs of `weights_ab (z_aj - z_bj)^2` for each column j, by one matrix product.

    Args:
        z: `n x D` points divided by their lengthscales.
        weights: `n x n`, symmetric; the factor g of eq. (3) times the derivative of a function by each correlation.

    Returns:
        `D` derivatives of that function by the log lengthscales.
    """
    # sum_ab W_ab (z_a - z_b)^2 = 2 (sum_a w_a z_a^2 - z^T W z), w the row sums of a symmetric W.
    result: Array = 2.0 * (weights.sum(1) @ (z * z) - np.einsum("ij,ij->j", z, weights @ z))
    return result


class _Matern52(torch.autograd.Function):
    """Eq. (1) with the gradient of eq. (2): finite where points coincide, and two matrix products in all."""

    @staticmethod
    def forward(ctx: FunctionCtx, z1: Tensor, z2: Tensor) -> Tensor:
        square1, square2 = (z1 * z1).sum(-1, keepdim=True), (z2 * z2).sum(-1, keepdim=True)
        squared = square1 + square2.mT - 2.0 * (z1 @ z2.mT)
        u = squared.clamp_min_(0.0).mul_(5.0).sqrt_()
        decay = torch.exp(-u)
        ctx.save_for_backward(z1, z2, (1.0 + u).mul_(decay).mul_(5.0 / 3.0))
        return (u * u).div_(3.0).add_(u).add_(1.0).mul_(decay)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:  # noqa: ANN401  # torch leaves it untyped
        z1, z2, g = ctx.saved_tensors
        w = gradient * g
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
        `batch_shape x q x r` correlations, eq. (1).
    """
    correlation: Tensor = _Matern52.apply(z1, z2)  # type: ignore[no-untyped-call]
    return correlation
