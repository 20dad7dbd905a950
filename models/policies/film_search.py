"""From an acquisition to a recommendation: search all films, take the best legal one, and say what else there was."""

from dataclasses import dataclass, replace

from models.catalog import FilmSearch
from models.errors import NoFeasibleFilm
from models.film import Film
from models.policies.base import Alternative, Question, Recommendation
from models.policies.cost import FilmCost, Priced, film_cost
from models.policies.film_acquisition import FilmAcquisition, device_subset
from models.policies.film_optimizer import Candidate, best_films, distinct
from models.structures import legal_film
from models.tensors import to_tensor

RUNNERS_UP = 5
"""Alternatives that are reported."""


@dataclass(frozen=True)
class Chosen:
    """The best legal film of a search and what it beat."""

    film: Film
    gain: float
    """In the objective's unit, as the acquisition counts it."""
    alternatives: tuple[Alternative, ...]
    cost: FilmCost | None = None

    def recommend(self, policy: str, reason: str) -> Recommendation:
        """As the answer of a policy with a model."""
        answer = Recommendation(self.film, None, None, self.gain, policy, "model", reason, self.alternatives)
        if self.cost is None:
            return answer
        return replace(answer, reason=f"{reason}; {self.cost.describe(self.film)}", cost=self.cost.of_film(self.film))


def search(question: Question, acquisition: FilmAcquisition, options: FilmSearch, scale: float) -> Chosen:
    """Choose the film of largest acquisition value.

    Args:
        question: The problem and what is known.
        acquisition: What a film is worth.
        options: Numbers of starting films and of refinements.
        scale: Physical units per unit of the acquisition's gain.

    Raises:
        NoFeasibleFilm: If no film obeys every rule.
    """
    cost = None if options.cost is None else film_cost(question, options.cost)
    climbed = acquisition if cost is None else Priced(acquisition, cost)
    return choose(question, best_films(question, climbed, options), acquisition, scale, cost)


def choose(
    question: Question, ranked: list[Candidate], acquisition: FilmAcquisition, scale: float, cost: FilmCost | None
) -> Chosen:
    """The first legal one of some films, the best first, and what it beat.

    Raises:
        NoFeasibleFilm: If none of them obeys every rule.
    """
    film, chosen = _first_legal(question, ranked)
    gains = _Gains(question, acquisition, scale)
    rest = [c for c in ranked if c is not chosen]
    return Chosen(film, gains.of(chosen), _alternatives(question, [chosen, *rest], gains), cost)


def searched(question: Question) -> str:
    """What a reason has to add where not every structure was searched, else nothing."""
    if question.structures.complete:
        return ""
    return f"; {len(question.structures.items)} of the possible film structures were drawn and searched"


class _Gains:
    """What films gain, in physical units."""

    def __init__(self, question: Question, acquisition: FilmAcquisition, scale: float) -> None:
        s = question.problem.film.mixing()
        self._s = s[device_subset(len(s))]
        self._acquisition, self._scale = acquisition, scale

    def of(self, candidate: Candidate) -> float:
        """The gain of one film."""
        points = to_tensor(candidate.structure.points(candidate.w[None], self._s))
        return self._scale * float(self._acquisition.gain(points)[0])


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
