"""Fewer points that look the same: a page has a thousand pixels, however many readings there are."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def thinned_line(x: Array, y: Array, most: int) -> NDArray[np.intp]:
    """Which points of a line to draw so that its outline stays: the first, last, lowest and highest of every stretch.

    Args:
        x: `n` places, not falling.
        y: `n` values; those that are not finite are left out where a stretch has others.
        most: Most points to keep, at least 8.

    Returns:
        Numbers of the points in their order, at most `most`; the lowest and the highest of all are among them.
    """
    n = len(x)
    if n <= most:
        return np.arange(n)
    stretches = np.array_split(np.arange(n), max(1, most // 4)) if x[0] == x[-1] else _stretches(x, most // 4)
    kept: set[int] = set()
    for rows in stretches:
        finite = rows[np.isfinite(y[rows])]
        some = finite if len(finite) else rows
        kept |= {int(some[0]), int(some[-1]), int(some[y[some].argmin()]), int(some[y[some].argmax()])}
    return np.array(sorted(kept), dtype=np.intp)


def _stretches(x: Array, count: int) -> list[NDArray[np.intp]]:
    """Rows that fall in each of `count` equal parts of the axis; empty parts are left out."""
    part = np.minimum((count * (x - x[0]) / (x[-1] - x[0])).astype(np.intp), count - 1)
    borders = np.flatnonzero(np.diff(part)) + 1
    return np.split(np.arange(len(x)), borders)


def thinned_cloud(places: Array, values: Array, most: int) -> NDArray[np.intp]:
    """Which points of a cloud to draw so that its shape and its extremes stay.

    The lowest and the highest of all values, every outermost place, and then the lowest and the highest of each cell of
    a grid that is made coarser until there are few enough.

    Args:
        places: `n x 2` on the paper.
        values: `n` numbers that the marks stand for.
        most: Most points to keep, at least 16.

    Returns:
        Numbers of the points, rising.
    """
    n = len(values)
    if n <= most:
        return np.arange(n)
    always = {int(values.argmin()), int(values.argmax())}
    always |= {int(k) for column in places.T for k in (column.argmin(), column.argmax())}
    low, span = places.min(0), np.ptp(places, axis=0)
    unit = (places - low) / np.where(span > 0.0, span, 1.0)
    cells = int((most / 2) ** 0.5) * 2
    while True:
        kept = always | _extremes_of_cells(unit, values, cells)
        if len(kept) <= most or cells == 1:
            return np.array(sorted(kept), dtype=np.intp)
        cells = max(1, int(cells * 0.85))


def _extremes_of_cells(unit: Array, values: Array, cells: int) -> set[int]:
    place = np.minimum((unit * cells).astype(np.intp), cells - 1)
    cell = place[:, 0] * cells + place[:, 1]
    order = np.lexsort((values, cell))
    first = np.flatnonzero(np.r_[True, np.diff(cell[order]) > 0])
    last = np.r_[first[1:] - 1, len(order) - 1]
    return {int(k) for k in order[np.r_[first, last]]}


def spread(items: Sequence[int], most: int) -> list[int]:
    """At most `most` of some items, evenly spaced, the first and the last among them."""
    if len(items) <= most:
        return list(items)
    return [items[k] for k in np.unique(np.linspace(0, len(items) - 1, most).round().astype(int))]
