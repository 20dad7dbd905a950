"""Joint draws of the latent f at points that are fixed for a decision and at the devices of any film.

Given the readings, f at Z (read or in flight) and at the K devices X of a film is one Gaussian vector. With
f_Z = m_Z + R e_Z, R R^T the posterior covariance C_ZZ, and V = R^-1 C_ZX,

    f_X = m_X + V^T e_Z + L e_X,   L L^T = C_XX - V^T V.                                                   (1)

All that depends on X are prior covariances k(X, U) with U the points of the readings and of Z, each counted once:

    m_X + V^T e_Z = k(X, U) M,     C_XX - V^T V = k(X, X) - k(X, U) P P^T k(U, X).                         (2)

M and P, of no more columns than U has points, are made once per decision; a film costs one matrix product and a K x K
Cholesky factor.

| symbol | meaning | shape |
| --- | --- | --- |
| z, u | points of Z, of U | |
| S | quasi-Monte-Carlo draws | |
| b, K, D | films in a batch, devices, columns | |
"""

import torch
from torch import Tensor

from models.surrogates.latent import Latent

JITTER = 1e-7
"""Relative to the prior variance: neighbouring devices 1 at.% apart, repeated points and uniform films need it."""
SAME = 1e-9
"""Points nearer than this, in every column, are one point of U."""


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
        self._latent, self._noise = latent, normal[z:]
        self.reference: Tensor = half @ latent.whitened[:, None] + lower @ normal[:z]
        """Values of f at Z, `z x S`."""
        given = torch.linalg.solve_triangular(lower, torch.eye(z, dtype=reference.dtype), upper=False).mT
        self._points, at = _union(latent.points, reference)
        project = torch.zeros((len(self._points), latent.project.shape[1] + z), dtype=reference.dtype)
        project[: len(latent.points)] = torch.cat([latent.project, -latent.project @ (half.mT @ given)], dim=1)
        project[at, -z:] += given
        drawn = torch.cat([latent.whitened[:, None].expand(-1, normal.shape[1]), normal[:z]])
        self._weights = torch.cat([project @ drawn, _narrow(project)], dim=1)
        """M and P of eq. (2), side by side."""

    def at(self, X: Tensor) -> Tensor:
        """Values of f at the devices of films (b x K x D) in every draw, eq. (1): `b x K x S`."""
        draws = self._noise.shape[1]
        read = self._latent.prior(X, self._points) @ self._weights
        given, half = read[..., :draws], read[..., draws:]
        lower = cholesky(self._latent.prior(X, X) - half @ half.mT, self._latent.variance)
        values: Tensor = given + lower @ self._noise[: X.shape[-2]]
        return values


def _union(points: Tensor, more: Tensor) -> tuple[Tensor, Tensor]:
    """`points` (n x D) with those of `more` (z x D) that are new, and where in there each of `more` is (z)."""
    apart = torch.cdist(more, points, p=torch.inf)
    nearest, at = apart.min(dim=1)
    new = nearest > SAME
    at[new] = len(points) + torch.arange(int(new.sum()))
    return torch.cat([points, more[new]]), at


def _narrow(half: Tensor) -> Tensor:
    """P with P P^T = W W^T for W (u x c), of at most u columns."""
    return half if half.shape[1] <= len(half) else torch.linalg.qr(half.mT, mode="r").R.mT.contiguous()


def cholesky(covariance: Tensor, variance: float) -> Tensor:
    """Lower Cholesky factor of `... x k x k` matrices, with as much jitter as it takes, relative to `variance`."""
    eye = torch.eye(covariance.shape[-1], dtype=covariance.dtype)
    jitter = JITTER * variance
    while True:
        factor, info = torch.linalg.cholesky_ex(covariance + jitter * eye)
        if not bool(info.any()) or jitter > variance:
            return torch.as_tensor(factor)
        jitter *= 10.0
