"""The Gaussian process of one objective, opened up for acquisitions that condition it further.

Whatever the surrogate conditions on (readings, or what a sparse model makes of them), its posterior has one form:

    mean(x) = k(x, Z) T w,      cov(x, x') = k(x, x') - k(x, Z) T T^T k(Z, x')                             (1)

| symbol | meaning | shape |
| --- | --- | --- |
| Z | `points`: readings, or inducing points | n x (d + p) |
| T | `project`: inverse transposed Cholesky factor of the covariance of the readings | n x r |
| w | `whitened`: the readings, whitened | r |

Points are those of devices, of d fractions and p process columns. The prior sees the totals of groups beside them, D
columns in all.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from models.surrogates.torch_kernels import matern52_between, with_totals


@dataclass(frozen=True)
class LatentPrior:
    """Prior covariance of f of one process, or of C at once: a constant and a Matern-5/2 kernel."""

    lower: Tensor
    """`D`, where the columns begin."""
    scaling: Tensor
    """`D` lengthscales in units of the columns; `C x D` of C processes."""
    output_variance: Tensor
    """Variance s_f^2: a scalar, or `C`."""
    constant: Tensor
    """Prior variance of the constant mean, a scalar."""
    totals: Tensor
    """`g x d`: sums of the first d columns that are columns of their own, the last of D; g may be 0."""

    @classmethod
    def stacked(cls, priors: Sequence[Self]) -> Self:
        """The priors of C processes in the same columns as one."""
        scaling, variance = (
            torch.stack(part) for part in ([p.scaling for p in priors], [p.output_variance for p in priors])
        )
        return cls(priors[0].lower, scaling, variance, priors[0].constant, priors[0].totals)

    def __call__(self, X1: Tensor, X2: Tensor) -> Tensor:
        """Between `batch_shape x q x (d + p)` and `batch_shape x r x (d + p)` device points.

        Returns:
            `batch_shape x q x r`, C before it.
        """
        scaling, variance = self.scaling, self.output_variance
        if variance.dim():
            ones = (1,) * (max(X1.dim(), X2.dim()) - 1)
            scaling, variance = scaling.reshape(-1, *ones, scaling.shape[-1]), variance.reshape(-1, *ones, 1)
        z1, z2 = ((with_totals(X, self.totals) - self.lower) / scaling for X in (X1, X2))
        correlation = matern52_between(z1, z2)
        return torch.addcmul(self.constant, variance, correlation)


@dataclass(frozen=True)
class Latent:
    """Prior of the latent f (mean 0, standardised, maximised) and what informs it, eq. (1)."""

    prior: LatentPrior
    """Covariance of f between `... x q x (d + p)` and `... x r x (d + p)` device points, differentiable in both."""
    variance: float
    """Prior variance of f at one point."""
    points: Tensor
    """Z: `n x (d + p)` device points."""
    project: Tensor
    """T: `n x r`."""
    whitened: Tensor
    """w: `r`."""
    noise: Callable[[Tensor, Tensor | None], Tensor]
    """Variance of one reading at `... x q x (d + p)` points with positions (q, or None if unknown): `... x q`."""
    film_variance: float
    """Variance s_b^2 of a film's own offset."""
    centre: float
    """Maximised value, in physical units, that is 0 in standardised ones."""
    scale: float
    """Physical units per standardised unit."""

    def half(self, X: Tensor) -> Tensor:
        """k(X, Z) T, `... x q x r`: half the reduction of the prior covariance at device points `... x q x (d + p)`."""
        return self.prior(X, self.points) @ self.project

    def mean(self, X: Tensor) -> Tensor:
        """Posterior mean at device points, `... x q`."""
        return self.half(X) @ self.whitened

    def variances(self, X: Tensor, half: Tensor) -> Tensor:
        """Posterior variance of f at each device point, `... x q`, given their `half`; rounding may take it below 0."""
        own = self.prior(X[..., None, :], X[..., None, :])[..., 0, 0]
        return own - half.square().sum(dim=-1)

    def covariance(self, X1: Tensor, X2: Tensor) -> Tensor:
        """Posterior covariance between device points, `... x q x r`."""
        return self.prior(X1, X2) - self.half(X1) @ self.half(X2).mT
