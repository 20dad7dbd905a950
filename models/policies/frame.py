"""Where each objective begins to count, and what is to be beaten, as the readings of a decision have it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.catalog import FilmSearch
from models.directions import directions, reach
from models.objective import Objective
from models.pareto import non_dominated, reference_point
from models.policies.base import Question, counted, towards
from models.policies.film_acquisition import device_subset
from models.policies.film_hypervolume import Aim, FilmHypervolume, Limits
from models.policies.film_search import Chosen, search, searched
from models.policies.survival import device_chances
from models.problem import Problem
from models.surrogates.base import Prediction
from models.surrogates.coarse_latent import coarse
from models.surrogates.latent import Latent
from models.tensors import to_tensor

Array = NDArray[np.float64]

BASELINE = 100
"""Read points that may belong to the front: those that reach furthest in some direction."""
LIKELY = 0.5
"""Least probability of keeping within all limits at which a read point counts for the reference point."""
LEAST = 1e-3
"""Least width of an objective, in standardised units; where the readings reach less far, one unit serves."""


def chance_within(problem: Problem, predicted: Prediction) -> Array:
    """Probability that every outcome is within its limits at each of j points, `j`."""
    m = len(problem.objectives)
    chances = [o.chance(predicted.mean[:, m + k], predicted.sd[:, m + k]) for k, o in enumerate(problem.outcomes)]
    return np.asarray(np.prod(chances, axis=0)) if chances else np.ones(len(predicted.mean))


def _counting(sought: Objective, reference: float) -> str:
    """From where an objective counts, in words; the reference as it is maximised."""
    if sought.target is not None:
        far = sought.tolerance - reference
        return f"{sought.property} within {far:.3g} {sought.unit} of {sought.target:.3g} {sought.unit}"
    side = "above" if sought.sign() > 0 else "below"
    return f"{sought.property} {side} {sought.sign() * reference:.3g} {sought.unit}"


class Frame:
    """What the readings say of a problem's objectives and outcomes: where each counts and what is to be beaten."""

    def __init__(self, question: Question) -> None:
        problem, m = question.problem, len(question.problem.objectives)
        self._question = question
        self._read = np.unique(question.read().X, axis=0)
        predicted = question.model().predict(self._read)
        self._chance = chance_within(problem, predicted)
        self._worth, likely = predicted.expected(problem.objectives), self._chance >= LIKELY
        seen = self._worth[likely] if likely.any() else self._worth
        self._front = int(non_dominated(seen).sum()) if likely.any() else 0
        self.reference: Array = reference_point(problem.objectives, seen)
        """`m` maximised values below which an objective counts for nothing."""
        latents = [question.model().latents(k)[0] for k in range(m)]
        range_ = seen.max(0) - self.reference
        self.width: Array = np.array(
            [w if w > LEAST * p.scale else p.scale for w, p in zip(range_, latents, strict=True)]
        )
        """`m` distances from there to the best, in physical units."""
        self.scale = float(np.prod(self.width))
        """Physical units, multiplied, per unit of the acquisition's gain."""

    def search(self, options: FilmSearch, draws: int) -> Chosen:
        """The film of this question whose gain is largest.

        Raises:
            NoFeasibleFilm: If no film obeys every rule.
        """
        latents = self._latents()
        less = [coarse(processes) for processes in latents]
        few = all(some is processes for some, processes in zip(less, latents, strict=True))
        rough = None if few else self._gain(less, draws)
        return search(self._question, self._gain(latents, draws), options, self.scale, rough)

    def acquisition(self, draws: int) -> FilmHypervolume:
        """The gain of films of this question."""
        return self._gain(self._latents(), draws)

    def _latents(self) -> list[tuple[Latent, ...]]:
        """The processes of every property."""
        return [self._question.model().latents(k) for k in range(len(self._question.problem.properties))]

    def _gain(self, latents: Sequence[Sequence[Latent]], draws: int) -> FilmHypervolume:
        question, problem, m = self._question, self._question.problem, len(self.reference)
        return FilmHypervolume(
            [
                Aim(latents[k], float(self.reference[k]), float(self.width[k]), problem.objectives[k].utility())
                for k in range(m)
            ],
            [Limits(latents[m + k], *o.limits()) for k, o in enumerate(problem.outcomes)],
            to_tensor(self.known()),
            devices=len(device_subset(problem.film.devices)),
            draws=draws,
            seed=question.seed,
            progress=question.progress,
            chances=device_chances(question),
        )

    def known(self) -> Array:
        """Distinct points that may belong to the front: read ones that reach furthest, and those in flight."""
        rank = self.rank(self._worth, self._chance)
        ranked = np.argsort(rank, kind="stable")
        # What was found elsewhere is to be reached, not beaten: as long as that is all, its worst point counts.
        best = self._read[ranked[-1:] if self._question.rests_on_prior else np.sort(ranked[:BASELINE])]
        flight = [film.points()[device_subset(len(film.s))] for film in self._question.pending]
        return np.unique(np.vstack([best, *flight]), axis=0)

    def above(self, values: Array) -> Array:
        """Objectives (first m of `... x properties`, maximised) above the reference, in widths: `... x m`."""
        return np.asarray((values[..., : len(self.reference)] - self.reference) / self.width)

    def rank(self, values: Array, chance: Array) -> NDArray[np.intp]:
        """Rank of points by what they are worth (n x properties) in the direction where each reaches furthest, `n`."""
        m = len(self.reference)
        far = reach(self.above(values), directions(8, 8, m, seed=0).reshape(-1, m)).clip(0.0) * chance[:, None]
        return np.asarray(np.argsort(np.argsort(-far, axis=0, kind="stable"), axis=0).min(1))

    def reason(self, gain: float) -> str:
        """What a person reads of the chosen film."""
        question, objectives = self._question, self._question.problem.objectives
        flight = f" and {counted(len(question.pending), 'film')} in flight" if question.pending else ""
        known = f"{question.known_from()}{flight}"
        if len(objectives) == 1:
            text = f"expected improvement {gain:.3g} {objectives[0].unit} over {question.known()}{flight}"
        else:
            counts = [_counting(o, float(r)) for o, r in zip(objectives, self.reference, strict=True)]
            text = f"expected hypervolume improvement {gain:.3g} {' x '.join(o.unit for o in objectives)}"
            text += f" over {counted(self._front, 'trade-off')} among {known}, counting {' and '.join(counts)}"
        target = towards(objectives[0]) if len(objectives) == 1 else ""
        return text + self._limited() + target + searched(question)

    def _limited(self) -> str:
        """What there is to say of outcomes."""
        outcomes = " and ".join(o.property for o in self._question.problem.outcomes)
        return f", with {outcomes} kept within limits" if outcomes else ""
