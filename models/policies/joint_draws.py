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
| S | quasi-Monte-Carlo draws of one process; in all where several are drawn together | |
| b, K, D | films in a batch, devices, columns | |
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from models.surrogates.latent import Latent, LatentPrior

JITTER = 1e-7
"""Relative to the prior variance: neighbouring devices 1 at.% apart, repeated points and uniform films need it."""
SAME = 1e-9
"""Points nearer than this, in every column, are one point of U."""


class JointDraws:
    """Draws of one property, the same normal numbers for every film; several processes of it share them evenly."""

    def __init__(self, latents: Sequence[Latent], reference: Tensor, normal: Sequence[Tensor]) -> None:
        """Draw the values at the fixed points, once.

        Args:
            latents: Equally likely processes of the property, each with the same readings.
            reference: Z, `z x D` distinct points; z >= 1.
            normal: For each process `(z + K) x S` standard normal numbers for Z and the devices of a film; K is the
                most it may have. Processes that are drawn together need numbers of one net: two nets are no
                independent numbers.
        """
        z = len(reference)
        self._points, at = _union(latents[0].points, reference)
        made = [
            _made(latent, reference, some, len(self._points), at) for latent, some in zip(latents, normal, strict=True)
        ]
        self._prior = LatentPrior.stacked([latent.prior for latent in latents])
        self._variance = torch.tensor([latent.variance for latent in latents], dtype=reference.dtype)[
            :, None, None, None
        ]
        self._noise = torch.stack([some[z:] for some in normal])
        self._weights = torch.stack([weights for _, weights in made])
        """M and P of eq. (2) of each process, side by side."""
        self.reference: Tensor = torch.cat([values for values, _ in made], dim=-1)
        """Values of f at Z in all draws of all processes, `z x S`."""

    def at(self, X: Tensor) -> Tensor:
        """Values of f at the devices of films (b x K x D) in every draw, eq. (1): `b x K x S`."""
        draws = self._noise.shape[2]
        read = self._prior(X.flatten(end_dim=1), self._points) @ self._weights
        read = read.reshape(len(read), *X.shape[:2], -1)
        given, half = read[..., :draws], read[..., draws:]
        lower = cholesky(self._prior(X, X) - half @ half.mT, self._variance)
        values: Tensor = given + lower @ self._noise[:, None, : X.shape[1]]
        return values.permute(1, 2, 0, 3).flatten(start_dim=2)


def _made(latent: Latent, reference: Tensor, normal: Tensor, size: int, at: Tensor) -> tuple[Tensor, Tensor]:
    """Draws at Z (z x S) of one process, and its M and P side by side (u x ..); Z lies `at` rows of the `size` of U."""
    z = len(reference)
    half = latent.half(reference)
    lower = cholesky(latent.prior(reference, reference) - half @ half.mT, latent.variance)
    given = torch.linalg.solve_triangular(lower, torch.eye(z, dtype=reference.dtype), upper=False).mT
    project = torch.zeros((size, latent.project.shape[1] + z), dtype=reference.dtype)
    project[: len(latent.points)] = torch.cat([latent.project, -latent.project @ (half.mT @ given)], dim=1)
    project[at, -z:] += given
    drawn = torch.cat([latent.whitened[:, None].expand(-1, normal.shape[1]), normal[:z]])
    values = half @ latent.whitened[:, None] + lower @ normal[:z]
    return values, torch.cat([project @ drawn, _narrow(project)], dim=1)


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


def cholesky(covariance: Tensor, variance: float | Tensor) -> Tensor:
    """Lower Cholesky factor of `... x k x k` matrices, with as much jitter as it takes, relative to `variance`."""
    eye = variance * torch.eye(covariance.shape[-1], dtype=covariance.dtype)
    jitter = JITTER
    while True:
        factor, info = torch.linalg.cholesky_ex(covariance + jitter * eye)
        if not bool(info.any()) or jitter > 1.0:
            return torch.as_tensor(factor)
        jitter *= 10.0
