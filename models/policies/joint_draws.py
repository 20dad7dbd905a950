"""Joint draws of the latent f at points that are fixed for a decision and at the devices of any film.

Given the readings, f at Z (read or in flight) and at the K devices X of a film is one Gaussian vector. With
f_Z = m_Z + R e_Z, R R^T the posterior covariance C_ZZ, and V = R^-1 C_ZX,

    f_X = m_X + V^T e_Z + L e_X,   L L^T = C_XX - V^T V.                                                   (1)

R is made once per decision; a film costs two matrix products and a K x K Cholesky factor.

| symbol | meaning | shape |
| --- | --- | --- |
| z | points of Z | |
| S | quasi-Monte-Carlo draws | |
| b, K, D | films in a batch, devices, columns | |
"""

import torch
from torch import Tensor

from models.surrogates.latent import Latent

JITTER = 1e-7
"""Relative to the prior variance: neighbouring devices 1 at.% apart, repeated points and uniform films need it."""


class JointDraws:
    """Draws of one Gaussian process, the same normal numbers for every film."""

    def __init__(self, latent: Latent, reference: Tensor, normal: Tensor) -> None:
        """Draw the values at the fixed points, once.

        Args:
            latent: The process, with its readings.
            reference: Z, `z x D` distinct points; z >= 1.
            normal: `(z + K) x S` standard normal numbers for Z and the devices of a film; K is the most it may have.
                Processes that are drawn together need numbers of one net: two nets are no independent numbers.
        """
        z = len(reference)
        half = latent.half(reference)
        lower = cholesky(latent.prior(reference, reference) - half @ half.mT, latent.variance)
        self._latent, self._points, self._half = latent, reference, half
        self._draws, self._noise = normal[:z], normal[z:]
        self.reference: Tensor = half @ latent.whitened[:, None] + lower @ self._draws
        """Values of f at Z, `z x S`."""
        eye = torch.eye(z, dtype=reference.dtype)
        self._inverse = torch.linalg.solve_triangular(lower, eye, upper=False).mT.contiguous()

    def at(self, X: Tensor) -> Tensor:
        """Values of f at the devices of films (b x K x D) in every draw, eq. (1): `b x K x S`."""
        latent = self._latent
        read = latent.half(X)
        given = (latent.prior(X, self._points) - read @ self._half.mT) @ self._inverse
        remaining = latent.prior(X, X) - read @ read.mT - given @ given.mT
        lower = cholesky(remaining, latent.variance)
        mean = (read @ latent.whitened)[..., None]
        values: Tensor = mean + given @ self._draws + lower @ self._noise[: X.shape[-2]]
        return values


def cholesky(covariance: Tensor, variance: float) -> Tensor:
    """Lower Cholesky factor of `... x k x k` matrices, with as much jitter as it takes, relative to `variance`."""
    eye = torch.eye(covariance.shape[-1], dtype=covariance.dtype)
    jitter = JITTER * variance
    while True:
        factor, info = torch.linalg.cholesky_ex(covariance + jitter * eye)
        if not bool(info.any()) or jitter > variance:
            return torch.as_tensor(factor)
        jitter *= 10.0
