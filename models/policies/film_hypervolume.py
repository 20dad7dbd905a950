"""Joint noisy expected hypervolume improvement of whole films, with limits on other properties.

With f_1..f_m what the latent objectives are worth above a reference point, in units of a width each, Z the points that
may already belong to the front (read or in flight) and X the K devices of a film, a device reaches along a direction u
as far as

    rho_k(u) = min_i f_i(x_k) / u_i   where every outcome is within its limits, else 0                     (1)

and with rho_0(u) the same over the best of Z, the film adds the hypervolume (see `models/directions.py`)

    gain(X) = E[ max(0, max_k rho_k(u)^m - rho_0(u)^m) | readings ]                                        (2)

over joint draws of all properties and directions u: each draw has directions of its own. The devices of a film count
together by one maximum, for any K; where devices may be dead, by its expectation over the living (`living.py`). With
one objective u = 1, and (2) is constrained noisy expected improvement.

The search climbs the logarithm of a smoothed (2). x^m - y^m = (x - y)(x^(m-1) + .. + y^(m-1)), and for the positive
part of t = x - y stands (t + (t^2 + 4 tau^2)^(1/2)) / 2. A limit is one more term of the minimum in (1), a steep ramp
that leaves 0 at the limit. Both have fat tails, so that devices far from any gain still know where to go.

| symbol | meaning | shape |
| --- | --- | --- |
| z, S, L | points of Z, quasi-Monte-Carlo draws, directions per draw | |
| b, K, D | films in a batch, devices, columns | |

Source: Daulton et al. 2021, noisy expected hypervolume improvement (arXiv 2105.08195), whose boxes and
inclusion-exclusion over 2^K sets of devices eq. (1) replaces; fat tails after Ament et al. 2023 (arXiv 2310.20708).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from models.directions import directions
from models.policies.joint_draws import JointDraws
from models.policies.living import first_alive
from models.surrogates.latent import Latent
from models.tensors import normal_draws, to_tensor
from models.utility import LARGER, Utility

PER_FACE = 4
"""Directions of each draw through each face of the unit cube: the draws differ by more than these can settle."""
SMOOTHING = 3e-4
"""Tau: the width over which the positive part is smoothed, a share of each objective's width."""
BLUR = 1e-2
"""Distance from a limit, in standardised units, within which a gain of one width is faded out."""
TOGETHER = 4_000_000
"""Most values of eq. (1) held at once."""


@dataclass(frozen=True)
class Aim:
    """What is made of one objective: its process, where it begins to count, and the size of a change that matters."""

    latents: Sequence[Latent]
    reference: float
    """Maximised, in physical units."""
    width: float
    """Physical units, above 0."""
    utility: Utility = LARGER
    """What a value in physical units is worth."""


@dataclass(frozen=True)
class Limits:
    """What is allowed of one outcome: its process and limits in physical units, infinite where there is none."""

    latents: Sequence[Latent]
    lower: float
    upper: float


class FilmHypervolume:
    """Gain of films over everything read or in flight, for one decision; `gain` is in widths, all multiplied."""

    def __init__(
        self,
        aims: Sequence[Aim],
        limits: Sequence[Limits],
        known: Tensor,
        *,
        devices: int,
        draws: int,
        seed: int,
        progress: Callable[[str], None] | None = None,
        chances: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        """Draw the values at the known points, once.

        Args:
            aims: The objectives, 1 to 4.
            limits: The outcomes.
            known: Z, `z x D` distinct points that may belong to the front; z >= 1.
            devices: Largest number of devices of a film, K.
            draws: Number of draws, S; components of an averaged surrogate share them evenly.
            seed: Seed of the draws and directions.
            progress: Called before each batch of films is scored; may raise to stop.
            chances: Probability of each device to work, of films `b x K x D`: `b x K`. None: all work.
        """
        latents = [*(aim.latents for aim in aims), *(limit.latents for limit in limits)]
        parts = max(len(components) for components in latents)
        share = -(-draws // parts)

        size = len(known) + devices
        nets = [torch.split(normal_draws(share, size * len(latents), seed + part).mT, size) for part in range(parts)]
        drawn = [
            JointDraws([components[part % len(components)] for part in range(parts)], known, normal)
            for components, normal in zip(latents, zip(*nets, strict=True), strict=True)
        ]
        u = to_tensor(np.concatenate([directions(share, PER_FACE, len(aims), seed + part) for part in range(parts)]))
        scaled = [_Scaled.of(aim, draws) for aim, draws in zip(aims, drawn, strict=False)]
        limited = [_Limited.of(limit, draws) for limit, draws in zip(limits, drawn[len(aims) :], strict=True)]
        self._reached = _Reached(scaled, limited, u)
        self._objectives = len(aims)
        self._progress, self._chances = progress, chances

    def value(self, X: Tensor) -> Tensor:
        """Logarithm of the smoothed eq. (2), `b`: finite, with finite gradient in X, everywhere."""
        return self._over_films(X, self._value)

    def gain(self, X: Tensor) -> Tensor:
        """Eq. (2), `b`, in the product of the widths."""
        return self._over_films(X, self._gain)

    def _value(self, X: Tensor) -> Tensor:
        return self._living(X, smooth=True).mean(dim=-1).log()

    def _gain(self, X: Tensor) -> Tensor:
        return self._living(X, smooth=False).mean(dim=-1)

    def _living(self, X: Tensor, *, smooth: bool) -> Tensor:
        """What a film adds in every draw and direction, over its devices that live: `b x (S L)`."""
        reach, known = self._reached.reach(X, smooth=smooth), self._reached.known
        if self._chances is None:
            return self._added(reach.amax(dim=-2), known, smooth=smooth)
        ordered, weights = first_alive(reach, self._chances(X))
        return (weights.exp() * self._added(ordered, known, smooth=smooth)).sum(dim=-2)

    def _added(self, reach: Tensor, known: Tensor, *, smooth: bool) -> Tensor:
        """The hypervolume between two reaches, `... x (S L)`; of eq. (2), or smoothed and always above 0."""
        change, far = reach - known, reach.clamp_min(SMOOTHING)
        positive = change.clamp_min(0.0)
        if smooth:
            tail = (change.square() + 4.0 * SMOOTHING**2).sqrt() + change.abs()
            positive = positive + 2.0 * SMOOTHING**2 / tail  # in this form no digit is lost far from any gain
        powers = torch.ones_like(known)
        for power in range(1, self._objectives):
            powers = powers * far + known**power
        return positive * powers

    def _over_films(self, X: Tensor, asked: Callable[[Tensor], Tensor]) -> Tensor:
        """Ask for as many films at once as fit."""
        if self._progress is not None:
            self._progress("scoring films")
        size = max(1, TOGETHER // (X.shape[-2] * len(self._reached.known)))
        return torch.cat([asked(some) for some in torch.split(X, size)])


@dataclass(frozen=True)
class _Scaled:
    """An objective in widths above its reference, in every draw."""

    draws: JointDraws
    utility: Utility
    zero: float
    unit: float

    @classmethod
    def of(cls, aim: Aim, draws: JointDraws) -> "_Scaled":
        latent = aim.latents[0]
        utility = aim.utility.standardised(latent.centre, latent.scale)
        zero = aim.utility.standardised_worth(aim.reference, latent.centre, latent.scale)
        return cls(draws, utility, zero, aim.width / latent.scale)

    def known(self) -> Tensor:
        """At Z, `z x S`."""
        return (self.utility.of(self.draws.reference) - self.zero) / self.unit

    def at(self, X: Tensor) -> Tensor:
        """At the devices of films, `b x K x S`."""
        return (self.utility.of(self.draws.at(X)) - self.zero) / self.unit


@dataclass(frozen=True)
class _Limited:
    """An outcome in standardised units, in every draw."""

    draws: JointDraws
    lower: float
    upper: float

    @classmethod
    def of(cls, limits: Limits, draws: JointDraws) -> "_Limited":
        latent = limits.latents[0]
        lower, upper = ((bound - latent.centre) / latent.scale for bound in (limits.lower, limits.upper))
        return cls(draws, lower, upper)

    def allows(self, values: Tensor) -> Tensor:
        """Whether values are within the limits."""
        return (values >= self.lower) & (values <= self.upper)

    def ramp(self, values: Tensor) -> Tensor:
        """How far inside the limits values are, in `BLUR`."""
        return torch.minimum(values - self.lower, self.upper - values) / BLUR


class _Reached:
    """Draws of every property, with the directions (S x L x m) of each draw."""

    def __init__(self, aims: Sequence[_Scaled], limits: Sequence[_Limited], u: Tensor) -> None:
        self._aims, self._limits, self._inverse = aims, limits, 1.0 / u
        reach = self._reach([aim.known() for aim in aims])
        for limit in limits:
            reach = torch.where(limit.allows(limit.draws.reference)[..., None], reach, 0.0)
        self.known: Tensor = reach.amax(dim=-3).clamp_min(0.0).flatten()
        """How far Z reaches, `(S L)`."""

    def reach(self, X: Tensor, *, smooth: bool) -> Tensor:
        """Eq. (1) at the devices of films (b x K x D) in every draw and direction, `b x K x (S L)`."""
        reach = self._reach([aim.at(X) for aim in self._aims])
        for limit in self._limits:
            values = limit.draws.at(X)
            if smooth:
                reach = torch.minimum(reach, limit.ramp(values)[..., None])
            else:
                reach = torch.where(limit.allows(values)[..., None], reach, 0.0)
        return reach.flatten(start_dim=-2)

    def _reach(self, values: Sequence[Tensor]) -> Tensor:
        """Eq. (1) without limits, `... x S x L`, of values `... x S` of each objective."""
        reach = values[0][..., None] * self._inverse[..., 0]
        for i, other in enumerate(values[1:], start=1):
            reach = torch.minimum(reach, other[..., None] * self._inverse[..., i])
        return reach
