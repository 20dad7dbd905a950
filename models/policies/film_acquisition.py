"""Joint noisy expected improvement of whole films, from one extended Cholesky factor.

The devices of a film are worth something together: only the best of them improves on what is known. With f the latent
property, Z the points that may already hold the best value (read or in flight) and X the K devices of a film,

    gain(X) = E[ max(0, max_k f(x_k) - max_j f(z_j)) | readings ]                                          (1)

over fixed quasi-random normal numbers. Given the readings, f_X and f_Z are one Gaussian vector. With f_Z = m_Z + R e_Z,
R R^T the posterior covariance C_ZZ, and V = R^-1 C_ZX,

    f_X = m_X + V^T e_Z + L e_X,   L L^T = C_XX - V^T V.                                                   (2)

R is made once per decision; a film costs two matrix products and a K x K Cholesky factor.

| symbol | meaning | shape |
| --- | --- | --- |
| n, z | readings, points of Z | |
| S | quasi-Monte-Carlo draws | |
| b, K, D | films in a batch, devices, columns | |

Source: Letham et al. 2019, Constrained Bayesian optimization with noisy experiments (doi 10.1214/18-BA1110); the
smooth logarithm is that of Ament et al. 2023, Unexpected improvements to expected improvement (arXiv 2310.20708).
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from botorch.utils.safe_math import log_fatplus, logmeanexp
from torch import Tensor

from models.surrogates.latent import Latent
from models.tensors import normal_draws

JITTER = 1e-7
"""Relative to the prior variance: neighbouring devices 1 at.% apart, repeated points and uniform films need it."""
MOST_DEVICES = 16
"""Devices of a film that enter the joint gain."""
SMOOTHING = 1e-3
"""Width, in standardised units, over which the positive part is smoothed."""


class FilmAcquisition(Protocol):
    """What the search for the best film asks of an acquisition. Films are `b x K x D` device points."""

    def value(self, X: Tensor) -> Tensor:
        """What the search climbs, `b`: larger is better; finite, with finite gradient in X, everywhere."""
        ...

    def gain(self, X: Tensor) -> Tensor:
        """What people read, `b`: the expected gain in standardised units of the objective, never negative."""
        ...


class FilmImprovement:
    """Gain of films over everything read or in flight, for one decision."""

    def __init__(
        self,
        latents: Sequence[Latent],
        reference: Tensor,
        *,
        devices: int,
        draws: int,
        seed: int,
        progress: Callable[[str], None] | None = None,
    ) -> None:
        """Draw the values at the reference points, once.

        Args:
            latents: The Gaussian process of the objective, with its readings; several share the draws evenly.
            reference: `z x D` distinct points whose best value is to be beaten; z >= 1.
            devices: Largest number of devices of a film, K.
            draws: Number of draws, S.
            seed: Seed of the draws.
            progress: Called before each batch of films is scored; may raise to stop.
        """
        share = -(-draws // len(latents))
        self._components = [
            _Component(latent, reference, devices=devices, draws=share, seed=seed + k)
            for k, latent in enumerate(latents)
        ]
        self._progress = progress

    def improvements(self, X: Tensor) -> Tensor:
        """Best device minus the best of everything else in every draw, `b x S`, for films X (b x K x D). Eq. (2)."""
        if self._progress is not None:
            self._progress("scoring films")
        return torch.cat([component.improvements(X) for component in self._components], dim=-1)

    def value(self, X: Tensor) -> Tensor:
        """Smoothed logarithm of eq. (1), `b`: finite, with finite gradient in X, even where no draw improves."""
        return logmeanexp(log_fatplus(self.improvements(X), tau=SMOOTHING), dim=-1)

    def gain(self, X: Tensor) -> Tensor:
        """Eq. (1), `b`, in standardised units."""
        return self.improvements(X).clamp_min(0.0).mean(dim=-1)


class _Component:
    """The draws of one Gaussian process."""

    def __init__(self, latent: Latent, reference: Tensor, *, devices: int, draws: int, seed: int) -> None:
        z = len(reference)
        normal = normal_draws(draws, z + devices, seed).mT
        half = latent.half(reference)
        lower = cholesky(latent.prior(reference, reference) - half @ half.mT, latent.variance)
        self._latent, self._reference, self._half = latent, reference, half
        self._draws, self._noise = normal[:z], normal[z:]
        self._best: Tensor = (half @ latent.whitened[:, None] + lower @ self._draws).amax(dim=0)
        eye = torch.eye(z, dtype=reference.dtype)
        self._inverse = torch.linalg.solve_triangular(lower, eye, upper=False).mT.contiguous()

    def improvements(self, X: Tensor) -> Tensor:
        """Best device minus the best of Z in every draw of this process, `b x S`."""
        latent = self._latent
        read = latent.half(X)
        given = (latent.prior(X, self._reference) - read @ self._half.mT) @ self._inverse
        remaining = latent.prior(X, X) - read @ read.mT - given @ given.mT
        lower = cholesky(remaining, latent.variance)
        values: Tensor = (read @ latent.whitened)[..., None] + given @ self._draws + lower @ self._noise[: X.shape[-2]]
        best: Tensor = values.amax(dim=-2)
        return best - self._best


def cholesky(covariance: Tensor, variance: float) -> Tensor:
    """Lower Cholesky factor of `... x k x k` matrices, with as much jitter as it takes, relative to `variance`."""
    eye = torch.eye(covariance.shape[-1], dtype=covariance.dtype)
    jitter = JITTER * variance
    while True:
        factor, info = torch.linalg.cholesky_ex(covariance + jitter * eye)
        if not bool(info.any()) or jitter > variance:
            return torch.as_tensor(factor)
        jitter *= 10.0


def device_subset(devices: int) -> list[int]:
    """At most `MOST_DEVICES` device numbers, evenly spread, both ends among them."""
    if devices <= MOST_DEVICES:
        return list(range(devices))
    return sorted({round(k * (devices - 1) / (MOST_DEVICES - 1)) for k in range(MOST_DEVICES)})
