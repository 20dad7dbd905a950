"""One objective of the Gaussian process, conditioned on its readings: what every prediction in torch starts from."""

from collections.abc import Sequence

import torch
from gpytorch.distributions import MultivariateNormal
from torch import Tensor

from models.surrogates.conditioning import Conditioner
from models.surrogates.evidence import CONSTANT_VARIANCE, POSTERIOR_JITTER, Readings
from models.surrogates.hyperparameters import Hyperparameters
from models.surrogates.torch_kernels import matern52_between
from models.tensors import to_tensor


class Conditioned(Conditioner):
    """The posterior of `conditioning.py` as tensors, with gradients in X."""

    def __init__(self, data: Readings, h: Hyperparameters) -> None:
        super().__init__(data, h)
        c = self.conditioning
        self.z, self.project, self.whitened = to_tensor(c.z), to_tensor(c.project), to_tensor(c.whitened)
        self.lengthscales = to_tensor(h.lengthscales)
        self.output_variance, self.constant = to_tensor([h.output_variance, CONSTANT_VARIANCE])

    def prior(self, z1: Tensor, z2: Tensor) -> Tensor:
        """Prior covariance of f between scaled points, the constant mean's own included."""
        return torch.addcmul(self.constant, self.output_variance, matern52_between(z1, z2))

    def posterior(self, x: Tensor) -> MultivariateNormal:
        """Joint posterior of f at `batch_shape x q x D` points in widths of the search space."""
        z = x / self.lengthscales
        half = self.prior(z, self.z) @ self.project
        jitter = POSTERIOR_JITTER * self.variance * torch.eye(x.shape[-2], dtype=x.dtype)
        return MultivariateNormal(half @ self.whitened, self.prior(z, z) - half @ half.mT + jitter)

    @property
    def variance(self) -> float:
        """Prior variance of f at one point."""
        return self.conditioning.variance


def moment_matched(normals: Sequence[MultivariateNormal]) -> MultivariateNormal:
    """The normal with the mean and the covariance of several equally likely ones together."""
    if len(normals) == 1:
        return normals[0]
    means = torch.stack([normal.mean for normal in normals])
    within = torch.stack([normal.covariance_matrix for normal in normals]).mean(0)
    mean = means.mean(0)
    apart = (means - mean).movedim(0, -1)
    return MultivariateNormal(mean, within + apart @ apart.mT / len(normals))
