"""Joint noisy expected hypervolume improvement of whole films, with limits on other properties.

With f_1..f_m the latent objectives above a reference point, in units of a width each, Z the points that may already
belong to the front (read or in flight) and X the K devices of a film, a device reaches along a direction u as far as

    rho_k(u) = min_i f_i(x_k) / u_i   where every outcome is within its limits, else 0                     (1)

and with rho_0(u) the same over the best of Z, the film adds the hypervolume (see `models/pareto.py`)

    gain(X) = E[ max(0, max_k rho_k(u)^m - rho_0(u)^m) | readings ]                                        (2)

over joint draws of all properties and directions u: each draw has directions of its own. The devices of a film count
together by one maximum, for any K; where devices may be dead, by its expectation over the living (`living.py`). With
one objective u = 1, and (2) is constrained noisy expected improvement.

The search climbs the logarithm of a smoothed (2): x^m - y^m = (x - y)(x^(m-1) + .. + y^(m-1)), with a fat-tailed
positive part of x - y, and fat-tailed limits, so that devices far from any gain still know where to go.

| symbol | meaning | shape |
| --- | --- | --- |
| z, S, L | points of Z, quasi-Monte-Carlo draws, directions per draw | |
| b, K, D | films in a batch, devices, columns | |

Source: Daulton et al. 2021, noisy expected hypervolume improvement (arXiv 2105.08195), whose boxes and
inclusion-exclusion over 2^K sets of devices eq. (1) replaces; smoothing after Ament et al. 2023 (arXiv 2310.20708).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from botorch.utils.safe_math import log_fatmoid, log_fatplus, logmeanexp
from torch import Tensor

from models.pareto import directions
from models.policies.joint_draws import JointDraws
from models.policies.living import first_alive
from models.surrogates.latent import Latent
from models.tensors import normal_draws, to_tensor

PER_FACE = 8
"""Directions of each draw through each face of the unit cube."""
SMOOTHING = 1e-3
"""Width over which the positive part is smoothed: a share of each objective's width."""
BLUR = 1e-2
"""Width, in standardised units, over which a limit is smoothed."""
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

        def component(part: int) -> _Component:
            chosen = [components[part % len(components)] for components in latents]
            size = len(known) + devices
            normal = torch.split(normal_draws(share, size * len(chosen), seed + part).mT, size)
            drawn = [JointDraws(latent, known, some) for latent, some in zip(chosen, normal, strict=True)]
            scaled = [_Scaled.of(aim, draws, latent) for aim, draws, latent in zip(aims, drawn, chosen, strict=False)]
            after = zip(limits, drawn[len(aims) :], chosen[len(aims) :], strict=True)
            limited = [_Limited.of(limit, draws, latent) for limit, draws, latent in after]
            return _Component(scaled, limited, to_tensor(directions(share, PER_FACE, len(aims), seed + part)))

        self._components = [component(part) for part in range(parts)]
        self._progress, self._chances = progress, chances

    def value(self, X: Tensor) -> Tensor:
        """Logarithm of the smoothed eq. (2), `b`: finite, with finite gradient in X, everywhere."""
        return self._over_films(X, self._value)

    def gain(self, X: Tensor) -> Tensor:
        """Eq. (2), `b`, in the product of the widths."""
        return self._over_films(X, self._gain)

    def _value(self, X: Tensor) -> Tensor:
        log_gains = torch.cat([c.log_improvements(X) for c in self._components], dim=-1)
        if self._chances is None:
            return logmeanexp(log_gains.amax(dim=-2), dim=-1)
        log_gains, weights = first_alive(log_gains, self._chances(X))
        return logmeanexp(torch.logsumexp(weights + log_gains, dim=-2), dim=-1)

    def _gain(self, X: Tensor) -> Tensor:
        gains = torch.cat([c.improvements(X) for c in self._components], dim=-1)
        if self._chances is None:
            return gains.amax(dim=-2).mean(dim=-1)
        gains, weights = first_alive(gains, self._chances(X))
        return (weights.exp() * gains).sum(dim=-2).mean(dim=-1)

    def _over_films(self, X: Tensor, asked: Callable[[Tensor], Tensor]) -> Tensor:
        """Ask for as many films at once as fit."""
        if self._progress is not None:
            self._progress("scoring films")
        size = max(1, TOGETHER // (X.shape[-2] * sum(c.size for c in self._components)))
        return torch.cat([asked(some) for some in torch.split(X, size)])


@dataclass(frozen=True)
class _Scaled:
    """An objective in widths above its reference, in every draw."""

    draws: JointDraws
    zero: float
    unit: float

    @classmethod
    def of(cls, aim: Aim, draws: JointDraws, latent: Latent) -> "_Scaled":
        return cls(draws, (aim.reference - latent.centre) / latent.scale, aim.width / latent.scale)

    def known(self) -> Tensor:
        """At Z, `z x S`."""
        return (self.draws.reference - self.zero) / self.unit

    def at(self, X: Tensor) -> Tensor:
        """At the devices of films, `b x K x S`."""
        return (self.draws.at(X) - self.zero) / self.unit


@dataclass(frozen=True)
class _Limited:
    """An outcome in standardised units, in every draw."""

    draws: JointDraws
    lower: float
    upper: float

    @classmethod
    def of(cls, limits: Limits, draws: JointDraws, latent: Latent) -> "_Limited":
        lower, upper = ((bound - latent.centre) / latent.scale for bound in (limits.lower, limits.upper))
        return cls(draws, lower, upper)

    def allows(self, values: Tensor) -> Tensor:
        """Whether values are within the limits."""
        return (values >= self.lower) & (values <= self.upper)

    def log_allows(self, values: Tensor) -> Tensor:
        """Smoothed logarithm of the same."""
        total = torch.zeros_like(values)
        if math.isfinite(self.lower):
            total = total + log_fatmoid(values - self.lower, tau=BLUR)
        if math.isfinite(self.upper):
            total = total + log_fatmoid(self.upper - values, tau=BLUR)
        return total


class _Component:
    """Draws of one process per property, with the directions (S x L x m) of each draw."""

    def __init__(self, aims: Sequence[_Scaled], limits: Sequence[_Limited], u: Tensor) -> None:
        self._aims, self._limits, self._u = aims, limits, u
        self.size = u.shape[0] * u.shape[1]
        allowed = [limit.allows(limit.draws.reference) for limit in limits]
        reach = self._reach([aim.known() for aim in aims], allowed)
        self._known: Tensor = reach.amax(dim=-3).clamp_min(0.0)

    def improvements(self, X: Tensor) -> Tensor:
        """What each device adds by itself in every draw and direction, `b x K x (S L)`."""
        allowed = [limit.allows(limit.draws.at(X)) for limit in self._limits]
        reach, m = self._reach([aim.at(X) for aim in self._aims], allowed).clamp_min(0.0), len(self._aims)
        return (reach**m - self._known**m).clamp_min(0.0).flatten(start_dim=-2)

    def log_improvements(self, X: Tensor) -> Tensor:
        """Its smoothed logarithm, `b x K x (S L)`."""
        reach, m = self._reach([aim.at(X) for aim in self._aims], []), len(self._aims)
        log_gain = log_fatplus(reach - self._known, tau=SMOOTHING)
        if m > 1:
            far = reach.clamp_min(SMOOTHING)
            powers = torch.stack([far**j * self._known ** (m - 1 - j) for j in range(m)])
            log_gain = log_gain + powers.sum(dim=0).log()
        for limit in self._limits:
            log_gain = log_gain + limit.log_allows(limit.draws.at(X))[..., None]
        flat: Tensor = log_gain.flatten(start_dim=-2)
        return flat

    def _reach(self, values: Sequence[Tensor], allowed: Sequence[Tensor]) -> Tensor:
        """Eq. (1), `... x S x L`, of values `... x S` of each objective; 0 where a mask `... x S` does not allow it."""
        reach = values[0][..., None] / self._u[..., 0]
        for i, other in enumerate(values[1:], start=1):
            reach = torch.minimum(reach, other[..., None] / self._u[..., i])
        for mask in allowed:
            reach = torch.where(mask[..., None], reach, 0.0)
        return reach
