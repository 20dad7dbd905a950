"""Space filling: the film that brings the feasible region closest to a device. Without a model the loop goes on."""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree
from scipy.spatial.distance import cdist

from models.catalog import SpaceFilling
from models.errors import NoFeasibleFilm
from models.policies.base import Question, Recommendation, counted
from models.policies.random_films import only_film
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
        problem, rng = question.problem, question.rng()
        drawn = question.structures.draw(self.options.raw_films, rng)
        if not drawn:
            raise NoFeasibleFilm("no film structure of the search space holds a film")
        points = np.concatenate([structure.points(w, problem.film.mixing()) for structure, w in drawn])
        pool = points.reshape(-1, points.shape[2])
        pool = pool[rng.choice(len(pool), min(POOL, len(pool)), replace=False)]
        films = [(structure, row) for structure, w in drawn for row in w]
        for k in np.argsort(uncovered(pool, question.known_points(), points), kind="stable"):
            structure, row = films[k]
            if film := legal_film(structure, row, problem.space, problem.film):
                return Recommendation(film, None, None, None, "space_filling", "space_filling", _reason(question))
        film = only_film(question, f"none of {len(films)} films obeys every rule of the search space")
        return Recommendation(film, None, None, None, "space_filling", "space_filling", _reason(question))


def _reason(question: Question) -> str:
    if not len(question.known_points()):
        return "the first film: it comes near to as much of the space as one film can"
    read, flight = counted(len(question.read()), "reading"), counted(len(question.pending), "film")
    return f"fills the space between {read} and {flight} in flight"


def uncovered(pool: Array, known: Array, films: Array) -> Array:
    """Mean squared distance from the region to the nearest device, for each film added to what is known.

    Args:
        pool: `j x (d + p)` points that stand for the region.
        known: `n x (d + p)` device points made or in flight; may be empty.
        films: `b x K x (d + p)` device points of candidate films.

    Returns:
        `b`; smaller is better.
    """
    bound = KDTree(known).query(pool)[0] ** 2 if len(known) else np.full(len(pool), np.inf)
    nearest = np.array([cdist(film, pool, "sqeuclidean").min(axis=0) for film in films])
    distance: Array = np.mean(np.minimum(nearest, bound), axis=1)
    return distance
