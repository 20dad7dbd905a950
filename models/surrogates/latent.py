"""The Gaussian process of one objective, opened up for acquisitions that condition it further."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Latent:
    """Prior of the latent f (mean 0, standardised, maximised) and the readings that inform it."""

    prior: Callable[[Tensor, Tensor], Tensor]
    """Covariance of f between `batch_shape x q x D` and `batch_shape x r x D` device points, differentiable in both."""
    variance: float
    """Prior variance of f at one point."""
    points: Tensor
    """`n x D` device points with a reading."""
    factor: Tensor
    """`n x n` lower Cholesky factor of the covariance of the readings: f, film effects and noise."""
    whitened: Tensor
    """`n` readings, solved with `factor`."""
    scale: float
    """Physical units per standardised unit."""
