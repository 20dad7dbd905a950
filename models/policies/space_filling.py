"""Space filling: the film that brings the feasible region closest to a device. Without a model the loop goes on."""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from models.catalog import SpaceFilling
from models.errors import NoFeasibleFilm
from models.film import Film
from models.policies.base import Question, Recommendation
from models.structures import legal_film

Array = NDArray[np.float64]

POOL = 512
"""Feasible device points that stand for the region."""


class SpaceFillingPolicy:
    """Of many random films, the one after which the feasible region lies nearest to what is made or in flight.

    It goes where nothing is, as farthest-point designs do, but cares for all of a film's devices: a wide film through
    the middle of a gap beats a short one in a corner.
    """

    needs_model = False

    def __init__(self, options: SpaceFilling) -> None:
        self.options = options

    def recommend(self, question: Question) -> Recommendation:
        """Choose one film.

        Raises:
            NoFeasibleFilm: If no film obeys every rule.
        """
        question.progress("filling space")
        rng = question.rng()
        films = random_films(question, self.options.raw_films, rng)
        points = np.array([film.points() for film in films])
        pool = points.reshape(-1, points.shape[2])
        pool = pool[rng.choice(len(pool), min(POOL, len(pool)), replace=False)]
        best = films[int(np.argmin(uncovered(pool, question.known_points(), points)))]
        reason = f"fills the space between {len(question.dataset)} readings and {len(question.pending)} films in flight"
        return Recommendation(best, None, None, None, "space_filling", "space_filling", reason)


def random_films(question: Question, count: int, rng: np.random.Generator) -> list[Film]:
    """Draw about `count` films that obey every rule, in equal parts from every structure.

    Raises:
        NoFeasibleFilm: If there is none.
    """
    problem = question.problem
    drawn = question.structures.draw(count, rng)
    legal = [legal_film(structure, w, problem.space, problem.film) for structure, ws in drawn for w in ws]
    films = [film for film in legal if film is not None]
    if not films:
        raise NoFeasibleFilm(
            f"none of {len(question.structures.items)} film structures holds a film that obeys every rule"
        )
    return films


def uncovered(pool: Array, known: Array, films: Array) -> Array:
    """Mean squared distance from the region to the nearest device, for each film added to what is known.

    Args:
        pool: `j x (d + p)` points that stand for the region.
        known: `n x (d + p)` device points made or in flight; may be empty.
        films: `b x K x (d + p)` device points of candidate films.

    Returns:
        `b`; smaller is better.
    """
    bound = KDTree(known).query(pool)[0] if len(known) else np.full(len(pool), np.inf)
    nearest = np.array([KDTree(film).query(pool)[0] for film in films])
    distance: Array = np.mean(np.minimum(nearest, bound) ** 2, axis=1)
    return distance
