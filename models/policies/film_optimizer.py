"""The search for the film of largest gain: many starting films scored at once, the best ones refined with gradients.

Source: docs/science.md, section 4. Films live in structures (see `models/structures.py`); within one, w = (A, B,
continuous process columns) obeys linear rules only, so SLSQP with exact gradients stays among legal films. All films
that are refined are valued together, step by step.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from models.catalog import FilmSearch
from models.descent import descend_together
from models.policies.base import Origin, Question
from models.policies.film_acquisition import FilmAcquisition, device_subset
from models.policies.generated import starting_pools
from models.polytope import STEP
from models.structures import Drawn, FilmStructure
from models.tensors import to_array, to_tensor

Array = NDArray[np.float64]
Pair = tuple[int, int]

ALIKE = 1e-6
"""Smaller differences count for nothing, whatever the range."""
APART = 0.03
"""Two films differ if a coordinate of their ends does by more than this share of its range."""
BATCH = 64
"""Films scored together: large enough for the matrix products, small enough for memory that is at hand."""
CHEAP = 800
"""Readings up to which a value is cheap. With more, fewer scouts climb: their time grows with the square."""
CLOSE_ENOUGH = 1e-4
"""A refinement ends when a step improves the value by less."""
KEPT = 128
"""Starting films that are scored with all their devices."""
PAIRS = 28
"""Most pairs whose best film is refined, so that their gains can be compared."""
SCOUTS = 5
"""Films that climb a few steps, for each one that goes on from there."""
SCOUT_STEPS = 10
"""Steps of a scout."""
STEPS = 60
"""Most steps of a refinement."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """A film under consideration: its structure, its place in it, and its value."""

    structure: FilmStructure
    w: Array
    value: float
    origin: Origin = "systematic"
    """What laid the film from which the search came here."""


def best_films(
    question: Question, acquisition: FilmAcquisition, options: FilmSearch, rough: FilmAcquisition | None = None
) -> list[Candidate]:
    """Search all films of a problem. Many scouts climb a few steps, and the best go on: what leads high shows early.

    Args:
        question: The problem and what is known.
        acquisition: The gain of films.
        options: Numbers of starting films and of refinements.
        rough: About the same in less time: what scouts climb, and what starting films are valued by.

    Returns:
        Refined films and the starting ones, the best first; empty if no film obeys every rule.
    """
    rng = question.rng()
    s = question.problem.film.mixing()
    s = s[device_subset(len(s))]
    if question.structures.listed:
        return score(acquisition, question.structures.all_listed(), s)
    first = acquisition if rough is None else rough
    pools = starting_pools(question, first, options, s, rng)
    if not pools:
        return []
    starts = [c for origin, films in pools.items() for c in score(first, films, s[::2], origin=origin)]
    scored = sorted(again(first, _most_promising(sorted(starts, key=_worst_last)), s), key=_worst_last)
    extent = question.structures.extent
    most = max(1.0, SCOUTS * min(1.0, CHEAP / max(1, len(question.dataset))))
    scouts = refine(_scouts(scored, round(most * options.restarts), extent), first, s, steps=SCOUT_STEPS)
    if rough is not None:
        scouts = again(acquisition, scouts, s)
    best = distinct(sorted(scouts, key=_worst_last), options.restarts, extent)
    refined = refine(best, acquisition, s, steps=STEPS)
    return sorted([*refined, *scouts, *scored], key=_worst_last)


def _most_promising(scored: list[Candidate]) -> list[Candidate]:
    """The best starting films by a score of every other device, and the best one of each pair."""
    return [*scored[:KEPT], *best_of_pairs(scored[KEPT:]).values()]


def best_of_pairs(ranked: list[Candidate]) -> dict[Pair, Candidate]:
    """The best candidate of each pair that trades, of candidates with the best first; in that order."""
    best: dict[Pair, Candidate] = {}
    for candidate in ranked:
        if candidate.structure.pair is not None:
            best.setdefault(candidate.structure.pair, candidate)
    return best


def _scouts(scored: list[Candidate], count: int, extent: Array) -> list[Candidate]:
    """The best film of each pair, and `count` more: the best ones that differ."""
    pairs = list(best_of_pairs(scored).values())[:PAIRS]
    return pairs + [c for c in distinct(scored, count, extent) if c not in pairs]


def distinct(candidates: Sequence[Candidate], count: int, extent: Array) -> list[Candidate]:
    """The first `count` candidates of which no two are alike; a film and its mirror image are.

    Args:
        candidates: In order of preference.
        count: How many, at most.
        extent: `d` ranges of the fractions, by which differences are judged.
    """
    chosen: list[Candidate] = []
    for candidate in candidates:
        if len(chosen) == count:
            break
        if all(_apart(candidate, other, extent) for other in chosen):
            chosen.append(candidate)
    return chosen


def _apart(one: Candidate, other: Candidate, extent: Array) -> bool:
    d = len(extent)
    if not (one.structure.fixed == other.structure.fixed).all():
        return True
    mirrored = np.concatenate([other.w[d : 2 * d], other.w[:d], other.w[2 * d :]])
    least = APART * np.concatenate([extent, extent, np.ones(len(one.w) - 2 * d)])
    return all(bool((np.abs(one.w - w) > np.maximum(least, ALIKE)).any()) for w in (other.w, mirrored))


def refine(starts: Sequence[Candidate], acquisition: FilmAcquisition, s: Array, *, steps: int) -> list[Candidate]:
    """Climb from each film towards the best film nearby, by SLSQP in the coordinates of its structure's region.

    Args:
        starts: Films, each valued.
        acquisition: The gain of films.
        s: Shares of end B at the devices, `K`.
        steps: Most steps of a climb.

    Returns:
        For each start the film where its climb ended, or itself if that is no better.
    """
    if not starts:
        return []
    climbs = [_Climb(start.structure, s) for start in starts]

    def losses(walks: Sequence[int], at: Sequence[Array]) -> list[tuple[float, Array]]:
        X = to_tensor(np.array([climbs[k].points(v) for k, v in zip(walks, at, strict=True)])).requires_grad_()
        value = -acquisition.value(X)
        (slope,) = torch.autograd.grad(value.sum(), X)
        slopes = to_array(slope)
        return [(v, climbs[k].gradient(g)) for k, v, g in zip(walks, value.tolist(), slopes, strict=True)]

    regions = [start.structure.region for start in starts]
    ended = descend_together(regions, [start.w for start in starts], losses, close=CLOSE_ENOUGH, steps=steps)
    moved = again(acquisition, [replace(c, w=w) for c, w in zip(starts, ended, strict=True)], s)
    return [min(pair, key=_worst_last) for pair in zip(starts, moved, strict=True)]


class _Climb:
    """Device points of a structure's films as a linear function of inner coordinates."""

    def __init__(self, structure: FilmStructure, s: Array) -> None:
        region = structure.region
        self._origin = structure.points(region.centre[None], s)[0]
        self._along = structure.points(region.centre + STEP * region.basis.T, s) - self._origin

    def points(self, v: Array) -> Array:
        """Device points, `K x D`, at inner coordinates in units of `STEP`."""
        points: Array = self._origin + np.tensordot(v, self._along, axes=1)
        return points

    def gradient(self, slope: Array) -> Array:
        """Gradient in inner coordinates (k) from that in device points (K x D)."""
        gradient: Array = np.tensordot(self._along, slope, axes=2)
        return gradient


def _worst_last(candidate: Candidate) -> float:
    return -candidate.value


def score(acquisition: FilmAcquisition, films: Drawn, s: Array, *, origin: Origin = "systematic") -> list[Candidate]:
    """Value of many films that were laid by `origin`, the best first."""
    flat = [Candidate(structure, row, 0.0, origin) for structure, w in films for row in w]
    return sorted(again(acquisition, flat, s), key=_worst_last)


def again(acquisition: FilmAcquisition, candidates: Sequence[Candidate], s: Array) -> list[Candidate]:
    """The same films, in their order, valued by an acquisition."""
    points = to_tensor(np.concatenate([c.structure.points(c.w[None], s) for c in candidates]))
    with torch.no_grad():
        values = torch.cat([acquisition.value(batch) for batch in torch.split(points, BATCH)]).tolist()
    return [replace(c, value=value) for c, value in zip(candidates, values, strict=True)]
