"""Joint noisy expected improvement of whole films, from one extended Cholesky factor.

The devices of a film are worth something together: only the best of them improves on what is known. With f the latent
property, Z the points that may already hold the best value (read or in flight) and X the K devices of a film,

    gain(X) = E[ max(0, max_k f(x_k) - max_j f(z_j)) | readings ]                                          (1)

over fixed quasi-random normal numbers. Readings y and values f_Z are one Gaussian vector with Cholesky factor R;
W = [R_n^-1 y ; e_Z] are its whitened draws (e_Z standard normal), so that for any X, with V = R^-1 k([readings, Z], X),

    f_X = V^T W + L e_X,   L L^T = k(X, X) - V^T V.                                                       (2)

The factor is made once per decision; a film costs one matrix product and a K x K Cholesky factor.

| symbol | meaning | shape |
| --- | --- | --- |
| n, z, N | readings, points of Z, n + z | |
| S | quasi-Monte-Carlo draws | |
| b, K, D | films in a batch, devices, columns | |

Source: Letham et al. 2019, Constrained Bayesian optimization with noisy experiments (doi 10.1214/18-BA1110); the
smooth logarithm is that of Ament et al. 2023, Unexpected improvements to expected improvement (arXiv 2310.20708).
"""

from collections.abc import Callable

import torch
from botorch.utils.safe_math import log_fatplus, logmeanexp
from botorch.utils.sampling import draw_sobol_normal_samples
from torch import Tensor

from models.surrogates.latent import Latent

JITTER = 1e-7
"""Relative to the prior variance: neighbouring devices 1 at.% apart, repeated points and uniform films need it."""
MOST_DEVICES = 16
"""Devices of a film that enter the joint gain."""
SMOOTHING = 1e-3
"""Width, in standardised units, over which the positive part is smoothed."""


class FilmImprovement:
    """Gain of films over everything read or in flight, for one decision."""

    def __init__(
        self,
        latent: Latent,
        reference: Tensor,
        *,
        devices: int,
        draws: int,
        seed: int,
        progress: Callable[[str], None] | None = None,
    ) -> None:
        """Draw the values at the reference points, once.

        Args:
            latent: The Gaussian process of the objective, with its readings.
            reference: `z x D` distinct points whose best value is to be beaten; z >= 1.
            devices: Largest number of devices of a film, K.
            draws: Number of draws, S.
            seed: Seed of the draws.
            progress: Called before each batch of films is scored; may raise to stop.
        """
        z, n = len(reference), len(latent.whitened)
        self._latent = latent
        self._progress = progress
        self._points = torch.cat([latent.points, reference])
        normal = draw_sobol_normal_samples(z + devices, draws, dtype=reference.dtype, seed=seed).mT
        factor = latent.factor
        half = torch.linalg.solve_triangular(factor, latent.prior(latent.points, reference), upper=False)
        lower = cholesky(latent.prior(reference, reference) - half.mT @ half, float(latent.variance))
        self._draws = torch.cat([latent.whitened[:, None].expand(n, draws), normal[:z]])
        self._noise = normal[z:]
        self._best: Tensor = (half.mT @ latent.whitened[:, None] + lower @ normal[:z]).amax(dim=0)
        joined = torch.cat(
            [torch.cat([factor, torch.zeros(n, z, dtype=factor.dtype)], 1), torch.cat([half.mT, lower], 1)]
        )
        eye = torch.eye(n + z, dtype=factor.dtype)
        self._inverse = torch.linalg.solve_triangular(joined, eye, upper=False).mT.contiguous()

    def improvements(self, X: Tensor) -> Tensor:
        """Best device minus the best of everything else in every draw, `b x S`, for films X (b x K x D). Eq. (2)."""
        if self._progress is not None:
            self._progress("scoring films")
        across = self._latent.prior(X, self._points)
        half = across @ self._inverse
        remaining = self._latent.prior(X, X) - half @ half.mT
        lower = cholesky(remaining, float(self._latent.variance))
        values: Tensor = half @ self._draws + lower @ self._noise[: X.shape[-2]]
        best: Tensor = values.amax(dim=-2)
        return best - self._best

    def log_gain(self, X: Tensor) -> Tensor:
        """Smoothed logarithm of eq. (1), `b`: finite, with finite gradient in X, even where no draw improves."""
        return logmeanexp(log_fatplus(self.improvements(X), tau=SMOOTHING), dim=-1)

    def gain(self, X: Tensor) -> Tensor:
        """Eq. (1), `b`, in standardised units."""
        return self.improvements(X).clamp_min(0.0).mean(dim=-1)


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
