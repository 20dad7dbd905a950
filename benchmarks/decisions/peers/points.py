"""Ax, BayBE and Optuna as arms: peers that know single points are given films by two points.

None of them can be told that K devices lie on one line. But a film is fixed by its ends and its process, and that is
what they are asked for, by their own rule: the first point freely, the second with the first one pending and its
process held, for the whole film shares it. The film runs from the first to the second point. Two points further apart
than the longest span are cut at the second one's side; two that are too close are moved apart from their middle, as
far as the rules let them. All K readings of the film are told back, each as a point of its own, under the nominal
composition that every arm is told. So each film is worth two of the peer's own greedy choices, and the devices between
them come for free.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from benchmarks.decisions.campaign import Asked, Choice
from benchmarks.decisions.peers.process import peer
from models.film import Film
from models.problem import Problem

Array = NDArray[np.float64]


@dataclass
class TwoPoints:
    """A peer that is asked for the two ends of a film."""

    name: str
    _seconds: float = field(default=0.0, init=False)

    def decide(self, asked: Asked) -> Choice:
        """Ask for both ends and lay the film."""
        d = asked.problem.space.dimension
        self._seconds = 0.0
        first = self._ask(asked, pending=[], fixed=None)
        second = self._ask(asked, pending=[first.tolist()], fixed=first[d:].tolist())
        return Choice(film_between(asked.problem, first[:d], second[:d], first[d:]), cpu_seconds=self._seconds)

    def _ask(self, asked: Asked, *, pending: list[list[float]], fixed: list[float] | None) -> Array:
        space = asked.problem.space
        alive = ~np.isnan(asked.dataset.Y).any(axis=1)
        width = len(space.process_columns)
        question = {
            "peer": self.name,
            "campaign": f"{asked.task.name} {asked.seed} {id(self)}",
            "elements": list(space.elements),
            "process": list(space.process_columns),
            "low": [*space.lower().tolist(), *[0.0] * width],
            "high": [*space.upper().tolist(), *[1.0] * width],
            "objectives": [
                {"name": o.property, "minimise": o.direction == "minimise", "reference": o.reference}
                for o in asked.problem.objectives
            ],
            "X": asked.dataset.X[alive].tolist(),
            "Y": asked.dataset.Y[alive].tolist(),
            "pending": pending,
            "fixed": fixed or None,
            "seed": asked.seed,
        }
        answer = peer("point_worker.py", self.name).ask(question)
        self._seconds += answer["cpu_seconds"]
        return np.array(answer["point"])


def film_between(problem: Problem, first: Array, second: Array, process: Array) -> Film:
    """The film from one composition to another (d each), its span brought between the shortest and longest allowed."""
    low, high = problem.space.lower(), problem.space.upper()
    first, second = (closed(x, low, high) for x in (first, second))
    change = second - first
    span = float(np.abs(change).max())
    if span > problem.film.span_max:
        second = first + change * (problem.film.span_max / span)
    elif span < problem.film.span_min:
        first, second = _apart(problem, first, change if span > 1e-6 else _longest(first))
    return Film(first, second, np.clip(process, 0.0, 1.0), problem.film.mixing())


def closed(x: Array, low: Array, high: Array) -> Array:
    """The fractions between `low` and `high` that sum to 1, each moved as far as its room allows."""
    x = np.clip(x, low, high)
    missing = 1.0 - float(x.sum())
    room = high - x if missing > 0.0 else x - low
    return np.asarray(x + missing * room / max(float(room.sum()), 1e-12))


def _longest(x: Array) -> Array:
    """A direction for a film of two equal points: its two largest fractions trade."""
    order = np.argsort(-x, kind="stable")
    along = np.zeros(len(x))
    along[order[:2]] = 1.0, -1.0
    return along


def _apart(problem: Problem, x: Array, along: Array) -> tuple[Array, Array]:
    """Two compositions on the line through `x`, the shortest span apart, inside the bounds."""
    step = along / np.abs(along).max()
    G, h, _ = problem.space.inequalities()
    slope, slack = G @ step, h - G @ x
    up = float((slack[slope > 1e-9] / slope[slope > 1e-9]).min())
    down = float((slack[slope < -1e-9] / slope[slope < -1e-9]).max())
    start = float(np.clip(-problem.film.span_min / 2.0, down, max(down, up - problem.film.span_min)))
    return x + start * step, x + (start + problem.film.span_min) * step
