"""From a wanted film to films that the tools can make: rounding in command space, and the neighbours there.

Fractions are never rounded one by one. A wanted film becomes fluxes at several total fluxes, these become commands, and
the film that follows from the commands is what is judged: against every rule here, by its value in the search. Where
the nearest commands break a rule, single steps lead back to films that break none. See `models/deposition.py` for the
symbols, and for what pair grading means on a grid. Process variables with a step are rounded beside.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from models.composition import TOLERANCE, SearchSpace
from models.deposition import Commands, Counts, SourceTable
from models.film import Film, FilmGeometry, commanded_film

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Pair = tuple[int, int] | None

TOTALS = 32
"""Total fluxes at which a wanted film is tried."""
LEAST_TOTAL = 0.4
"""Smallest of them, relative to the largest that the sources can deliver: less flux means coarser fractions."""
REPAIRED = 3
"""Roundings that are led back inside the rules."""
REPAIRS = 20
"""Most steps of one way back."""


@dataclass(frozen=True)
class Wanted:
    """A film as wanted, whatever the tools can do, and the discrete choices it rests on."""

    film: Film
    support: Mask
    """`d` elements that may be present."""
    pair: Pair
    """The two elements that trade, or None if every one may."""


class Rounding:
    """The films of one problem that its tools can make."""

    def __init__(self, space: SearchSpace, geometry: FilmGeometry) -> None:
        self.space, self.geometry = space, geometry
        # A listed film is made as it is listed: no process value is moved, not even by a step.
        self.strides = np.zeros(len(space.process_columns)) if geometry.choices else space.process_strides()
        self.table: SourceTable | None = None if geometry.grid is None else geometry.grid.table(space.elements)
        self._G, self._h, _ = space.inequalities()
        self._least = space.presence().least

    @property
    def exact(self) -> bool:
        """Whether any film can be made as wanted."""
        return self.table is None and not self.strides.any()

    def nearest(self, wanted: Wanted, most: int = 1) -> list[Film]:
        """Films that can be made and obey the rules, the nearest to the wanted one first; empty if none was found."""
        process = self.process(wanted.film.process)
        if self.table is None:
            return [Film(wanted.film.a, wanted.film.b, process, wanted.film.s)]
        counts = self._rounded(self.table, wanted)
        excess = self._excess(self.table, counts)
        if (excess > TOLERANCE).all():
            counts = self._repaired(self.table, counts[np.argsort(excess, kind="stable")[:REPAIRED]], wanted)
            excess = self._excess(self.table, counts)
        counts = np.unique(counts[excess <= TOLERANCE], axis=0)
        ends, _ = self.table.ends(counts)
        missed = np.abs(ends - np.array([wanted.film.a, wanted.film.b])).max(axis=(1, 2), initial=0.0)
        return [self._film(self.table, n, process) for n in counts[np.argsort(missed, kind="stable")[:most]]]

    def neighbours(self, wanted: Wanted) -> list[Film]:
        """Films one step from a film that can be made, those that obey the rules: in a command or a process value."""
        film, found = wanted.film, []
        for column in np.flatnonzero(self.strides):
            for sign in (-1.0, 1.0):
                moved = film.process.copy()
                moved[column] += sign * self.strides[column]
                if -TOLERANCE <= moved[column] <= 1.0 + TOLERANCE:
                    found.append(Film(film.a, film.b, self.process(moved), film.s, commands=film.commands))
        if self.table is None or film.commands is None:
            return found
        counts = self.table.counts(np.array([film.commands.a, film.commands.b]))
        around = self._around(self.table, counts, wanted)
        legal = around[self._excess(self.table, around) <= TOLERANCE]
        return found + [self._film(self.table, n, film.process) for n in legal]

    def process(self, columns: Array) -> Array:
        """Process columns (... x p) in the unit cube, rounded to whole steps above the lower ends."""
        stride = np.where(self.strides > 0.0, self.strides, 1.0)
        steps = np.clip(np.rint(columns / stride), 0.0, np.floor(1.0 / stride + 1e-9))
        rounded: Array = np.where(self.strides > 0.0, np.minimum(steps * stride, 1.0), columns)
        return rounded

    def _film(self, table: SourceTable, counts: Counts, process: Array) -> Film:
        a, b = table.commands(counts)
        return commanded_film(Commands(a, b), process, self.space, self.geometry)

    def _rounded(self, table: SourceTable, wanted: Wanted) -> Counts:
        """The nearest counts at each of several total fluxes, `TOTALS x 2 x d`."""
        shares = np.array([wanted.film.a, self.geometry.flux_ratio * wanted.film.b])
        with np.errstate(divide="ignore"):
            largest = float((table.rate * table.step * table.most / shares).min())
        totals = largest * np.linspace(1.0, LEAST_TOTAL, TOTALS)
        counts = np.rint(totals[:, None, None] * shares / (table.rate * table.step)).astype(np.int64)
        if wanted.pair is not None:
            fixed = ~np.isin(np.arange(len(wanted.support)), wanted.pair)
            counts[:, 1, fixed] = counts[:, 0, fixed]
        return self._within(table, counts, wanted)

    def _within(self, table: SourceTable, counts: Counts, wanted: Wanted) -> Counts:
        """Counts brought into the range of their sources: off outside the support."""
        fades = (table.least == 0) | ~wanted.support
        least = np.where(fades, 0, table.least)
        return np.clip(counts, least, np.where(wanted.support, table.most, 0))

    def _around(self, table: SourceTable, counts: Counts, wanted: Wanted) -> Counts:
        """Counts (2 x d) one step away, `j x 2 x d`."""
        moved: Counts = counts + _moves(wanted.support.tobytes(), wanted.pair)
        inside = (moved == self._within(table, moved, wanted)).all(axis=(1, 2))
        around: Counts = moved[inside]
        return around

    def _excess(self, table: SourceTable, counts: Counts) -> Array:
        """By how much films (b x 2 x d) break the rules, summed, `b`; infinite where no source is on."""
        geometry, (ends, totals) = self.geometry, table.ends(counts)
        over = np.maximum(ends @ self._G.T - self._h, 0.0).sum(axis=(1, 2))
        on = counts.max(axis=1)[:, None] > 0
        over += np.where(on, np.maximum(self._least - ends, 0.0), 0.0).sum(axis=(1, 2))
        change = np.abs(ends[:, 0] - ends[:, 1])
        span = change.max(axis=1)
        over += np.maximum(span - geometry.span_max, 0.0) + np.maximum(geometry.span_min - span, 0.0)
        grid = geometry.grid
        if grid is not None:
            with np.errstate(divide="ignore", invalid="ignore"):
                ratio = totals[:, 1] / totals[:, 0] / geometry.flux_ratio
            over += np.maximum(np.abs(ratio - 1.0) - grid.ratio_within, 0.0)
        if grid is not None and geometry.grading == "pair":
            fixed = counts[:, 0] == counts[:, 1]
            drift = np.where(fixed, change, 0.0).max(axis=1)
            over += np.maximum(drift - grid.constant_within, 0.0)
        return np.where((totals > 0.0).all(axis=1), over, np.inf)

    def _repaired(self, table: SourceTable, counts: Counts, wanted: Wanted) -> Counts:
        """Lead each film step by step to where it breaks the rules least, `b x 2 x d`."""
        ended = []
        for start in counts:
            here, excess = start, float(self._excess(table, start[None])[0])
            for _ in range(REPAIRS):
                around = self._around(table, here, wanted)
                if excess <= TOLERANCE or not len(around):
                    break
                others = self._excess(table, around)
                best = int(np.argmin(others))
                if others[best] >= excess:
                    break
                here, excess = around[best], float(others[best])
            ended.append(here)
        return np.array(ended)


@lru_cache(maxsize=1024)
def _moves(mask: bytes, pair: Pair) -> Counts:
    """Single steps: one command up or down; one up while another goes down; `j x 2 x d`.

    A source that does not trade moves at both ends alike.
    """
    support = np.frombuffer(mask, dtype=bool)
    d, elements = len(support), np.flatnonzero(support)
    one = np.eye(d, dtype=np.int64)
    none = np.zeros(d, dtype=np.int64)
    traded = list(elements) if pair is None else [k for k in elements if k in pair]
    single = [np.array([one[k], none]) for k in traded] + [np.array([none, one[k]]) for k in traded]
    both = [np.array([one[k], one[k]]) for k in elements]
    swaps = [np.array([one[i] - one[j], none]) for i in traded for j in traded if i != j]
    swaps += [np.array([none, one[i] - one[j]]) for i in traded for j in traded if i != j]
    steps = np.array(single + both)
    return np.concatenate([steps, -steps, np.array(swaps).reshape(-1, 2, d)])
