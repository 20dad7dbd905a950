"""A model whose bound is known by hand: z ~ N(0, I), x = W z + b + noise; the marginal of x is a normal distribution.

It has the two methods that the bounds ask of a net. The marginal and the divergences are dense algebra in numpy.
"""

import numpy as np
import torch


class LinearGaussian:
    def __init__(self, seed, dimension=3, latent=2, sd=0.4):
        rng = np.random.default_rng(seed)
        self.W, self.b = rng.standard_normal((dimension, latent)), rng.standard_normal(dimension)
        self.sd, self.latent = sd, latent
        self.mean_map = rng.standard_normal((latent, dimension))
        self.log_variance = rng.standard_normal(latent) - 1.0

    def encode(self, batch):
        mean = batch.x @ torch.tensor(self.mean_map).T
        return mean, torch.tensor(self.log_variance).expand(mean.shape)

    def decode(self, z, _c):
        return _Normal(z @ torch.tensor(self.W).T + torch.tensor(self.b), self.sd)

    def log_marginal(self, x):
        """log p(x), from the covariance W Wᵀ + sd² I."""
        covariance = self.W @ self.W.T + self.sd**2 * np.eye(len(self.b))
        off = x - self.b
        square = np.einsum("ni,ij,nj->n", off, np.linalg.inv(covariance), off)
        return -0.5 * (square + np.linalg.slogdet(2.0 * np.pi * covariance)[1])

    def gap(self, x):
        """KL(q(z | x) | p(z | x)): by how much the bound lies below the marginal."""
        precision = np.eye(self.latent) + self.W.T @ self.W / self.sd**2
        covariance = np.linalg.inv(precision)
        exact = (x - self.b) @ self.W @ covariance / self.sd**2
        away = x @ self.mean_map.T - exact
        q = np.diag(np.exp(self.log_variance))
        fixed = np.trace(precision @ q) - self.latent - self.log_variance.sum() + np.linalg.slogdet(covariance)[1]
        return 0.5 * (fixed + np.einsum("ni,ij,nj->n", away, precision, away))

    def encode_exactly(self):
        """Make q the true posterior; it must be diagonal, so W is given orthogonal columns first."""
        self.W = np.linalg.qr(self.W)[0] * np.arange(1, self.latent + 1)
        precision = np.diag(1.0 + (self.W**2).sum(axis=0) / self.sd**2)
        gain = np.linalg.inv(precision) @ self.W.T / self.sd**2
        self.b = np.zeros_like(self.b)
        self.mean_map, self.log_variance = gain, -np.log(np.diag(precision))


class _Normal:
    def __init__(self, mean, sd):
        self.mean, self.sd = mean, sd

    def log_density(self, x, _present):
        return torch.distributions.Normal(self.mean, self.sd).log_prob(x).sum(-1)
