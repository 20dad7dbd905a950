"""From an acquisition to a recommendation: search all films, take the best legal one, and say what else there was."""

from dataclasses import dataclass, replace

from models.catalog import FilmSearch
from models.film import Film
from models.policies.base import Alternative, Origin, PairScore, Question, Recommendation
from models.policies.cost import FilmCost, Priced, film_cost
from models.policies.film_acquisition import FilmAcquisition
from models.policies.film_optimizer import Candidate, best_films, best_of_pairs, distinct
from models.policies.makeable import best_makeable, gains_of
from models.problem import Problem
from models.structures import legal_film

RUNNERS_UP = 5
"""Alternatives that are reported."""
TOLD = 0.005
"""Smaller changes along a film are not told."""


BEGAN: dict[Origin, str] = {
    "systematic": "",
    "uniform": "; the search began from a composition drawn evenly",
    "jitter": "; the search began near what was read",
    "generator": "; the search began from a generated composition",
}
"""What a reason has to add of the start of the search."""


@dataclass(frozen=True)
class Chosen:
    """The best legal film of a search and what it beat."""

    film: Film
    gain: float
    """In the objective's unit, as the acquisition counts it."""
    alternatives: tuple[Alternative, ...]
    pairs: tuple[PairScore, ...] = ()
    """Gain of the best film of each pair that can be graded."""
    why: str = ""
    """Which elements the film grades, and why, for the reason."""
    cost: FilmCost | None = None
    start: Origin = "systematic"
    """What laid the film from which the search came to this one."""

    def recommend(self, policy: str, reason: str) -> Recommendation:
        """As the answer of a policy with a model."""
        said = reason + self.why + BEGAN[self.start]
        answer = Recommendation(
            *(self.film, None, None, self.gain, policy, "model", said, self.alternatives, self.pairs),
            start=self.start,
        )
        if self.cost is None:
            return answer
        return replace(
            answer, reason=f"{answer.reason}; {self.cost.describe(self.film)}", cost=self.cost.of_film(self.film)
        )


def search(
    question: Question,
    acquisition: FilmAcquisition,
    options: FilmSearch,
    scale: float,
    rough: FilmAcquisition | None = None,
) -> Chosen:
    """Choose the film of largest acquisition value.

    Args:
        question: The problem and what is known.
        acquisition: What a film is worth.
        options: Numbers of starting films and of refinements.
        scale: Physical units per unit of the acquisition's gain.
        rough: About the same in less time, for all films but the last few; `acquisition` itself if not given.

    Raises:
        NoFeasibleFilm: If no film obeys every rule.
    """
    cost = None if options.cost is None else film_cost(question, options.cost)
    climbed = acquisition if cost is None else Priced(acquisition, cost)
    first = rough if rough is None or cost is None else Priced(rough, cost)
    return choose(question, best_films(question, climbed, options, first), acquisition, scale, cost)


def choose(
    question: Question, ranked: list[Candidate], acquisition: FilmAcquisition, scale: float, cost: FilmCost | None
) -> Chosen:
    """The best one of some films that can be made, and what it beat.

    Args:
        question: The problem and what is known.
        ranked: Films, the best first.
        acquisition: What a film is worth.
        scale: Physical units per unit of the acquisition's gain.
        cost: Against which the worth is weighed, if anything.

    Raises:
        NoFeasibleFilm: If none of them obeys every rule.
    """
    climbed = acquisition if cost is None else Priced(acquisition, cost)
    film, chosen = best_makeable(question, climbed, ranked)
    runners_up = _alternatives(question, [chosen, *(c for c in ranked if c is not chosen)])
    pairs = _pair_films(question, ranked)
    films = [film, *(f for f, _ in runners_up), *(f for f, _ in pairs)]
    gains = [scale * gain for gain in gains_of(question, acquisition, films)]
    others = [
        Alternative(f.a, f.b, f.process, gain, _pair(question, c))
        for (f, c), gain in zip(runners_up, gains[1:], strict=False)
    ]
    scores = _scores(question, pairs, gains[1 + len(runners_up) :])
    unit = question.problem.objectives[0].unit if len(question.problem.objectives) == 1 else ""
    why = grading_words(film, question.problem, scores, unit)
    return Chosen(film, gains[0], tuple(sorted(others, key=lambda a: -a.gain)), scores, why, cost, chosen.origin)


def searched(question: Question) -> str:
    """What a reason has to add where not every structure was searched, else nothing."""
    if question.structures.complete:
        return ""
    return f"; {len(question.structures.items)} of the possible film structures were drawn and searched"


def _alternatives(question: Question, ranked: list[Candidate]) -> list[tuple[Film, Candidate]]:
    """Distinct runners-up; where films are pair-graded, also the best film of every other pair."""
    wanted = distinct(ranked, RUNNERS_UP + 1, question.structures.extent)[1:]
    if question.problem.film.grading == "pair":
        wanted = [c for c in best_of_pairs(ranked).values() if c is not ranked[0]] or wanted
    made = ((_legal(question, candidate), candidate) for candidate in wanted)
    return [(film, candidate) for film, candidate in made if film is not None]


def _pair_films(question: Question, ranked: list[Candidate]) -> list[tuple[Film, Candidate]]:
    """The best film that can be made of each pair that trades."""
    made = ((_legal(question, candidate), candidate) for candidate in best_of_pairs(ranked).values())
    return [(film, candidate) for film, candidate in made if film is not None]


def _scores(question: Question, films: list[tuple[Film, Candidate]], gains: list[float]) -> tuple[PairScore, ...]:
    """The pairs with their gains, the most gainful first."""
    named = ((_pair(question, candidate), gain) for (_, candidate), gain in zip(films, gains, strict=True))
    scores = [PairScore(pair, gain) for pair, gain in named if pair is not None]
    return tuple(sorted(scores, key=lambda score: -score.gain))


def grading_words(film: Film, problem: Problem, scores: tuple[PairScore, ...], unit: str) -> str:
    """Which elements a film grades, and what grading pairs would gain: for the reason, empty if there is no choice."""
    if len(scores) < 2:
        return ""
    change = dict(zip(problem.space.elements, (film.b - film.a).tolist(), strict=True))
    graded = [f"{e} {x:+.2f}" for e, x in sorted(change.items(), key=lambda item: -abs(item[1])) if abs(x) > TOLD]
    text = f"; grades {', '.join(graded)}" if graded else "; uniform"
    first, second = scores[0], scores[1]
    text += f"; of pairs alone {first.pair[0]}-{first.pair[1]} gains {first.gain:.3g} {unit}".rstrip()
    return f"{text}, next best {second.pair[0]}-{second.pair[1]} {second.gain:.3g} {unit}".rstrip()


def _legal(question: Question, candidate: Candidate) -> Film | None:
    return legal_film(candidate.structure, candidate.w, question.problem.space, question.problem.film)


def _pair(question: Question, candidate: Candidate) -> tuple[str, str] | None:
    pair, elements = candidate.structure.pair, question.problem.space.elements
    return None if pair is None else (elements[pair[0]], elements[pair[1]])
