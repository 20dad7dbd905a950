"""NIMO's COMBI as an arm.

COMBI picks the composition of largest expected improvement among its candidates, then, of the pairs that may be graded
through it, the one whose film has the largest expected improvement on average; the film runs as far as the ranges of
its two elements allow. On T1 that is exactly the film rule: ranges of 10 to 90 at.%, and a film through every lattice
composition of two to four elements.

Its candidates are the lattice compositions at which at least one of the pairs that it looks at can be graded, so that
it never ends for want of a pair. Readings go in at the compositions that were asked for, as every arm is told them.
"""

from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from benchmarks.decisions.campaign import Asked, Choice
from benchmarks.decisions.peers.process import PeerProcess
from models.film import Film

Array = NDArray[np.float64]

PERCENT = 100.0


@dataclass
class Combi:
    """COMBI on a task whose films are listed."""

    all_pairs: bool
    _process: PeerProcess | None = field(default=None, init=False)

    def decide(self, asked: Asked) -> Choice:
        """Ask COMBI and find its film among the listed ones.

        Raises:
            ValueError: If its film is not one of the task's.
        """
        elements = asked.problem.space.elements
        pairs = [list(pair) for pair in combinations(range(len(elements)), 2)]
        alive = ~np.isnan(asked.dataset.Y[:, 0])
        question = {
            "columns": list(elements),
            "X": _percent(asked.dataset.X[alive]),
            "y": asked.dataset.Y[alive, 0].tolist(),
            "ranges": [[10, 90]] * len(elements),
            "pairs": pairs,
            "devices": asked.problem.film.devices,
            "minimise": asked.problem.objectives[0].direction == "minimise",
            "all_pairs": self.all_pairs,
        }
        if self._process is None:
            self._process = PeerProcess("nimo_worker.py")
            looked_at = pairs if self.all_pairs else pairs[: len(elements)]
            question["candidates"] = gradable(asked.task.listed or (), looked_at)
        answer = self._process.ask(question)
        points = np.array(answer["film"]) / PERCENT
        return Choice(_same(asked.task.listed or (), points), cpu_seconds=answer["cpu_seconds"])

    def close(self) -> None:
        """End COMBI's process."""
        if self._process is not None:
            self._process.close()


def gradable(films: tuple[Film, ...], pairs: list[list[int]]) -> list[list[float]]:
    """Lattice compositions, in at.%, on the films that grade one of `pairs`."""
    found: set[tuple[int, ...]] = set()
    for film in films:
        change = film.b - film.a
        if np.flatnonzero(np.abs(change) > 1e-9).tolist() in pairs:
            steps = int(np.rint(10.0 * np.abs(change).max()))
            shares = np.linspace(0.0, 1.0, steps + 1)[:, None]
            found |= {tuple(row) for row in np.rint(PERCENT * (film.a + shares * change)).astype(int).tolist()}
    return [[float(v) for v in row] for row in sorted(found)]


def _percent(X: Array) -> list[list[float]]:
    rows: list[list[float]] = np.round(PERCENT * X, 4).tolist()
    return rows


def _same(films: tuple[Film, ...], points: Array) -> Film:
    """The listed film with these device points, from either end.

    Raises:
        ValueError: If there is none.
    """
    for film in films:
        ends = np.stack([film.a, film.b])
        for asked in (points[[0, -1]], points[[-1, 0]]):
            if np.abs(ends - asked).max() < 1e-3:
                return film
    raise ValueError(f"no listed film runs from {points[0]} to {points[-1]}")
