"""Feasible device points that stand for the region: where an acquisition asks what the property may be."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.policies.base import Question
from models.surrogates.posterior_map import is_feasible

Array = NDArray[np.float64]

DEVICES = 4
"""Device points that are taken of each film drawn."""
NEAR = 12
"""Best points around which more are laid."""
MOST_LISTED = 16_384
"""Device points of listed films that are looked at; beyond, they are drawn by seed."""


class Pool(NamedTuple):
    """Distinct feasible points, `j x (d + p)`."""

    points: Array
    worth: Array
    """`j`: what the first objective is expected to be worth there; its posterior mean, or its nearness to a target."""


def even_pool(question: Question, count: int) -> Array:
    """Feasible device points in equal parts from every film structure, about `count x (d + p)`."""
    rng = np.random.default_rng([question.seed, count])
    s = question.problem.film.mixing()
    if question.structures.listed:
        points = _flat([structure.points(w, s) for structure, w in question.structures.all_listed()])
        return points if len(points) <= count else points[np.sort(rng.choice(len(points), count, replace=False))]
    some = np.unique(np.linspace(0, len(s) - 1, min(DEVICES, len(s))).round().astype(int))
    drawn = question.structures.draw(-(-count // len(some)), rng)
    return _flat([structure.points(w, s[some]) for structure, w in drawn])


def promising_pool(question: Question, count: int) -> Pool:
    """Feasible device points of which half lie around the best ones; every listed one where films are listed.

    Args:
        question: The problem and what is known; with a model.
        count: Points, about.
    """
    if question.structures.listed:
        return _valued(question, even_pool(question, MOST_LISTED))
    space, d = question.problem.space, question.problem.space.dimension
    read = np.unique(question.read().X, axis=0)
    pool = _valued(question, np.vstack([even_pool(question, count // 2), read[is_feasible(space, read[:, :d])]]))
    best = pool.points[np.argsort(-pool.worth, kind="stable")[:NEAR]]
    rng = np.random.default_rng([question.seed, count, 1])
    share = rng.uniform(0.02, 0.5, size=(count, 1))
    start, towards = best[rng.integers(len(best), size=count)], pool.points[rng.integers(len(pool.points), size=count)]
    near = (1.0 - share) * start + share * towards
    near[:, d:] = np.where(_categorical(question), start[:, d:], near[:, d:])
    near = near[is_feasible(space, near[:, :d])][: count // 2]
    return _valued(question, np.vstack([pool.points, near])) if len(near) else pool


def _categorical(question: Question) -> NDArray[np.bool_]:
    """Process columns that are a choice: nothing lies between two of them."""
    widths = [variable.width for variable in question.problem.space.process]
    free = question.structures.items[0].free
    return ~np.isin(np.arange(sum(widths)), free)


def _valued(question: Question, points: Array) -> Pool:
    distinct = np.unique(points, axis=0)
    worth = question.model().predict(distinct).expected(question.problem.objectives[:1])
    return Pool(distinct, worth[:, 0])


def _flat(points: list[Array]) -> Array:
    return np.unique(np.concatenate([part.reshape(-1, part.shape[2]) for part in points]), axis=0)
