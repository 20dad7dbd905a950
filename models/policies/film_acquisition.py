"""Joint noisy expected improvement of whole films.

The devices of a film are worth something together: only the best of them improves on what is known. With f the latent
property, Z the points that may already hold the best value (read or in flight) and X the K devices of a film,

    gain(X) = E[ max(0, max_k u(f(x_k)) - max_j u(f(z_j))) | readings ]                                    (1)

with u what a value is worth (`models/utility.py`: itself, or how near it is to a target), over fixed quasi-random
normal numbers: the joint draws of `models/policies/joint_draws.py`. Where devices may die, the largest gain is that of
the best living one, in expectation over all patterns of life and death (`living.py`).

| symbol | meaning | shape |
| --- | --- | --- |
| n, z | readings, points of Z | |
| S | quasi-Monte-Carlo draws | |
| b, K, D | films in a batch, devices, columns | |

Source: Letham et al. 2019, Constrained Bayesian optimization with noisy experiments (doi 10.1214/18-BA1110); the
smooth logarithm is that of Ament et al. 2023, Unexpected improvements to expected improvement (arXiv 2310.20708); u of
joint draws after Astudillo and Frazier 2019, Bayesian optimization of composite functions (PMLR 97, 354).
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from botorch.utils.safe_math import log_fatplus, logmeanexp
from torch import Tensor

from models.policies.joint_draws import JointDraws
from models.policies.living import first_alive
from models.surrogates.latent import Latent
from models.tensors import normal_draws
from models.utility import LARGER, Utility

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
        chances: Callable[[Tensor], Tensor] | None = None,
        utility: Utility = LARGER,
    ) -> None:
        """Draw the values at the reference points, once.

        Args:
            latents: The Gaussian process of the objective, with its readings; several share the draws evenly.
            reference: `z x D` distinct points whose best value is to be beaten; z >= 1.
            devices: Largest number of devices of a film, K.
            draws: Number of draws, S.
            seed: Seed of the draws.
            progress: Called before each batch of films is scored; may raise to stop.
            chances: Probability of each device to work, of films `b x K x D`: `b x K`. None: all work.
            utility: What a standardised value is worth.
        """
        share = -(-draws // len(latents))
        normal = [normal_draws(share, len(reference) + devices, seed + k).mT for k in range(len(latents))]
        self._draws = JointDraws(latents, reference, normal)
        self._utility = utility
        self._best = utility.of(self._draws.reference).amax(dim=0)
        self._progress = progress
        self._chances = chances

    def improvements(self, X: Tensor) -> Tensor:
        """Best device minus the best of everything else in every draw, `b x S`, for films X (b x K x D)."""
        if self._progress is not None:
            self._progress("scoring films")
        return self._utility.of(self._draws.at(X)).amax(dim=-2) - self._best

    def value(self, X: Tensor) -> Tensor:
        """Smoothed logarithm of eq. (1), `b`: finite, with finite gradient in X, even where no draw improves."""
        if self._chances is None:
            return logmeanexp(log_fatplus(self.improvements(X), tau=SMOOTHING), dim=-1)
        gains, weights = self._living(X, self._chances)
        return logmeanexp(torch.logsumexp(weights + log_fatplus(gains, tau=SMOOTHING), dim=-2), dim=-1)

    def gain(self, X: Tensor) -> Tensor:
        """Eq. (1), `b`, in standardised units."""
        if self._chances is None:
            return self.improvements(X).clamp_min(0.0).mean(dim=-1)
        gains, weights = self._living(X, self._chances)
        return (weights.exp() * gains.clamp_min(0.0)).sum(dim=-2).mean(dim=-1)

    def _living(self, X: Tensor, chances: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
        """Gains of the devices in every draw, the best first, and the log probability that it is the best alive."""
        if self._progress is not None:
            self._progress("scoring films")
        return first_alive(self._utility.of(self._draws.at(X)) - self._best, chances(X))


def device_subset(devices: int) -> list[int]:
    """At most `MOST_DEVICES` device numbers, evenly spread, both ends among them."""
    if devices <= MOST_DEVICES:
        return list(range(devices))
    return sorted({round(k * (devices - 1) / (MOST_DEVICES - 1)) for k in range(MOST_DEVICES)})
