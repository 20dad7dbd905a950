"""Feasible films drawn by seed alone: the baseline of every benchmark."""

import numpy as np

from models.catalog import RandomFilms
from models.errors import NoFeasibleFilm
from models.feasibility import film_on_grid
from models.film import Film
from models.policies.base import Question, Recommendation
from models.structures import legal_film


class RandomFilmsPolicy:
    """One film drawn uniformly from a structure drawn uniformly. It looks at no reading."""

    needs_model = False

    def __init__(self, options: RandomFilms) -> None:
        self.options = options

    def recommend(self, question: Question) -> Recommendation:
        """Draw one film.

        Raises:
            NoFeasibleFilm: If no film obeys every rule.
        """
        film = random_film(question, question.rng())
        reason = "drawn at random from the films that obey the rules"
        return Recommendation(film, None, None, None, "random", "random", reason)


def random_film(question: Question, rng: np.random.Generator) -> Film:
    """Draw one film that obeys every rule.

    Raises:
        NoFeasibleFilm: If none was found.
    """
    space, geometry = question.problem.space, question.problem.film
    structures = question.structures.items
    for k in rng.permutation(len(structures)):
        if film := legal_film(structures[k], structures[k].region.sample(1, rng)[0], space, geometry):
            return film
    return only_film(question, f"none of {len(structures)} film structures holds a film that obeys every rule")


def only_film(question: Question, why_not: str) -> Film:
    """The film by which the campaign was found feasible, where a deposition grid leaves so few that none was met.

    Raises:
        NoFeasibleFilm: If there is no grid, saying `why_not`, or no such film.
    """
    space, geometry = question.problem.space, question.problem.film
    if geometry.grid is None:
        raise NoFeasibleFilm(why_not)
    if film := film_on_grid(space, geometry):
        return film
    raise NoFeasibleFilm(f"{why_not} in steps of the deposition grid ({geometry.grid.unit})")
