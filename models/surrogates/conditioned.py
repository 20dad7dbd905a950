"""One objective of the Gaussian process, conditioned on its readings: what every prediction starts from."""

import numpy as np
import torch
from gpytorch.distributions import MultivariateNormal
from numpy.typing import NDArray
from torch import Tensor

from models.surrogates.evidence import CONSTANT_VARIANCE, POSTERIOR_JITTER, Evidence, Readings, cholesky
from models.surrogates.hyperparameters import Hyperparameters
from models.surrogates.torch_kernels import matern52_between
from models.tensors import to_array, to_tensor

Array = NDArray[np.float64]


class Conditioned:
    """The latent f given readings y: mean k* K^-1 y, covariance k** - k* K^-1 k*^T, with L L^T = K kept.

    K holds film effects and noise, k* and k** do not: f is what all films have in common.
    Source: Rasmussen and Williams 2006, Gaussian Processes for Machine Learning, eq. 2.23 and 2.24.
    """

    def __init__(self, data: Readings, h: Hyperparameters) -> None:
        self.data, self.h = data, h
        self.z = to_tensor(data.x / h.lengthscales)
        self.factor = to_tensor(cholesky(Evidence(data).covariance(h)[0]))
        self._material = None if data.sample is None else to_tensor(data.material())
        self.weights = torch.cholesky_solve(to_tensor(data.y).unsqueeze(-1), self.factor).squeeze(-1)

    def prior(self, z1: Tensor, z2: Tensor) -> Tensor:
        """Prior covariance of f between scaled points, the constant mean's own included."""
        return self.h.output_variance * matern52_between(z1, z2) + CONSTANT_VARIANCE

    def posterior(self, x: Tensor) -> MultivariateNormal:
        """Joint posterior of f at `batch_shape x q x D` points in widths of the search space."""
        z = x / to_tensor(self.h.lengthscales)
        across = self.prior(z, self.z)
        if self._material is not None:
            across = across * self._material
        mean = across @ self.weights
        # One triangular solve for all batches at once.
        flat = across.reshape(-1, across.shape[-1])
        half = torch.linalg.solve_triangular(self.factor, flat.mT, upper=False).mT.reshape(across.shape)
        jitter = POSTERIOR_JITTER * self.variance * torch.eye(x.shape[-2], dtype=x.dtype)
        return MultivariateNormal(mean, self.prior(z, z) - half @ half.mT + jitter)

    @property
    def variance(self) -> float:
        """Prior variance of f at one point."""
        return self.h.output_variance + CONSTANT_VARIANCE

    def inverse(self) -> Array:
        """`n x n` inverse of the covariance of the readings."""
        return to_array(torch.cholesky_inverse(self.factor))
