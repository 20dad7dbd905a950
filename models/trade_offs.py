"""What to make of a campaign of several objectives: the trade-offs that are believed best, and how sure each is.

The front is that of the posterior mean over every feasible composition, among those that likely keep every limit; each
point comes with its probability of belonging to the front in joint draws of all properties. The hypervolume is told
twice: of what was measured, and of what the model believes there is. What lies between them is still to be gained.
"""

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from models.composition import ProcessValues
from models.dataset import Dataset
from models.directions import directions, reach
from models.pareto import non_dominated
from models.policies.base import Question, asked_of
from models.policies.candidates import candidates, distance, joint_values, thinned
from models.policies.frame import LIKELY, Frame, chance_within
from models.problem import Problem
from models.surrogates.base import ModelBundle, Prediction

Array = NDArray[np.float64]

SHOWN = 40
"""Most points of a front that are shown: those that together cover it most evenly."""
LEADERS = 64
"""Directions through each face of the unit cube along which the points of the front are sought."""
CONTENDERS = 800
"""Candidates that may dominate a point of the front, of neighbours one. In five elements even these leave out some: the
probabilities are then a little too high and the hypervolume a little too low."""
DRAWS = 256
PER_FACE = 64
"""Directions of each set, through each face of the unit cube, along which hypervolume is measured."""


class Believed(BaseModel):
    """What is believed of one property at a point, in its own unit."""

    model_config = ConfigDict(frozen=True)

    property: str
    mean: float
    sd: float


class TradeOff(BaseModel):
    """A point of the front."""

    model_config = ConfigDict(frozen=True)

    composition: dict[str, float]
    process: ProcessValues
    values: tuple[Believed, ...]
    """Of every objective, then of every outcome."""
    chance_within_limits: float
    """Probability that every outcome keeps within its limits; 1 where there is none."""
    probability_on_front: float
    """Probability that it keeps every limit, and that nothing else which keeps them is better in all objectives; else
    means that a fraction differs by more than 5 at.% or a process variable by more than a tenth of its range."""
    distance_to_measured: float
    """Largest difference of an atomic fraction from the nearest composition that was read."""


class Volume(BaseModel):
    """A hypervolume over joint draws."""

    model_config = ConfigDict(frozen=True)

    mean: float
    sd: float


class Reference(BaseModel):
    """Where an objective begins to count."""

    model_config = ConfigDict(frozen=True)

    property: str
    unit: str
    value: float
    """Of the two as far from a target, the larger."""
    inferred: bool


class TradeOffs(BaseModel):
    """The front of a campaign at one model version."""

    model_config = ConfigDict(frozen=True)

    points: tuple[TradeOff, ...]
    """In the order of the first objective, the best first; empty if nothing feasible is likely to keep the limits."""
    reference: tuple[Reference, ...]
    """Above which, or below which where less is better, hypervolume is counted."""
    hypervolume_measured: Volume
    """Of the latent values at the points that were read."""
    hypervolume_believed: Volume
    """Of the latent values at these and at every candidate."""
    hypervolume_unit: str


def trade_offs(problem: Problem, bundle: ModelBundle, dataset: Dataset, *, seed: int) -> TradeOffs:
    """The front that a model believes in.

    Args:
        problem: 2 to 4 objectives, any outcomes.
        bundle: Trained on the dataset.
        dataset: The readings; one at least.
        seed: From which pool and draws are made; the same seed gives the same answer.

    Raises:
        ValueError: If there is one objective: it has a best composition (`models/recommendation.py`).
    """
    if len(problem.objectives) == 1:
        raise ValueError("one objective has no trade-offs")
    question = asked_of(problem, bundle.surrogate, dataset, seed)
    frame = Frame(question)
    points, predicted = candidates(question, lambda p: _promising(frame, problem, p))
    front = _front(frame, problem, predicted)
    rank = frame.rank(predicted.hoped(problem.objectives, 2.0), chance_within(problem, predicted))
    order = [*front.tolist(), *np.argsort(rank, kind="stable").tolist()]
    contending = np.setdiff1d(thinned(points, order, problem.space.dimension, CONTENDERS), front)
    field, known = points[np.concatenate([front, contending])], frame.known()
    values = joint_values(question, np.vstack([field, known]), DRAWS)
    allowed = _allowed(problem, values)
    for k, o in enumerate(problem.objectives):
        values[..., k] = o.utility().of(values[..., k])
    values[~allowed] = -np.inf
    chance = _chance_on_front(problem, field, len(front), values[:, : len(field)])
    u = directions(2 * DRAWS, PER_FACE, len(problem.objectives), seed)
    return TradeOffs(
        points=_described(question, points[front], chance),
        reference=_references(problem, frame),
        hypervolume_measured=_volume(frame, values[:, len(field) :], u),
        hypervolume_believed=_volume(frame, values, u),
        hypervolume_unit=" x ".join(o.unit for o in problem.objectives),
    )


def _promising(frame: Frame, problem: Problem, predicted: Prediction) -> NDArray[np.intp]:
    """Numbers of the points around which the front is sought: its own, else those most likely within the limits."""
    front = _front(frame, problem, predicted)
    return front if len(front) else np.argsort(-chance_within(problem, predicted), kind="stable")[:SHOWN]


def _front(frame: Frame, problem: Problem, predicted: Prediction) -> NDArray[np.intp]:
    """Numbers of the points whose means make the front, at most `SHOWN`, spread over it; none if no limit is kept."""
    likely = np.flatnonzero(chance_within(problem, predicted) >= LIKELY)
    if not len(likely):
        return likely
    m = len(problem.objectives)
    worth = predicted.expected(problem.objectives)
    above = frame.above(worth[likely])
    furthest = reach(above, directions(1, LEADERS, m, seed=0)[0]).argmax(axis=0)
    leading = likely[list(dict.fromkeys([*above.argmax(axis=0).tolist(), *furthest.tolist()]))]
    front = leading[non_dominated(worth[leading])]
    if len(front) <= SHOWN:
        return front
    ends, between = front[:m], front[m:]  # directions come face by face: the first ones cover one end only
    return np.concatenate([ends, between[np.linspace(0, len(between) - 1, SHOWN - m).round().astype(int)]])


def _allowed(problem: Problem, values: Array) -> NDArray[np.bool_]:
    """Where every outcome is within its limits, of `... x properties` values."""
    m = len(problem.objectives)
    met = [o.is_met(values[..., m + k]) for k, o in enumerate(problem.outcomes)]
    return np.all(met, axis=0) if met else np.ones(values.shape[:-1], dtype=bool)


def _chance_on_front(problem: Problem, field: Array, shown: int, values: Array) -> Array:
    """Of the first `shown` points of a field (j x (d + p)), from draws x j x properties: `shown` probabilities."""
    m = len(problem.objectives)
    rivals = distance(field[:shown], field, problem.space.dimension) > 1.0
    on_front = [
        np.isfinite(draw[:shown, 0]) & ~(_beaten(draw[:shown, :m], draw[:, :m]) & rivals).any(1) for draw in values
    ]
    return np.asarray(np.mean(on_front, axis=0))


def _beaten(some: Array, others: Array) -> NDArray[np.bool_]:
    """Whether each of some points (i x m) is beaten by each of others (j x m): `i x j`.

    One is as good in every objective and better in one: within the tolerance of a target all are equally good.
    """
    better = others[None] > some[:, None]
    return np.asarray((better | (others[None] == some[:, None])).all(-1) & better.any(-1))


def _volume(frame: Frame, values: Array, u: Array) -> Volume:
    """Hypervolume of points in every draw (draws x j x properties) along two sets of directions (2 draws x L x m).

    What two independent estimates of one draw have in common is the draw's own: their covariance is the variance of
    the hypervolume, free of the error of the directions.
    """
    m = u.shape[-1]
    twice = np.array(
        [
            [(reach(frame.above(draw), some).max(axis=0).clip(0.0) ** m).mean() for some in pair]
            for draw, pair in zip(values, u.reshape(len(values), 2, *u.shape[1:]), strict=True)
        ]
    )
    variance = max(float(np.cov(twice.T)[0, 1]), 0.0)
    return Volume(mean=frame.scale * float(twice.mean()), sd=frame.scale * variance**0.5)


def _references(problem: Problem, frame: Frame) -> tuple[Reference, ...]:
    return tuple(
        Reference(property=o.property, unit=o.unit, value=o.from_maximised(float(r)), inferred=o.reference is None)
        for o, r in zip(problem.objectives, frame.reference, strict=True)
    )


def _described(question: Question, points: Array, chance: Array) -> tuple[TradeOff, ...]:
    """Points (j x (d + p)) in physical terms, with their probabilities (j) of belonging to the front."""
    problem, space = question.problem, question.problem.space
    if not len(points):
        return ()
    predicted = question.model().predict(points)
    within = chance_within(problem, predicted)
    read = question.read().X[:, : space.dimension]
    return tuple(
        TradeOff(
            composition=dict(zip(space.elements, points[k, : space.dimension].tolist(), strict=True)),
            process=space.decode_process(points[k, space.dimension :]),
            values=tuple(
                Believed(property=p.property, mean=float(p.sign() * mean), sd=float(sd))
                for p, mean, sd in zip(problem.properties, predicted.mean[k], predicted.sd[k], strict=True)
            ),
            chance_within_limits=float(within[k]),
            probability_on_front=float(chance[k]),
            distance_to_measured=float(np.abs(read - points[k, : space.dimension]).max(1).min()),
        )
        for k in np.argsort(-predicted.expected(problem.objectives[:1])[:, 0], kind="stable")
    )
