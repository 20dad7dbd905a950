"""From the best films as wanted to the best film that can be made.

Where the tools have steps (a deposition grid, process variables with a step), the best films are rounded in command
space, valued again as the films they have become, and improved step by step: the best wanted film does not always
round to the best film.
"""

from collections.abc import Sequence

import numpy as np
import torch

from models.errors import NoFeasibleFilm
from models.film import Film, film_violations
from models.policies.base import Question
from models.policies.film_acquisition import FilmAcquisition, device_subset
from models.policies.film_optimizer import BATCH, Candidate, best_of_pairs, distinct
from models.policies.random_films import only_film
from models.rounding import Rounding, Wanted
from models.structures import legal_film
from models.tensors import to_array, to_tensor

IMPROVED = 3
"""Rounded films that are improved step by step."""
ROUNDED = 8
"""Best films that are rounded, beside the best one of each pair."""
ROUNDINGS = 12
"""Roundings of each that are valued."""
STEPS = 8
"""Most steps of an improvement."""


def best_makeable(question: Question, acquisition: FilmAcquisition, ranked: list[Candidate]) -> tuple[Film, Candidate]:
    """The best film that can be made and obeys every rule, and the candidate that it came from.

    Args:
        question: The problem and what is known.
        acquisition: Whose value decides.
        ranked: Films as wanted, the best first.

    Raises:
        NoFeasibleFilm: If none can be made, naming the deposition grid if there is one.
    """
    problem = question.problem
    rounding = Rounding(problem.space, problem.film)
    if ranked and not rounding.exact and (found := _Rounded(question, acquisition, rounding).best(ranked)):
        return found
    for candidate in ranked:
        film = legal_film(candidate.structure, candidate.w, problem.space, problem.film)
        if film is not None:
            return film, candidate
    why_not = f"none of {len(ranked)} films obeys every rule of the search space"
    if not ranked:
        raise NoFeasibleFilm(why_not)
    return only_film(question, why_not), ranked[0]


def values_of(question: Question, acquisition: FilmAcquisition, films: Sequence[Film]) -> list[float]:
    """Value of each film as it is, at the devices that count."""
    with torch.no_grad():
        return [v for X in _batches(question, films) for v in to_array(acquisition.value(to_tensor(X))).tolist()]


def gains_of(question: Question, acquisition: FilmAcquisition, films: Sequence[Film]) -> list[float]:
    """Gain of each film as it is, at the devices that count, in the acquisition's unit."""
    with torch.no_grad():
        return [v for X in _batches(question, films) for v in to_array(acquisition.gain(to_tensor(X))).tolist()]


def _batches(question: Question, films: Sequence[Film]) -> list[np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
    devices = device_subset(question.problem.film.devices)
    points = [film.points()[devices] for film in films]
    return [np.array(points[k : k + BATCH]) for k in range(0, len(points), BATCH)]


class _Rounded:
    """The search among the films that the tools can make."""

    def __init__(self, question: Question, acquisition: FilmAcquisition, rounding: Rounding) -> None:
        self._question, self._acquisition, self._rounding = question, acquisition, rounding

    def best(self, ranked: list[Candidate]) -> tuple[Film, Candidate] | None:
        """The best of the roundings of the best films, improved by single steps; None if none obeys every rule."""
        wanted = [*distinct(ranked, ROUNDED, self._question.structures.extent), *best_of_pairs(ranked).values()]
        found = [made for candidate in wanted for made in self._near(candidate)]
        values = values_of(self._question, self._acquisition, [film for film, _ in found])
        ended = []
        for k in np.argsort(-np.array(values), kind="stable")[:IMPROVED]:
            film, candidate = found[k]
            ended.append((*self._improved(film, candidate, values[k]), candidate))
        return max(ended, key=lambda end: end[0])[1:] if ended else None

    def _near(self, candidate: Candidate) -> list[tuple[Film, Candidate]]:
        """Films near a wanted one that can be made."""
        structure = candidate.structure
        inside = structure.region.repair(candidate.w[None])[0]
        wanted = structure.wanted(inside, self._question.problem.film.mixing())
        return [(film, candidate) for film in self._rounding.nearest(wanted, ROUNDINGS) if self._obeys(film)]

    def _improved(self, film: Film, candidate: Candidate, value: float) -> tuple[float, Film]:
        """Go from a film to its best neighbour, as long as that is better."""
        structure = candidate.structure
        for _ in range(STEPS):
            around = self._rounding.neighbours(Wanted(film, structure.support, structure.pair))
            values = values_of(self._question, self._acquisition, around)
            ranked = sorted(zip(values, around, strict=True), key=lambda pair: -pair[0])
            better = next((pair for pair in ranked if pair[0] > value and self._obeys(pair[1])), None)
            if better is None:
                break
            value, film = better
        return value, film

    def _obeys(self, film: Film) -> bool:
        return not film_violations(film, self._question.problem.space, self._question.problem.film)
