"""Where a posterior is drawn for people: feasible compositions that cover the search space evenly."""

from functools import lru_cache
from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from models.composition import TOLERANCE, CategoricalVariable, SearchSpace

Array = NDArray[np.float64]

LARGEST_LATTICE = 20_000
"""Most lattice points that are tried; beyond, compositions are drawn by seed."""


class PropertyMap(BaseModel):
    """The posterior of one property at the points of a map, in its own unit."""

    model_config = ConfigDict(frozen=True)

    mean: list[float]
    sd: list[float]


class PosteriorMap(BaseModel):
    """The posterior over the feasible compositions, in physical units: JSON, readable without torch."""

    model_config = ConfigDict(frozen=True)

    points: list[list[float]]
    """`j x d` compositions."""
    mean: list[float]
    """`j` posterior means of the first objective, without noise and film effect."""
    sd: list[float]
    """`j` posterior standard deviations."""
    properties: dict[str, PropertyMap]
    """The same of every objective and outcome, by its name."""
    best_composition: list[float]
    """Where the posterior mean is best, in the objective's own direction: on the map, at a reading or near them."""
    best_mean: float
    best_sd: float
    process: list[float]
    """Process columns (unit cube) at which the map was drawn: mid range, first choice."""


def simplex_lattice(dimension: int, divisions: int) -> Array:
    """Every composition whose fractions are multiples of `1 / divisions`, `j x dimension`."""
    bars = np.array(list(combinations(range(divisions + dimension - 1), dimension - 1)), dtype=np.int64)
    edges = np.hstack([np.full((len(bars), 1), -1), bars, np.full((len(bars), 1), divisions + dimension - 1)])
    return (np.diff(edges) - 1) / divisions


def feasible_points(space: SearchSpace, max_points: int) -> Array:
    """The finest lattice of at most `max_points` feasible compositions, or as many seeded draws where it is too coarse.

    They are kept: a campaign asks for the same ones with every model.

    Args:
        space: Its rules decide.
        max_points: Most points, at least 1.

    Returns:
        `j x d` compositions, 0 < j <= max_points.
    """
    return _feasible_points(space.model_dump_json(), max_points).copy()


@lru_cache(maxsize=16)
def _feasible_points(space_json: str, max_points: int) -> Array:
    space = SearchSpace.model_validate_json(space_json)
    best = np.empty((0, space.dimension))
    for divisions in (4, 5, 6, 8, 10, 12, 16, 20, 25, 30, 40, 50, 60, 80, 100):
        if comb(divisions + space.dimension - 1, space.dimension - 1) > LARGEST_LATTICE:
            break
        finer = feasible(space, simplex_lattice(space.dimension, divisions))
        if len(finer) > max_points:
            break
        best = finer
    # A handful of lattice points is no map: the region is small or thin, and draws follow its shape.
    return best if len(best) > max_points / 8 else space.sample(max_points, seed=0)


def middle_process(space: SearchSpace) -> Array:
    """Process columns at mid range, and at the first choice of a categorical variable."""
    return np.array(
        [
            u
            for v in space.process
            for u in ([1.0] + [0.0] * (len(v.choices) - 1) if isinstance(v, CategoricalVariable) else [0.5])
        ]
    )


def feasible(space: SearchSpace, points: Array) -> Array:
    """Those of `points` (j x d) that are compositions and obey every rule."""
    legal: Array = points[is_feasible(space, points)]
    return legal


def is_feasible(space: SearchSpace, points: Array) -> NDArray[np.bool_]:
    """Whether each of `points` (j x d) obeys every rule; `SearchSpace.violations` for all at once."""
    G, h, _ = space.inequalities()
    presence = space.presence()
    present = points > TOLERANCE
    good = (points @ G.T <= h + TOLERANCE).all(1) & (~present | (points >= presence.least - TOLERANCE)).all(1)
    for members, most in presence.limits:
        good &= present[:, members].sum(1) <= most
    good &= np.isclose(points.sum(axis=1), 1.0, rtol=0.0, atol=TOLERANCE)
    return np.asarray(good)
