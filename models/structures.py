"""Film structures: what is discrete about a film is enumerated, the rest is a convex region.

A structure fixes the elements that may be present, the pair that trades (pair grading), the element that spans and in
which direction, and every categorical process choice. What is left, w = (A, B, continuous process columns), obeys
linear rules only. Source: docs/science.md, section 4.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from models.composition import SearchSpace
from models.film import Film, FilmGeometry, chosen_film, film_violations
from models.film_rules import FilmRules, Spanning, categories, film_supports, gradings
from models.polytope import Polytope
from models.rounding import Rounding, Wanted

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

EXTENT_FILMS = 256
"""Films that are drawn to see how far the elements' fractions reach."""
MOST_STRUCTURES = 256
"""Structures that one decision looks at; beyond it they are drawn by seed."""
LITTLE_CHANGED = 64
"""Most structures that are searched because they change few targets."""
TRACE = 0.005
"""Fractions below this, in films that were measured, are an error of the measurement and no element of the film."""
ZERO = 1e-10
"""Fractions below this are numerical dust of the optimiser."""


@dataclass(frozen=True)
class FilmStructure:
    """One discrete choice and the convex region of the films it allows."""

    support: Mask
    """`d` elements that may be present."""
    pair: tuple[int, int] | None
    """The two elements that trade, or None if every element of the support may."""
    fixed: Array
    """`p` process columns; the categorical ones are filled in."""
    free: NDArray[np.intp]
    """Indices of the continuous process columns."""
    region: Polytope
    """Region of w = (A, B, continuous process columns)."""

    def film(self, w: Array, s: Array, dust: float = ZERO) -> Film:
        """The film at `w`, cleaned: fractions up to `dust` are 0, they sum to 1, and only the pair changes."""
        d = len(self.support)
        process = self.fixed.copy()
        process[self.free] = np.clip(w[2 * d :], 0.0, 1.0)
        a, b = (np.where(self.support & (x > dust), x, 0.0) for x in (w[:d], w[d : 2 * d]))
        a[np.argmax(a)] += 1.0 - a.sum()
        traded = self.support.copy()
        if self.pair is not None:
            traded = np.isin(np.arange(d), self.pair)
            b[~traded] = a[~traded]
        b[np.argmax(np.where(traded, b, -1.0))] += 1.0 - b.sum()
        return Film(a, b, process, s)

    def wanted(self, w: Array, s: Array) -> Wanted:
        """The film at `w` as one to be rounded to what the tools can do."""
        return Wanted(self.film(w, s), self.support, self.pair)

    def points(self, w: Array, s: Array) -> Array:
        """Device points of many films (b x (2d + free)), `b x K x (d + p)`."""
        d = len(self.support)
        mixed = (1.0 - s)[:, None] * w[:, None, :d] + s[:, None] * w[:, None, d : 2 * d]
        process = np.tile(self.fixed, (len(w), len(s), 1))
        process[:, :, self.free] = w[:, None, 2 * d :]
        return np.concatenate([mixed, process], axis=2)


Drawn = list[tuple[FilmStructure, Array]]
"""Films by structure: for each one, b x (2d + free)."""


@dataclass(frozen=True)
class Structures:
    """The structures of a problem that allow at least one film."""

    items: tuple[FilmStructure, ...]
    complete: bool
    """False if there were too many and these are a seeded draw."""
    listed: bool = False
    """Whether each is a single film that the campaign lists."""

    @cached_property
    def extent(self) -> Array:
        """How far each element's fraction reaches over all films, `d`: about, and by the same films every time."""
        drawn = self.all_listed() if self.listed else self.draw(EXTENT_FILMS, np.random.default_rng(0))
        ends = np.concatenate([w[:, : 2 * len(g.support)].reshape(-1, len(g.support)) for g, w in drawn])
        reach: Array = ends.max(axis=0) - ends.min(axis=0)
        return reach

    def all_listed(self) -> Drawn:
        """The listed films, one w each."""
        return [(structure, structure.region.centre[None]) for structure in self.items]

    def draw(self, count: int, rng: np.random.Generator, steps: int | None = None) -> Drawn:
        """Draw `count` films w, in equal parts from every structure; structures without a part are left out.

        With few `steps` they are less evenly spread: enough for starts that a search moves anyway.
        """
        if not self.items:
            return []
        shares = np.bincount(rng.permutation(len(self.items))[np.arange(count) % len(self.items)])
        return [(self.items[k], self.items[k].region.sample(int(n), rng, steps)) for k, n in enumerate(shares) if n]


def film_structures(space: SearchSpace, geometry: FilmGeometry, seed: int = 0, near: Array | None = None) -> Structures:
    """Enumerate the structures of a search space, or draw `MOST_STRUCTURES` of them when there are more.

    They are kept: a campaign asks for the same ones at every decision.

    Args:
        space: Elements, rules, process variables.
        geometry: How a film may be graded.
        seed: Seed of the draw, if there has to be one.
        near: `j x d` compositions as read; structures that can hold them, but for traces, come first in a draw, up
            to half of it.
    """
    key = (space.model_dump_json(), geometry.model_dump_json())
    first = _built(*key, 0, ())
    if first.complete:
        return first
    present = () if near is None else tuple((x > TRACE).tobytes() for x in near)
    drawn = _built(*key, seed, present)
    return drawn if drawn.items else first


@lru_cache(maxsize=16)
def _built(space_json: str, geometry_json: str, seed: int, present: tuple[bytes, ...]) -> Structures:
    space = SearchSpace.model_validate_json(space_json)
    geometry = FilmGeometry.model_validate_json(geometry_json)
    if geometry.choices:
        return Structures(tuple(_listed(space, geometry)), complete=True, listed=True)
    known = [np.frombuffer(mask, dtype=bool) for mask in present]
    masks, complete = film_supports(space, geometry, seed)
    if not complete:
        listed = {mask.tobytes() for mask in masks}
        masks += [m for m in known if m.tobytes() not in listed and space.presence().allows(m)]
    graded = [(m, p, g) for m in masks for p, g in gradings(m, geometry)]
    filled = list(categories(space))
    # Every graded choice goes with every category; they are numbered, as there may be too many to write down.
    order = np.arange(len(graded) * len(filled))
    if len(order) > MOST_STRUCTURES:
        absent = ~np.array([m for m, _, _ in graded])
        # How many elements of each known composition each choice lacks.
        lacking = absent.astype(np.int64) @ np.array(known, dtype=np.int64).reshape(-1, space.dimension).T
        holds = (lacking == 0).any(axis=1)
        order, complete = _ordered(np.repeat(holds, len(filled)), np.random.default_rng(seed)), False
    rules, key = FilmRules(space, geometry), (space_json, geometry_json)
    built: list[FilmStructure] = []
    for tried, number in enumerate(order):
        if len(built) == MOST_STRUCTURES or (built and tried >= 2 * MOST_STRUCTURES):
            break
        mask, pair, spanning = graded[number // len(filled)]
        region = _region(*key, mask.tobytes(), pair, spanning)
        fixed = filled[number % len(filled)]
        built += [FilmStructure(mask, pair, fixed, rules.free, region)] if region is not None else []
    return Structures(tuple(built), complete)


def own_structure(
    space: SearchSpace, geometry: FilmGeometry, present: Mask, rng: np.random.Generator
) -> FilmStructure | None:
    """A structure of films of just these elements (d), drawn among its gradings and categories.

    Returns:
        None if these elements may not be present together, or if the one drawn holds no film.
    """
    if not space.presence().allows(present) or not (graded := list(gradings(present, geometry))):
        return None
    pair, spanning = graded[rng.integers(len(graded))]
    filled = list(categories(space))
    key = (space.model_dump_json(), geometry.model_dump_json())
    region = _region(*key, present.tobytes(), pair, spanning)
    if region is None:
        return None
    return FilmStructure(present, pair, filled[rng.integers(len(filled))], _rules(*key).free, region)


def little_changed(space: SearchSpace, geometry: FilmGeometry, present: Mask) -> Structures:
    """Structures of films of just these elements (r x d), then of one more or one fewer, at most `LITTLE_CHANGED`.

    Where a target costs something to change, these are choices of their own: no climb reaches the face on which an
    element is absent and sees on its way that it is cheaper there.
    """
    key, filled = (space.model_dump_json(), geometry.model_dump_json()), list(categories(space))
    masks = np.concatenate([present, *(present ^ one for one in np.eye(space.dimension, dtype=bool))])
    built: list[FilmStructure] = []
    for mask in dict.fromkeys(mask.tobytes() for mask in masks):
        support = np.frombuffer(mask, dtype=bool)
        if geometry.choices or not support.any() or not space.presence().allows(support):
            continue
        for pair, spanning in gradings(support, geometry):
            if len(built) < LITTLE_CHANGED and (region := _region(*key, mask, pair, spanning)) is not None:
                built += [FilmStructure(support, pair, fixed, _rules(*key).free, region) for fixed in filled]
    return Structures(tuple(built[:LITTLE_CHANGED]), complete=False)


@lru_cache(maxsize=4)
def _rules(space_json: str, geometry_json: str) -> FilmRules:
    return FilmRules(SearchSpace.model_validate_json(space_json), FilmGeometry.model_validate_json(geometry_json))


@lru_cache(maxsize=4096)
def _region(
    space_json: str, geometry_json: str, mask: bytes, pair: tuple[int, int] | None, spanning: Spanning | None
) -> Polytope | None:
    """Where there are too many structures, every decision draws others; those it shares with earlier ones are kept."""
    return _rules(space_json, geometry_json).region(np.frombuffer(mask, dtype=bool), pair, spanning)


def _ordered(holds: Mask, rng: np.random.Generator) -> NDArray[np.intp]:
    """Numbers of choices in random order, but some of those that hold a known point first."""
    shuffled = rng.permutation(len(holds))
    first = np.flatnonzero(holds[shuffled])[: MOST_STRUCTURES // 2]
    return np.concatenate([shuffled[first], np.delete(shuffled, first)])


def _listed(space: SearchSpace, geometry: FilmGeometry) -> Iterator[FilmStructure]:
    """One structure without freedom for each listed film; the problem has checked that they obey the rules."""
    size = 2 * space.dimension
    for choice in geometry.choices:
        film = chosen_film(choice, space, geometry)
        change = np.flatnonzero(np.abs(film.a - film.b) > ZERO)
        pair = (int(change[0]), int(change[1])) if len(change) == 2 else None
        region = Polytope(np.empty((0, size)), np.empty(0), np.concatenate([film.a, film.b]), np.empty((size, 0)))
        support = (film.a > ZERO) | (film.b > ZERO)
        yield FilmStructure(support, pair, film.process, np.array([], dtype=np.intp), region)


def legal_film(structure: FilmStructure, w: Array, space: SearchSpace, geometry: FilmGeometry) -> Film | None:
    """The film at `w` (2d + free), brought back inside every rule and to what the tools can do.

    Returns:
        None if no film close by can be made, or if rounding leaves it outside by more than `TOLERANCE`, which only
        badly scaled rules can cause.
    """
    rounding = Rounding(space, geometry)
    inside = structure.region.repair(w[None])[0]
    for dust in (ZERO, 0.0):
        wanted = Wanted(structure.film(inside, geometry.mixing(), dust), structure.support, structure.pair)
        for film in [wanted.film] if rounding.exact else rounding.nearest(wanted):
            if not film_violations(film, space, geometry):
                return film
    return None
