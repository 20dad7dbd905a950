"""NIMO's COMBI as an arm.

COMBI picks the composition of largest expected improvement among its candidates, then, of the pairs that may be graded
through it, the one whose film has the largest expected improvement on average. The film runs as far as the ranges of
its two elements allow.

On T1 that is exactly the film rule: ranges of 10 to 90 at.%, and a film through every lattice composition. On T2 and
T3 the ranges are those of the elements, and the film is cut to what every rule allows: the part of COMBI's line inside
the search space, of the longest span allowed, with COMBI's composition as near to its middle as can be. Where less
than the shortest span is left, the pair with the longest line through the composition is graded instead.

COMBI knows compositions only. The annealing temperature of T3 is given to it as two further columns, u and -u on
five levels: they add up to 0, so that its sum of the fractions that stay fixed remains right.

Its candidates are the task's grid, as far as at least one of the pairs that it looks at can be graded there, so that
it never ends for want of a pair. Readings go in at the compositions that were asked for, as every arm is told them.
"""

from dataclasses import dataclass, field
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray

from benchmarks.decisions.campaign import Asked, Choice
from benchmarks.decisions.peers.process import peer
from benchmarks.decisions.task import Task
from models.film import Film
from models.problem import Problem

Array = NDArray[np.float64]

PERCENT = 100.0
LEVELS = (0.0, 25.0, 50.0, 75.0, 100.0)
"""Levels of a process variable, in per cent of its range."""
CLOSE = 1e-3


@dataclass
class Combi:
    """COMBI within one campaign."""

    all_pairs: bool
    _told: bool = field(default=False, init=False)
    """Whether the candidates of this campaign were sent."""

    def decide(self, asked: Asked) -> Choice:
        """Ask COMBI and make its film legal."""
        problem = asked.problem
        names = _columns(problem)
        pairs = list(combinations(range(problem.space.dimension), 2))
        alive = ~np.isnan(asked.dataset.Y[:, 0])
        question = {
            "columns": names,
            "X": _rows(problem, asked.dataset.X[alive]),
            "y": asked.dataset.Y[alive, 0].tolist(),
            "ranges": _ranges(asked.task),
            "pairs": pairs,
            "devices": problem.film.devices,
            "minimise": problem.objectives[0].direction == "minimise",
            "all_pairs": self.all_pairs,
        }
        if not self._told:
            self._told = True
            question["candidates"] = candidates(asked.task, pairs if self.all_pairs else pairs[: len(names)])
        answer = peer("nimo_worker.py").ask(question)
        base = np.array(answer["base"]) / PERCENT
        i, j = (names.index(name) for name in answer["pair"])
        return Choice(_film(asked.task, base, (i, j)), cpu_seconds=answer["cpu_seconds"])


def candidates(task: Task, pairs: list[tuple[int, int]]) -> list[list[float]]:
    """The task's grid, in at.%, where one of `pairs` can be graded, at every level of the process."""
    levels = [
        [v for u in chosen for v in (u, -u)] for chosen in product(LEVELS, repeat=len(task.problem.space.process))
    ]
    least = PERCENT * max(0.3 if task.listed else 0.0, task.problem.film.span_min)
    rows = np.rint(PERCENT * task.grid)
    some = np.any([(rows[:, i] > 0) & (rows[:, j] > 0) & (rows[:, i] + rows[:, j] >= least) for i, j in pairs], axis=0)
    return [[*row, *level] for row in rows[some].tolist() for level in levels]


def _columns(problem: Problem) -> list[str]:
    return [*problem.space.elements, *(f"{v.name}{sign}" for v in problem.space.process for sign in "+-")]


def _rows(problem: Problem, X: Array) -> list[list[float]]:
    """Device points as rows of COMBI's file."""
    d = problem.space.dimension
    process = np.repeat(X[:, d:], 2, axis=1) * np.tile([1.0, -1.0], X.shape[1] - d)
    rows: list[list[float]] = np.round(PERCENT * np.hstack([X[:, :d], process]), 4).tolist()
    return rows


def _ranges(task: Task) -> list[list[int]]:
    """Least and largest at.% of each element on the grid, where it is present."""
    rows = np.rint(PERCENT * task.grid).astype(int)
    return [[int(column[column > 0].min()), int(column.max())] for column in rows.T]


def _film(task: Task, base: Array, pair: tuple[int, int]) -> Film:
    """The film through a composition, as far as the rules allow.

    Raises:
        ValueError: If no film of the task runs through it.
    """
    d = task.problem.space.dimension
    if task.listed is not None:
        return _listed(task.listed, base[:d], pair)
    process = base[d::2]
    film = chord(task.problem, base[:d], pair, process)
    if film is None:
        present = [k for k in range(d) if base[k] > 0.0]
        others = [chord(task.problem, base[:d], other, process) for other in combinations(present, 2)]
        film = max((f for f in others if f is not None), key=lambda f: float(np.abs(f.b - f.a).max()), default=None)
    if film is None:
        raise ValueError(f"no film runs through {base}")
    return film


def chord(problem: Problem, x: Array, pair: tuple[int, int], process: Array) -> Film | None:
    """The longest legal film through `x` (d) that grades `pair`, `x` nearest to its middle; None if it is too short."""
    along = np.zeros(len(x))
    along[list(pair)] = 1.0, -1.0
    G, h, _ = problem.space.inequalities()
    G, h = np.vstack([G, -np.eye(len(x))]), np.append(h, -np.where(x > 0.0, problem.space.presence().least, 0.0))
    slope, slack = G @ along, h - G @ x
    up = float((slack[slope > CLOSE] / slope[slope > CLOSE]).min())
    down = float((slack[slope < -CLOSE] / slope[slope < -CLOSE]).max())
    span = min(up - down, problem.film.span_max)
    if min(up, -down) < 0.0 or span < problem.film.span_min:
        return None
    start = float(np.clip(-span / 2.0, down, up - span))
    return Film(x + start * along, x + (start + span) * along, process, problem.film.mixing())


def _listed(films: tuple[Film, ...], x: Array, pair: tuple[int, int]) -> Film:
    """The listed film that grades `pair` through `x`.

    Raises:
        ValueError: If there is none.
    """
    fixed = [k for k in range(len(x)) if k not in pair]
    for film in films:
        change = np.abs(film.b - film.a)
        if change[list(pair)].min() > CLOSE and np.abs(film.a - x)[fixed].max() < CLOSE:
            return film
    raise ValueError(f"no listed film grades {pair} through {x}")
