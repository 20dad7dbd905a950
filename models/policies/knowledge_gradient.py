"""Knowledge gradient of a whole film: how much its readings are expected to raise the best posterior mean.

    KG(X) = E_z[ max_j (mu_j + W_j z) ] - max_j mu_j,     W = C_jX L^-T,     L L^T = Sigma + D + s_b^2 1 1^T   (1)

over a pool of feasible points j and the film's own devices; see `film_reading.py` for W. Unlike an improvement it cares
for what is known at the end, not for the luckiest device: it sees noise and film effect, and a repeated film is worth
what it teaches. With films in flight mu_j moves with their readings z_P too, and (1) is what the film adds to theirs:

    KG(X | P) = E[ max_j (mu_j + V_j z_P + W_j z) ] - E[ max_j (mu_j + V_j z_P) ]                          (2)

Draws of z come in pairs z, -z. With j* the best point before the film, each draw counts

    max_j [ (mu_j + W_j z) - (mu_j* + W_j* z) ] >= 0                                                       (3)

whose mean is (1), since W_j* z has mean 0. The best j other than j* gives the search a slope where none overtakes.

Points that are almost surely not the best are left out: dropping j lowers (1) by at most E[max(0, f_j - max mu)].

Source: Frazier, Powell, Dayanik 2009, The knowledge gradient for correlated normal beliefs (doi
10.1287/ijoc.1080.0314).
"""

from collections.abc import Sequence

import torch
from botorch.utils.safe_math import log_fatplus, logmeanexp
from torch import Tensor

from models.catalog import KnowledgeGradient
from models.policies.base import Question, Recommendation, counted
from models.policies.film_acquisition import SMOOTHING, device_subset
from models.policies.film_reading import FilmReading, after, devices_in_flight, known_positions, positions_of
from models.policies.film_search import search, searched
from models.policies.log_improvement import log_improvement
from models.policies.pool import promising_pool
from models.surrogates.base import Progress
from models.surrogates.latent import Latent
from models.tensors import normal_draws, to_tensor

TOGETHER = 1 << 19
"""Most values of eq. (3) held at once: as many as the cache takes."""
KEPT = 256
"""Points of the pool that are kept for all processes together."""
SURE = 1e-12
"""Least variance of f, relative to the prior's."""
FEWEST = 64
"""Points that are kept for each process, at least."""


class FilmKnowledge:
    """Eq. (2) for one decision: the mean over the processes, each with its share of the draws."""

    def __init__(
        self,
        latents: Sequence[Latent],
        pool: Tensor,
        *,
        devices: int,
        draws: int,
        seed: int,
        flight: Sequence[Tensor] = (),
        positions: Tensor | None = None,
        progress: Progress | None = None,
    ) -> None:
        """Draw the readings, once.

        Args:
            latents: The processes of the objective, equally likely.
            pool: `j x D` distinct feasible points among which the best mean is sought; j >= 1.
            devices: Largest number of devices of a film, K.
            draws: Number of draws for all processes together.
            seed: Seed of the draws.
            flight: Devices of each film in flight, `K x D` each.
            positions: Positions of the devices along a film, K, where noise depends on them.
            progress: Called before each batch of films is scored; may raise to stop.
        """
        share = -(-draws // len(latents))
        kept = max(KEPT // len(latents), FEWEST)
        self._parts = [
            _Component(latent, contenders(latent, pool, kept), flight, devices=devices, draws=share, seed=seed + k)
            for k, latent in enumerate(latents)
        ]
        self._positions, self._progress = positions, progress
        self._width = SMOOTHING * max(part.width for part in self._parts)

    def rises(self, X: Tensor) -> Tensor:
        """The best other point over the best one before the film, in every draw: `b x S`. Eq. (3) if not negative."""
        if self._progress is not None:
            self._progress("scoring films")
        positions = known_positions(self._positions, X.shape[-2])
        return torch.cat([part.rises(X, positions) for part in self._parts], dim=-1)

    def value(self, X: Tensor) -> Tensor:
        """Smoothed logarithm of eq. (2), `b`: finite, with finite gradient in X, even where nothing is learnt."""
        return logmeanexp(log_fatplus(self.rises(X), tau=self._width), dim=-1)

    def gain(self, X: Tensor) -> Tensor:
        """Eq. (2), `b`, in standardised units."""
        return self.rises(X).clamp_min(0.0).mean(dim=-1)


class _Component:
    """The pool and the draws of one process. Values are counted from those of the best point of the pool, j*."""

    def __init__(
        self, latent: Latent, pool: Tensor, flight: Sequence[Tensor], *, devices: int, draws: int, seed: int
    ) -> None:
        pending = sum(len(film) for film in flight)
        self._latent, self._pool = after(latent, flight), pool
        self._half, self._readings = self._latent.half(pool), latent.project.shape[1]
        normal = normal_draws(-(-draws // 2), pending + devices, seed)
        self._before = torch.cat([normal[:, :pending]] * 2)
        self._z = torch.cat([normal[:, pending:], -normal[:, pending:]])
        self.width = float(deviations(self._latent, pool, self._half).amax())
        """Largest standard deviation of f in the pool."""
        today = self._today(self._half)
        self._level, self._best = today.max(dim=0)
        self._behind = today - self._level
        self._behind[self._best, torch.arange(len(self._best))] = -torch.inf

    def _today(self, half: Tensor) -> Tensor:
        """Means, in every draw of the readings of the films in flight: `... x S` for `half` (... x r)."""
        mean = half @ self._latent.whitened
        moved: Tensor = mean[..., None] + half[..., self._readings :] @ self._before.mT
        return moved

    def rises(self, X: Tensor, positions: Tensor | None) -> Tensor:
        """Eq. (3) without the point that is best today, `b x S`."""
        together = max(1, TOGETHER // self._behind.numel())
        return torch.cat([self._of(films, positions) for films in torch.split(X, together)])

    def _of(self, X: Tensor, positions: Tensor | None) -> Tensor:
        film, z = FilmReading(self._latent, X, positions), self._z[:, : X.shape[-2]]
        W = film.change(self._pool, self._half)
        champion = (W[:, self._best, :] * z).sum(dim=-1)
        others = (W @ z.mT).add_(self._behind).amax(dim=1)
        today = self._today(film.half) - self._level
        later = today + film.own_change() @ z.mT
        lead, leader = today.max(dim=1)
        first = torch.nn.functional.one_hot(leader, X.shape[-2]).mT.bool()
        leading = lead > 0.0
        # Where a device of the film is best today, it takes the place of j*, and j* is one of the others.
        devices = later.masked_fill(first & leading[:, None, :], -torch.inf).amax(dim=1)
        device = later.gather(1, leader[:, None, :])[:, 0]
        rivals = torch.maximum(others, torch.where(leading, champion, -torch.inf))
        rises: Tensor = torch.maximum(rivals, devices) - torch.where(leading, device, champion)
        return rises


def contenders(latent: Latent, pool: Tensor, count: int) -> Tensor:
    """The points of a pool (j x D) with the largest E[max(0, f_j - max mu)], the one with the best mean among them."""
    half = latent.half(pool)
    mean = half @ latent.whitened
    sd = deviations(latent, pool, half)
    chance = log_improvement((mean - mean.amax()) / sd) + sd.log()
    chance[mean.argmax()] = torch.inf
    kept = torch.argsort(chance, descending=True, stable=True)[:count].sort().values
    # A pool of one point knows its best already; seen twice, it gains nothing instead of comparing with nothing.
    return pool[kept] if len(kept) > 1 else pool[kept].repeat(2, 1)


def deviations(latent: Latent, at: Tensor, half: Tensor) -> Tensor:
    """Standard deviation of f at points `at` (j x D) with their `latent.half`, above 0: `j`."""
    return latent.variances(at, half).clamp_min(SURE * latent.variance).sqrt()


class KnowledgeGradientPolicy:
    """The film after which the best composition is expected to be known best."""

    needs_model = True

    def __init__(self, options: KnowledgeGradient) -> None:
        self.options = options

    def recommend(self, question: Question) -> Recommendation:
        """Choose one film.

        Raises:
            NoFeasibleFilm: If no film obeys every rule.
        """
        latents = question.model().latents()
        acquisition = FilmKnowledge(
            latents,
            to_tensor(promising_pool(question, self.options.pool).points),
            devices=len(device_subset(question.problem.film.devices)),
            draws=self.options.mc_samples,
            seed=question.seed,
            flight=devices_in_flight(question),
            positions=positions_of(question),
            progress=question.progress,
        )
        chosen = search(question, acquisition, self.options, latents[0].scale)
        flight = f" beyond {counted(len(question.pending), 'film')} in flight" if question.pending else ""
        unit = question.problem.objectives[0].unit
        reason = f"its readings are expected to raise the best posterior mean by {chosen.gain:.3g} {unit}{flight}"
        return chosen.recommend("knowledge_gradient", reason + searched(question))
