"""T1: three real oxide libraries of six elements, on which every pair-graded film has real values.

A plate holds the overpotential of every composition of at most four of its six elements at 10 at.% steps. A film
grades the pair (i, j) from (T - 0.1, 0.1) to (0.1, T - 0.1) with T >= 0.3 of the pair in all; the rest of the
composition stays on the lattice, so the film runs along lattice points and linear interpolation between neighbours
10 at.% apart gives its values. There are 2,325 such films per plate.

Compositions are handled as integers in tenths. Source of the data: the READMEs of `oer-plate-*`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import combinations
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from benchmarks.decisions.data import data_file
from benchmarks.decisions.task import Values, best_so_far
from models.composition import ElementBounds, GroupRule, SearchSpace
from models.film import Film, FilmChoice, FilmGeometry
from models.objective import Objective
from models.problem import Problem

Array = NDArray[np.float64]
Tenths = tuple[int, ...]

PLATES = ("3496", "3851", "4098")
DEVICES = 5
FILMS = 13
LEAST_PAIR = 3
"""Smallest total of the graded pair, in tenths."""
MOST_ELEMENTS = 4
MILLI = 1000.0


@dataclass(frozen=True, eq=False)
class Plate:
    """One plate as a task; values in mV, smaller is better."""

    name: str
    elements: tuple[str, ...]
    table: dict[Tenths, float]
    """Overpotential in mV by composition."""

    films: ClassVar[int] = FILMS
    unit: ClassVar[str] = "mV"

    @classmethod
    @lru_cache(maxsize=8)
    def load(cls, number: str) -> Self:
        """Read one plate.

        Raises:
            DataAbsent: If the data are not on this machine.
        """
        path = data_file(f"oer-plate-{number}", f"oer_plate_{number}.csv")
        with path.open(encoding="utf-8") as file:
            names = file.readline().strip().split(",")
            rows = np.loadtxt(file, delimiter=",")
        keys = np.rint(10.0 * rows[:, 1:-1]).astype(int)
        table = {tuple(k): float(v) for k, v in zip(keys.tolist(), MILLI * rows[:, -1], strict=True)}
        return cls(f"oer-plate-{number}", tuple(n.capitalize() for n in names[1:-1]), _completed(table))

    @cached_property
    def problem(self) -> Problem:
        """The plate as a campaign."""
        return Problem(
            space=SearchSpace(
                elements=self.elements,
                bounds=tuple(ElementBounds(element=e, absent_or_at_least=0.1) for e in self.elements),
                groups=(GroupRule(name="present", elements=self.elements, max_present=MOST_ELEMENTS),),
            ),
            objectives=(Objective(property="overpotential", unit=self.unit, direction="minimise"),),
            film=FilmGeometry(devices=DEVICES, grading="pair", span_min=0.1, span_max=0.8, choices=self._choices()),
        )

    def _choices(self) -> tuple[FilmChoice, ...]:
        def named(end: Tenths) -> dict[str, float]:
            return {e: k / 10.0 for e, k in zip(self.elements, end, strict=True) if k}

        return tuple(FilmChoice(a=named(a), b=named(b)) for a, b in _ends(len(self.elements)))

    @cached_property
    def listed(self) -> tuple[Film, ...]:
        """Every film that may be made, F = 2,325."""
        s = self.problem.film.mixing()
        ends = (np.array(e, dtype=float) / 10.0 for e in _ends(len(self.elements)))
        return tuple(Film(a, b, np.empty(0), s) for a, b in ends)

    @cached_property
    def sd(self) -> Array:
        """Standard deviation over the plate, `1`."""
        return np.array([np.std(list(self.table.values()))])

    @cached_property
    def _film_values(self) -> Array:
        """True values of every device of every film, `F x K`."""
        return np.array([self._along(film, film.s) for film in self.listed])

    @property
    def best(self) -> float:
        """Least overpotential of any device of any film."""
        return float(self._film_values.min())

    @cached_property
    def goal(self) -> float:
        """Value at the best 1 % of the plate's compositions."""
        return float(np.quantile(list(self.table.values()), 0.01))

    def values(self, film: Film, error: Array) -> Values:
        """True values; the composition misses along the film's own line, as far as the film goes."""
        span = np.abs(film.a - film.b).max()
        moved = np.clip(film.s + error[:, 0] / span, 0.0, 1.0)
        return Values(self._along(film, film.s)[:, None], self._along(film, moved)[:, None])

    def scores(self, measured: Sequence[Array]) -> list[float | None]:
        """Best true value after each film."""
        return best_so_far(self.problem.objectives[0].sign(), measured)

    def starts(self, seed: int) -> list[Film]:
        """Two different random films."""
        rng = np.random.default_rng([int(self.name[-4:]), seed])
        return [self.listed[k] for k in rng.choice(len(self.listed), 2, replace=False)]

    @cached_property
    def _points(self) -> tuple[Array, Array]:
        """Distinct device points of all films, and their values."""
        points = np.vstack([film.points() for film in self.listed])
        _, first = np.unique(np.rint(1e6 * points), axis=0, return_index=True)
        return points[first], self._film_values.reshape(-1, 1)[first]

    @cached_property
    def grid(self) -> Array:
        """Every composition of the plate through which a film runs."""
        return np.array(sorted({k for ends in _ends(len(self.elements)) for k in _line(*ends)})) / 10.0

    def pool(self) -> Array:
        """Distinct device points of all films."""
        return self._points[0]

    def truth(self, points: Array) -> Array:
        """True values at points of the pool, `j x 1`."""
        known = {tuple(k): float(v) for k, v in zip(_key(self._points[0]), self._points[1][:, 0], strict=True)}
        return np.array([[known[tuple(k)]] for k in _key(points)])

    def _along(self, film: Film, s: Array) -> Array:
        """Values at shares `s` of end B, linear between the lattice points on the film."""
        steps = int(np.rint(10.0 * np.abs(film.a - film.b).max()))
        shares = np.linspace(0.0, 1.0, steps + 1)
        on_line = np.rint(10.0 * ((1.0 - shares)[:, None] * film.a + shares[:, None] * film.b)).astype(int)
        return np.interp(s, shares, [self.table[tuple(k)] for k in on_line.tolist()])


def _key(points: Array) -> list[list[int]]:
    keys: list[list[int]] = np.rint(1e6 * points).astype(int).tolist()
    return keys


def _ends(d: int) -> Iterator[tuple[Tenths, Tenths]]:
    """Both ends of every film, in tenths."""
    for i, j in combinations(range(d), 2):
        others = [k for k in range(d) if k not in (i, j)]
        for pair in range(LEAST_PAIR, 11):
            for fixed in _fixed(others, 10 - pair, d):
                a, b = list(fixed), list(fixed)
                a[i], a[j], b[i], b[j] = pair - 1, 1, 1, pair - 1
                yield tuple(a), tuple(b)


def _fixed(others: list[int], total: int, d: int) -> Iterator[Tenths]:
    """Every way to give `total` tenths to at most two of the other elements."""

    def filled(parts: dict[int, int]) -> Tenths:
        return tuple(parts.get(k, 0) for k in range(d))

    if total == 0:
        yield filled({})
        return
    for k in others:
        yield filled({k: total})
    for k, q in combinations(others, 2):
        for share in range(1, total):
            yield filled({k: share, q: total - share})


def _completed(table: dict[Tenths, float]) -> dict[Tenths, float]:
    """The table with its few missing compositions, each the mean of its measured neighbours one step away."""
    d = len(next(iter(table)))
    needed = {k for ends in _ends(d) for k in _line(*ends)}
    return table | {k: float(np.mean([table[n] for n in _neighbours(k) if n in table])) for k in needed - set(table)}


def _line(a: Tenths, b: Tenths) -> Iterator[Tenths]:
    steps = max(abs(x - y) for x, y in zip(a, b, strict=True))
    for t in range(steps + 1):
        yield tuple(x + t * ((y > x) - (y < x)) for x, y in zip(a, b, strict=True))


def _neighbours(k: Tenths) -> Iterator[Tenths]:
    for i in range(len(k)):
        for j in range(len(k)):
            if i != j and k[i] > 0:
                yield tuple(v - (n == i) + (n == j) for n, v in enumerate(k))
