"""What to make of a campaign of one objective: the composition that is best by all that was read, and how sure that is.

It is the best of the posterior mean among compositions that obey every rule and likely keep every limit, not the
luckiest reading; where a target is to be met, the one that is expected nearest to it. Neighbours are equally good
within what anyone can make, so the probability of being best is that of a neighbourhood: every candidate belongs to the
nearest of several rivals that differ by more than `APART`.
"""

from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from models.composition import ProcessValues
from models.dataset import Dataset
from models.policies.base import Question, asked_of
from models.policies.candidates import candidates, distance, joint_values, settable, thinned
from models.policies.frame import LIKELY, chance_within
from models.problem import Problem
from models.surrogates.base import ModelBundle, Prediction
from models.surrogates.best_composition import climbs
from models.surrogates.nearness import nearness
from models.tensors import to_array, to_tensor

Array = NDArray[np.float64]

CONTENDERS = 256
"""Candidates that may be the best, beside the recommended one."""
DRAWS = 1024
RIVALS = 5
ROUNDS = 2
"""Climbs of the composition and sweeps of the process, in turn."""
SWEPT = 65
"""Values of a process variable that are tried in a sweep."""
GOOD = 16
"""Best candidates around which more are laid."""
UNLIKELY = 0.02
"""Candidates that keep within limits with a smaller probability come last: two deviations speak against them."""


class Candidate(BaseModel):
    """A composition that may be the best."""

    model_config = ConfigDict(frozen=True)

    composition: dict[str, float]
    process: ProcessValues
    mean: float
    """Posterior mean of the objective in its own unit."""
    sd: float
    """Its standard deviation."""
    chance_within_limits: float
    """Probability that every outcome keeps within its limits; 1 where there is none."""
    probability_best: float
    """Probability that the best of all compositions lies nearer to this one than to any of its rivals. Where several
    are equally good, as within the tolerance of a target, it is shared evenly."""
    chance_within_tolerance: float | None = None
    """Probability that the objective lies within its tolerance of the target; None without either."""


class Recommended(Candidate):
    """The composition to make, and what speaks against it."""

    property: str
    unit: str
    target: float | None = None
    """What is to be matched; None where the objective is to be large or small."""
    tolerance: float | None = None
    """How far from the target is as good; None without one."""
    distance_to_measured: float
    """Largest difference of an atomic fraction from the nearest composition that was read."""
    nearest_measured: dict[str, float]
    rivals: tuple[Candidate, ...]
    """The most probable first; they differ from the recommended one and from each other by more than 5 at.% or a tenth
    of a process variable's range."""


def recommend(problem: Problem, bundle: ModelBundle, dataset: Dataset, *, seed: int) -> Recommended:
    """The best composition of a problem with one objective.

    Args:
        problem: One objective, any outcomes.
        bundle: Trained on the dataset.
        dataset: The readings; one at least.
        seed: From which pool and draws are made; the same seed gives the same answer.

    Raises:
        ValueError: If there are several objectives: these have trade-offs (`models/trade_offs.py`).
    """
    if len(problem.objectives) != 1:
        raise ValueError(f"a best composition needs one objective, the problem has {len(problem.objectives)}")
    question = asked_of(problem, bundle.surrogate, dataset, seed)
    points, predicted = candidates(question, lambda p: _ranked(problem, p)[:GOOD])
    if not question.structures.listed:
        points = np.vstack([points, _climbed(question, points[_ranked(problem, predicted)[0]])])
        predicted = bundle.surrogate.predict(points)
    best = int(_ranked(problem, predicted)[0])
    return _answer(question, points[_contenders(problem, points, predicted, best)])


def _contenders(problem: Problem, points: Array, predicted: Prediction, best: int) -> list[int]:
    """Numbers of the best point and of those that may reach highest within limits that they may keep."""
    may_keep = chance_within(problem, predicted) >= UNLIKELY
    expected, hoped = predicted.expected(problem.objectives), predicted.hoped(problem.objectives, 2.0)
    order = np.lexsort((-expected[:, 0], -hoped[:, 0], ~may_keep))  # all that may meet a target are hoped to be equal
    return thinned(points, [best, *order.tolist()], problem.space.dimension, CONTENDERS + 1)


def _ranked(problem: Problem, predicted: Prediction) -> NDArray[np.intp]:
    """Numbers of points, the best first: likely within limits by mean, then the others by how likely they are."""
    chance = chance_within(problem, predicted)
    likely = chance >= LIKELY
    worth = predicted.expected(problem.objectives)[:, 0]
    return np.lexsort((-worth, np.where(likely, 0.0, -chance), ~likely))


def _climbed(question: Question, start: Array) -> Array:
    """Where climbs of the posterior mean end that start at one point and change composition and process in turn."""
    space, points = question.problem.space, start[None]
    d, free = space.dimension, question.structures.items[0].free
    for _ in range(ROUNDS):
        ends = climbs(space, points[-1, :d], partial(_slope, question, points[-1, d:]))
        points = _best_last(question, np.vstack([points, np.hstack([ends, np.tile(points[-1, d:], (len(ends), 1))])]))
        for column in d + free:
            swept = np.repeat(points[-1:], SWEPT, axis=0)
            swept[:, column] = np.linspace(0.0, 1.0, SWEPT)
            points = _best_last(question, np.vstack([points, np.unique(settable(question, swept), axis=0)]))
    return points


def _best_last(question: Question, points: Array) -> Array:
    ranked = _ranked(question.problem, question.model().predict(points))
    return points[[*ranked[1:], ranked[0]]]


def _slope(question: Question, process: Array, composition: Array) -> tuple[float, Array]:
    """What is expected of a composition (d), standardised and maximised, and its gradient (d)."""
    sought, latents = question.problem.objectives[0], question.model().latents(0)
    if sought.target is not None:
        return nearness(sought, latents, process, composition)
    x = to_tensor(np.concatenate([composition, process])).requires_grad_()
    mean = torch.stack([latent.mean(x[None])[0] for latent in latents]).mean()
    (gradient,) = torch.autograd.grad(mean, x)
    return mean.item(), to_array(gradient)[: len(composition)]


def _answer(question: Question, points: Array) -> Recommended:
    """The recommendation, which is the first of some points, among its rivals."""
    problem, d = question.problem, question.problem.space.dimension
    predicted = question.model().predict(points)
    heads = _apart(points, d, _ranked(problem, predicted))
    cell = distance(points, points[heads], d).argmin(1)
    shares = _shares(_winners(question, points), cell, len(heads))
    made = _described(question, points[heads], shares)
    read = question.read().X[:, :d]
    far = np.abs(read - points[0, :d]).max(1)
    return Recommended(
        **made[0].model_dump(),
        property=problem.objectives[0].property,
        unit=problem.objectives[0].unit,
        target=problem.objectives[0].target,
        tolerance=None if problem.objectives[0].target is None else problem.objectives[0].tolerance,
        distance_to_measured=float(far.min()),
        nearest_measured=dict(zip(problem.space.elements, read[int(far.argmin())].tolist(), strict=True)),
        rivals=tuple(sorted(made[1:], key=lambda c: -c.probability_best)[:RIVALS]),
    )


def _described(question: Question, points: Array, shares: Array) -> list[Candidate]:
    """Points (j x (d + p)) in physical terms, with their probabilities of being best (j)."""
    space, objective = question.problem.space, question.problem.objectives[0]
    predicted = question.model().predict(points)
    chance = chance_within(question.problem, predicted)
    near = objective.matched()
    met = near.chance(predicted.mean[:, 0], predicted.sd[:, 0]) if near is not None and near.tolerance else None
    return [
        Candidate(
            composition=dict(zip(space.elements, point[: space.dimension].tolist(), strict=True)),
            process=space.decode_process(point[space.dimension :]),
            mean=float(objective.sign() * predicted.mean[k, 0]),
            sd=float(predicted.sd[k, 0]),
            chance_within_limits=float(chance[k]),
            probability_best=float(shares[k]),
            chance_within_tolerance=None if met is None else float(met[k]),
        )
        for k, point in enumerate(points)
    ]


def _winners(question: Question, points: Array) -> NDArray[np.bool_]:
    """Which points are best in a draw, `draws x j`, for every draw in which some point keeps every limit."""
    values = joint_values(question, points, DRAWS)
    met = [o.is_met(values[..., 1 + k]) for k, o in enumerate(question.problem.outcomes)]
    allowed = np.all(met, axis=0) if met else np.ones(values.shape[:2], dtype=bool)
    worth = np.where(allowed, question.problem.objectives[0].utility().of(values[..., 0]), -np.inf)
    return np.asarray((worth == worth.max(1, keepdims=True))[allowed.any(1)])


def _shares(winners: NDArray[np.bool_], cell: NDArray[np.intp], cells: int) -> Array:
    """Share of the draws in which the best point (draws x j) lies in each cell; cells with equal ones share a draw."""
    won = np.stack([winners[:, cell == k].any(1) for k in range(cells)], axis=1)
    return np.asarray((won / won.sum(1, keepdims=True)).sum(0) / DRAWS)


def _apart(points: Array, d: int, ranked: NDArray[np.intp]) -> list[int]:
    """The first point, then those in order of rank that differ from all before."""
    heads = [0]
    for k in ranked.tolist():
        if distance(points[[k]], points[heads], d).min() > 1.0:
            heads.append(k)
    return heads
