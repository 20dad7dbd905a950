"""Expected improvement of a whole film: the joint gain of its devices over everything read or in flight."""

import numpy as np
from numpy.typing import NDArray

from models.catalog import ExpectedImprovement
from models.errors import NoFeasibleFilm
from models.film import Film
from models.policies.base import Alternative, Question, Recommendation, counted
from models.policies.film_acquisition import FilmImprovement, device_subset
from models.policies.film_optimizer import Candidate, best_films, distinct
from models.structures import legal_film
from models.tensors import to_tensor

Array = NDArray[np.float64]

BASELINE = 100
"""Read points that may hold the best value: those with the best posterior mean."""
RUNNERS_UP = 5
"""Alternatives that are reported."""


class ExpectedImprovementPolicy:
    """The film whose best device is expected to beat everything read or in flight by the most."""

    needs_model = True

    def __init__(self, options: ExpectedImprovement) -> None:
        self.options = options

    def recommend(self, question: Question) -> Recommendation:
        """Choose one film.

        Raises:
            NoFeasibleFilm: If no film obeys every rule.
        """
        latent = question.model().latent()
        acquisition = FilmImprovement(
            latent,
            to_tensor(reference_points(question)),
            devices=len(device_subset(question.problem.film.devices)),
            draws=self.options.mc_samples,
            seed=question.seed,
            progress=question.progress,
        )
        ranked = best_films(question, acquisition, self.options)
        film, chosen = _first_legal(question, ranked)
        gains = _Gains(question, acquisition, latent.scale)
        gain = gains.of(chosen)
        rest = [c for c in ranked if c is not chosen]
        alternatives = _alternatives(question, [chosen, *rest], gains)
        reason = _reason(question, gain)
        return Recommendation(film, None, None, gain, "expected_improvement", "model", reason, alternatives)


class _Gains:
    """Expected improvement in physical units."""

    def __init__(self, question: Question, acquisition: FilmImprovement, scale: float) -> None:
        s = question.problem.film.mixing()
        self._s = s[device_subset(len(s))]
        self._acquisition, self._scale = acquisition, scale

    def of(self, candidate: Candidate) -> float:
        """Expected improvement of one film."""
        points = to_tensor(candidate.structure.points(candidate.w[None], self._s))
        return self._scale * float(self._acquisition.gain(points)[0])


def reference_points(question: Question) -> Array:
    """Distinct points whose best value is to be beaten: the read ones with the best mean, and those in flight."""
    read = np.unique(question.read().X, axis=0)
    mean = question.model().predict(read).mean[:, 0]
    best = read[np.sort(np.argsort(-mean, kind="stable")[:BASELINE])]
    return np.unique(
        np.vstack([best, *(film.points()[device_subset(len(film.s))] for film in question.pending)]), axis=0
    )


def _first_legal(question: Question, ranked: list[Candidate]) -> tuple[Film, Candidate]:
    """The best candidate that obeys every rule.

    Raises:
        NoFeasibleFilm: If there is none.
    """
    for candidate in ranked:
        film = legal_film(candidate.structure, candidate.w, question.problem.space, question.problem.film)
        if film is not None:
            return film, candidate
    raise NoFeasibleFilm(f"none of {len(ranked)} films obeys every rule of the search space")


def _alternatives(question: Question, ranked: list[Candidate], gains: _Gains) -> tuple[Alternative, ...]:
    """Distinct runners-up; where films are pair-graded, also the best film of every other pair."""
    wanted = distinct(ranked, RUNNERS_UP + 1)[1:]
    if question.problem.film.grading == "pair":
        by_pair: dict[tuple[int, int] | None, Candidate] = {}
        for candidate in ranked:
            by_pair.setdefault(candidate.structure.pair, candidate)
        wanted = list(by_pair.values())[1:] or wanted
    found = []
    for candidate in wanted:
        film = legal_film(candidate.structure, candidate.w, question.problem.space, question.problem.film)
        if film is not None:
            found.append(Alternative(film.a, film.b, film.process, gains.of(candidate), _pair(question, candidate)))
    return tuple(sorted(found, key=lambda a: -a.gain))


def _pair(question: Question, candidate: Candidate) -> tuple[str, str] | None:
    pair, elements = candidate.structure.pair, question.problem.space.elements
    return None if pair is None else (elements[pair[0]], elements[pair[1]])


def _reason(question: Question, gain: float) -> str:
    objective = question.problem.objectives[0]
    flight = f" and {counted(len(question.pending), 'film')} in flight" if question.pending else ""
    known = counted(len(question.read()), "reading")
    text = f"expected improvement {gain:.3g} {objective.unit} over the best of {known}{flight}"
    if not question.structures.complete:
        text += f"; {len(question.structures.items)} of the possible film structures were drawn and searched"
    return text
