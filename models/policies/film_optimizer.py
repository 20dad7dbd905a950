"""The search for the film of largest gain: many starting films scored at once, the best ones refined with gradients.

Source: docs/science.md, section 4. Films live in structures (see `models/structures.py`); within one, w = (A, B,
continuous process columns) obeys linear rules only, so SLSQP with exact gradients stays among legal films.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from models.catalog import FilmSearch
from models.policies.base import Question
from models.policies.film_acquisition import FilmAcquisition, device_subset
from models.polytope import STEP, descend
from models.structures import Drawn, FilmStructure
from models.tensors import to_array, to_tensor

Array = NDArray[np.float64]

BATCH = 256
"""Films scored together: large enough for the matrix products, small enough for the cache."""
ANCHORS = 16
"""Promising points through which starting films are laid."""
APART = 0.03
"""Two films differ if a coordinate of their ends does by more than this."""
KEPT = 128
"""Starting films that are scored with all their devices."""
POOL = 1024
"""Points among which anchors are sought."""
CLOSE_ENOUGH = 1e-4
"""A refinement ends when a step improves the value by less."""


@dataclass(frozen=True)
class Candidate:
    """A film under consideration: its structure, its place in it, and its value."""

    structure: FilmStructure
    w: Array
    value: float


def best_films(question: Question, acquisition: FilmAcquisition, options: FilmSearch) -> list[Candidate]:
    """Search all films of a problem.

    Args:
        question: The problem and what is known.
        acquisition: The gain of films.
        options: Numbers of starting films and of refinements.

    Returns:
        Refined films and the starting ones, the best first; empty if no film obeys every rule.
    """
    rng = question.rng()
    s = question.problem.film.mixing()
    s = s[device_subset(len(s))]
    if question.structures.listed:
        return score(acquisition, question.structures.all_listed(), s)
    drawn = question.structures.draw(options.raw_films // 2, rng)
    if not drawn:
        return []
    anchors = _anchors(question, acquisition, np.concatenate([_devices(*films, s) for films in drawn]), rng)
    starts = drawn + [(structure, _through(anchors, structure, w, s, rng)) for structure, w in drawn]
    scored = score(acquisition, _most_promising(score(acquisition, starts, s[::2])), s)
    refined = [refine(start, acquisition, s) for start in _starts(scored, options.restarts)]
    return sorted([*refined, *scored], key=_worst_last)


def _most_promising(scored: list[Candidate]) -> Drawn:
    """The best starting films by a score of every other device, and the best one of each pair."""
    return [(c.structure, c.w[None]) for c in (*scored[:KEPT], *_best_of_pairs(scored[KEPT:]))]


def _best_of_pairs(ranked: list[Candidate]) -> list[Candidate]:
    """The best candidate of each pair that trades, the best first; a single one where every element may change."""
    return sorted({c.structure.pair: c for c in reversed(ranked)}.values(), key=_worst_last)


def _starts(scored: list[Candidate], count: int) -> list[Candidate]:
    """Films to be refined: half of them from different pairs, the rest the best whatever their pair."""
    return distinct([*_best_of_pairs(scored)[: max(1, count // 2)], *scored], count)


def distinct(candidates: list[Candidate], count: int) -> list[Candidate]:
    """The first `count` candidates of which no two are alike; a film and its mirror image are."""
    chosen: list[Candidate] = []
    for candidate in candidates:
        if len(chosen) == count:
            break
        if all(_apart(candidate, other) for other in chosen):
            chosen.append(candidate)
    return chosen


def refine(start: Candidate, acquisition: FilmAcquisition, s: Array) -> Candidate:
    """Climb from one film to the best film nearby in its structure, by SLSQP in the coordinates of its region."""
    structure, region = start.structure, start.structure.region
    origin = to_tensor(structure.points(region.centre[None], s)[0])
    along = to_tensor(structure.points(region.centre + STEP * region.basis.T, s)) - origin

    def loss(v: Array) -> tuple[float, Array]:
        moved = to_tensor(v).requires_grad_()
        value = -acquisition.value((origin + torch.tensordot(moved, along, dims=1))[None])[0]
        (gradient,) = torch.autograd.grad(value, moved)
        return value.item(), to_array(gradient)

    w = descend(region, start.w, loss, close=CLOSE_ENOUGH)
    (ended,) = score(acquisition, [(structure, w[None])], s)
    return min(start, ended, key=_worst_last)


def _worst_last(candidate: Candidate) -> float:
    return -candidate.value


def _apart(one: Candidate, other: Candidate) -> bool:
    d = len(one.structure.support)
    mirrored = np.concatenate([other.w[d : 2 * d], other.w[:d], other.w[2 * d :]])
    same_choices = bool((one.structure.fixed == other.structure.fixed).all())
    nearest = min(np.abs(one.w - other.w).max(), np.abs(one.w - mirrored).max())
    return not same_choices or nearest > APART


def score(acquisition: FilmAcquisition, films: Drawn, s: Array) -> list[Candidate]:
    """Value of many films, the best first."""
    points = to_tensor(np.concatenate([structure.points(w, s) for structure, w in films]))
    with torch.no_grad():
        values = torch.cat([acquisition.value(batch) for batch in torch.split(points, BATCH)]).tolist()
    flat = [(structure, row) for structure, w in films for row in w]
    scored = [Candidate(structure, row, value) for (structure, row), value in zip(flat, values, strict=True)]
    return sorted(scored, key=_worst_last)


def _devices(structure: FilmStructure, w: Array, s: Array) -> Array:
    """All device points of some films, `(b K) x (d + p)`."""
    points = structure.points(w, s)
    return points.reshape(-1, points.shape[2])


def _anchors(question: Question, acquisition: FilmAcquisition, devices: Array, rng: np.random.Generator) -> Array:
    """Single points with the largest gain or the best posterior mean, read ones among them, `j x (d + p)`."""
    some = devices[rng.choice(len(devices), min(POOL, len(devices)), replace=False)]
    pool = np.concatenate([question.read().X, some])
    with torch.no_grad():
        gains = to_array(acquisition.value(to_tensor(pool)[:, None, :]))
    mean = question.model().predict(pool).mean[:, 0]
    best = [np.argsort(-values, kind="stable")[: ANCHORS // 2] for values in (gains, mean)]
    chosen: Array = pool[np.concatenate(best)]
    return chosen


def _through(anchors: Array, structure: FilmStructure, w: Array, s: Array, rng: np.random.Generator) -> Array:
    """Move films (b x (2d + free)) to where one of their devices lies on an anchor, as far as the rules let them."""
    d, p = len(structure.support), len(structure.fixed)
    anchor = anchors[rng.integers(len(anchors), size=len(w))]
    device = rng.choice(s, size=len(w))[:, None]
    gradient = (w[:, d : 2 * d] - w[:, :d]) * rng.uniform(0.2, 1.0, size=(len(w), 1))
    x, process = anchor[:, :d], anchor[:, d : d + p][:, structure.free]
    target = np.hstack([x - device * gradient, x + (1.0 - device) * gradient, process])
    return structure.region.pull(w, target)
