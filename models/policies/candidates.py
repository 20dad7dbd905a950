"""Where the best is sought for an answer, not for a film: points around the good ones, and joint draws at them."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from models.policies.base import Question
from models.policies.joint_draws import cholesky
from models.policies.pool import even_pool
from models.rounding import Rounding
from models.surrogates.base import Prediction
from models.surrogates.posterior_map import is_feasible
from models.tensors import normal_draws, to_array, to_tensor

Array = NDArray[np.float64]
Choice = Callable[[Prediction], NDArray[np.intp]]
"""Numbers of the good points, of what is predicted at all."""

APART = 0.05
"""Compositions are rivals if an atomic fraction differs by more than this; what is nearer is one thing to make."""
PROCESS_APART = 0.1
"""Or if a process column differs by more than this share of its range."""
NEIGHBOURS = 0.2
"""Candidates nearer than this share of what makes them rivals stand for each other."""
EVEN = 1024
"""Points of the whole region."""
LAID = 512
"""Points that are laid around the good ones in each round."""
ROUNDS = 3


def candidates(question: Question, good: Choice) -> tuple[Array, Prediction]:
    """Feasible points of the whole region, and many more around the good ones.

    Args:
        question: The problem and what is known; with a model.
        good: Says which points are good.

    Returns:
        `j x (d + p)` points whose process can be set, and what is predicted there, maximised.
    """
    read = _legal(question, np.unique(question.read().X, axis=0))
    points = np.unique(settable(question, np.vstack([even_pool(question, EVEN), read])), axis=0)
    predicted = question.model().predict(points)
    for number in range(0 if question.structures.listed else ROUNDS):
        near = _laid(question, points[good(predicted)], points, number)
        if len(near):
            more = question.model().predict(near)
            points = np.vstack([points, near])
            predicted = Prediction(np.vstack([predicted.mean, more.mean]), np.vstack([predicted.sd, more.sd]))
    return points, predicted


def _laid(question: Question, best: Array, points: Array, number: int) -> Array:
    """Legal points between good ones and any others, in round `number`; nearer to the good ones each time."""
    d, rng = question.problem.space.dimension, np.random.default_rng([question.seed, number])
    share = 0.5 ** (number + 1) * rng.uniform(size=(LAID, 1))
    start, towards = best[rng.integers(len(best), size=LAID)], points[rng.integers(len(points), size=LAID)]
    near = (1.0 - share) * start + share * towards
    kept = np.setdiff1d(np.arange(near.shape[1] - d), question.structures.items[0].free)
    near[:, d + kept] = start[:, d + kept]  # nothing lies between two choices
    return _legal(question, settable(question, near))


def settable(question: Question, points: Array) -> Array:
    """Points (j x (d + p)) whose process is rounded to whole steps, where the tools have steps."""
    d, rounding = question.problem.space.dimension, Rounding(question.problem.space, question.problem.film)
    return np.hstack([points[:, :d], rounding.process(points[:, d:])])


def joint_values(question: Question, points: Array, draws: int) -> Array:
    """Every property at points in joint draws, maximised, in physical units: `draws x j x properties`.

    Args:
        question: With a model; its seed is that of the draws.
        points: `j x (d + p)`.
        draws: Components of an averaged surrogate share them evenly.
    """
    model, X, found = question.model(), to_tensor(points), []
    count, j = len(question.problem.properties), len(points)
    normal = normal_draws(draws, count * j, question.seed)
    for k in range(count):
        latents = model.latents(k)
        parts = torch.tensor_split(normal[:, k * j : (k + 1) * j], len(latents))
        with torch.no_grad():
            f = [
                p.mean(X) + part @ cholesky(p.covariance(X, X), p.variance).mT
                for p, part in zip(latents, parts, strict=True)
            ]
        found.append(latents[0].centre + latents[0].scale * to_array(torch.cat(f)))
    return np.stack(found, axis=-1)


def distance(one: Array, other: Array, d: int) -> Array:
    """How far points (j x (d + p)) lie from others (i x (d + p)): `j x i`; above 1 they are rivals."""
    change = np.abs(one[:, None] - other[None])
    return np.asarray(np.maximum(change[..., :d].max(-1) / APART, change[..., d:].max(-1, initial=0.0) / PROCESS_APART))


def _legal(question: Question, points: Array) -> Array:
    """Those of points (j x (d + p)) whose compositions obey every rule."""
    legal: Array = points[is_feasible(question.problem.space, points[:, : question.problem.space.dimension])]
    return legal


def thinned(points: Array, order: Sequence[int], d: int, most: int) -> list[int]:
    """Numbers of at most `most` of the points (j x (d + p)), taken in order, of which no two are neighbours.

    Points are laid densely around good ones. Of neighbours one stands for all: else there is no room for what lies
    farther away, may be better too, and speaks against the best.
    """
    chosen, left = list[int](), np.ones(len(points), dtype=bool)
    for k in order:
        if left[k]:
            chosen.append(k)
            left &= distance(points[[k]], points, d)[0] > NEIGHBOURS
        if len(chosen) == most:
            break
    return chosen
