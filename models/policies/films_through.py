"""The pair films through a given point: the second step of choosing a point first and a film through it."""

import numpy as np
from numpy.typing import NDArray

from models.composition import TOLERANCE
from models.policies.base import Question
from models.structures import Drawn, FilmStructure, Structures

Array = NDArray[np.float64]


def films_through(question: Question, x: Array, structures: Structures | None = None) -> Drawn:
    """Pair films that have a device at a point: of each pair present there the longest, with the point at each device.

    Where films are listed, every listed one with a device there.

    Args:
        question: The problem.
        x: `d + p` device point.
        structures: Where to look; those of the problem if not given.

    Returns:
        Films by structure; empty if no film reaches the point.
    """
    s = question.problem.film.mixing()
    among = structures or question.structures
    if among.listed:
        through = [(g, w) for g, w in among.all_listed() if _reaches(g.points(w, s)[0], x)]
        return through
    films = [(structure, _longest(structure, x, s)) for structure in among.items if _holds(structure, x)]
    return [(structure, w) for structure, w in films if len(w)]


def _reaches(points: Array, x: Array) -> bool:
    return bool((np.abs(points - x).max(axis=1) < TOLERANCE).any())


def _holds(structure: FilmStructure, x: Array) -> bool:
    """Whether a point has no element and no choice of process but the structure's."""
    d = len(structure.support)
    chosen = np.delete(x[d:] - structure.fixed, structure.free)
    return not (x[:d][~structure.support] > TOLERANCE).any() and bool(np.abs(chosen).max(initial=0.0) < TOLERANCE)


def _longest(structure: FilmStructure, x: Array, s: Array) -> Array:
    """The longest films of a structure with a device at x, one per pair, direction and device: `b x (2d + free)`."""
    d = len(structure.support)
    present = np.flatnonzero(x[:d] > TOLERANCE)
    pairs = [(i, j) for i in present for j in present if i != j]
    if structure.pair is not None:
        pairs = [pair for pair in pairs if set(pair) == set(structure.pair)]
    if not pairs:
        return np.empty((0, len(structure.region.centre)))
    trade = np.zeros((len(pairs), d))
    trade[np.arange(len(pairs)), [i for i, _ in pairs]] = 1.0
    trade[np.arange(len(pairs)), [j for _, j in pairs]] = -1.0
    along = np.hstack([np.multiply.outer(s, trade).reshape(-1, d), -np.multiply.outer(1.0 - s, trade).reshape(-1, d)])
    along = np.hstack([along, np.zeros((len(along), len(structure.free)))])
    start = np.concatenate([x[:d], x[:d], x[d:][structure.free]])
    return _reached(structure, start, along)


def _reached(structure: FilmStructure, start: Array, along: Array) -> Array:
    """The farthest points of the region from `start` along each direction (b x v); none where the line misses it."""
    _, most = multiples(structure, start, along)
    good = np.isfinite(most)
    films: Array = start + most[good, None] * along[good]
    kept: Array = films[is_inside(structure, films)]
    return kept


def multiples(structure: FilmStructure, start: Array, along: Array) -> tuple[Array, Array]:
    """Between which multiples of directions (b x v) from starts (v, or b x v) the inequalities of a region hold, `b`.

    Not finite where no multiple of 0 or more does.
    """
    rows, slack = structure.region.G, structure.region.h - start @ structure.region.G.T
    rate = along @ rows.T
    with np.errstate(divide="ignore", invalid="ignore"):
        limit = slack / rate
    most = np.where(rate > TOLERANCE, limit, np.inf).min(axis=1, initial=np.inf)
    least = np.where(rate < -TOLERANCE, limit, 0.0).max(axis=1, initial=0.0)
    # What no length can mend, and equalities of the region that the line does not keep.
    blocked = ((np.abs(rate) <= TOLERANCE) & (slack < -TOLERANCE)).any(axis=1)
    good = np.isfinite(most) & (least <= most) & ~blocked
    return np.where(good, least, np.inf), np.where(good, most, np.inf)


def is_inside(structure: FilmStructure, films: Array) -> NDArray[np.bool_]:
    """Which films (b x v) obey the equalities of a region, `b`."""
    region = structure.region
    inside = region.from_inner(region.to_inner(films))
    return np.asarray(np.abs(inside - films).max(axis=1, initial=0.0) < TOLERANCE)
