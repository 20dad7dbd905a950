"""Whether the rules of a campaign leave any film, and if not, which of them clash."""

from collections.abc import Iterator
from functools import lru_cache
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from models.composition import SearchSpace
from models.deposition import DepositionGrid
from models.film import Film, FilmGeometry, film_violations
from models.film_rules import FilmRules, categories, film_supports, gradings
from models.rounding import Rounding
from models.structures import FilmStructure

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

GRID_FILMS = 128
"""Films that are rounded to the deposition grid, beside the centre of each structure, before a campaign is refused."""
GRID_TRIES = 64
"""Structures that are tried for it."""
NAMED_SUPPORTS = 32
"""Largest number of supports for which the rules that clash are sought one by one."""
TIGHT = 0.02
"""A composition rule with less slack than this everywhere is named where no film fits a deposition grid."""


def film_clash(space: SearchSpace, geometry: FilmGeometry) -> str | None:
    """Say which rules leave no film, or None if some film obeys all of them."""
    return _clash(space.model_dump_json(), geometry.model_dump_json())


@lru_cache(maxsize=256)
def _clash(space_json: str, geometry_json: str) -> str | None:
    space = SearchSpace.model_validate_json(space_json)
    geometry = FilmGeometry.model_validate_json(geometry_json)
    if geometry.choices:
        return None
    if geometry.grid is not None and (mismatch := geometry.grid.mismatch(space.elements)):
        return mismatch
    masks, _ = film_supports(space, geometry)
    found = list(
        islice(_some_structures(masks, FilmRules(space, geometry)), 1 if geometry.grid is None else GRID_TRIES)
    )
    if not found:
        return f"no {geometry.grading} film with {'; '.join(_clashing(masks, FilmRules(space, geometry)))}"
    if geometry.grid is None or film_on_grid(space, geometry) is not None:
        return None
    return _off_grid(space, geometry, geometry.grid, found)


def _some_structures(masks: list[Mask], rules: FilmRules) -> Iterator[FilmStructure]:
    """Structures that hold a film, with the first of all categorical choices."""
    fixed = next(iter(categories(rules.space)))
    for mask in masks:
        for pair, spanning in gradings(mask, rules.geometry):
            region = rules.region(mask, pair, spanning)
            if region is not None:
                yield FilmStructure(mask, pair, fixed, rules.free, region)


def _clashing(masks: list[Mask], rules: FilmRules) -> list[str]:
    """Names of a smallest set of composition rules that, with the span and the grid, leave no film."""
    kept = list(range(len(rules.h)))
    if len(masks) <= NAMED_SUPPORTS:
        for k in range(len(rules.h)):
            fewer, freed = [r for r in kept if r != k], masks + _without(masks, rules, k)
            if not any(_some_structures(freed, rules.only(fewer))):
                kept, masks = fewer, freed
    geometry = rules.geometry
    named = [f"span {geometry.span_min:g} to {geometry.span_max:g}", *(rules.names[k] for k in kept)]
    return [*named, "what the sources can deliver"] if geometry.grid is not None else named


def _without(masks: list[Mask], rules: FilmRules, row: int) -> list[Mask]:
    """The supports that a least fraction rules out, if `row` is one: those without its element."""
    element, upper = divmod(row, 2)  # the first rows are the least and the largest fraction of each element
    if upper or element >= rules.d or rules.h[row] == 0.0:
        return []
    return [mask & (np.arange(rules.d) != element) for mask in masks]


def film_on_grid(space: SearchSpace, geometry: FilmGeometry) -> Film | None:
    """Some film on the deposition grid that obeys every rule, or None if none was found; the same one every time."""
    return _on_grid(space.model_dump_json(), geometry.model_dump_json())


@lru_cache(maxsize=256)
def _on_grid(space_json: str, geometry_json: str) -> Film | None:
    space = SearchSpace.model_validate_json(space_json)
    geometry = FilmGeometry.model_validate_json(geometry_json)
    masks, _ = film_supports(space, geometry)
    found = list(islice(_some_structures(masks, FilmRules(space, geometry)), GRID_TRIES))
    rng, rounding = np.random.default_rng(0), Rounding(space, geometry)
    for steps in (0, None):  # the centres first: nearly always one of them is enough
        for structure in found:
            for w in structure.region.sample(1 if steps == 0 else -(-GRID_FILMS // len(found)), rng, steps):
                for film in rounding.nearest(structure.wanted(w, geometry.mixing())):
                    if not film_violations(film, space, geometry):
                        return film
    return None


def _off_grid(space: SearchSpace, geometry: FilmGeometry, grid: DepositionGrid, found: list[FilmStructure]) -> str:
    """Say what keeps films off the deposition grid."""
    span = f"span {geometry.span_min:g} to {geometry.span_max:g}"
    constant = [f"fixed elements constant within {grid.constant_within:g}"] if geometry.grading == "pair" else []
    bounds = [name for name, slack in zip(space.inequalities()[2], _slack(space, found), strict=True) if slack < TIGHT]
    rules = "; ".join([span, *constant, *bounds])
    return f"no {geometry.grading} film in steps of the deposition grid ({grid.unit}) obeys all of: {rules}"


def _slack(space: SearchSpace, found: list[FilmStructure]) -> Array:
    """Largest slack of each composition rule at the centres of the structures, `r`."""
    G, h, _ = space.inequalities()
    d = space.dimension
    ends = np.array([x for s in found for x in (s.region.centre[:d], s.region.centre[d : 2 * d])])
    slack: Array = (h - ends @ G.T).max(axis=0)
    return slack
