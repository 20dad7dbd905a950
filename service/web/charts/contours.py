"""Filled contours over a triangle: of values on its lattice, the region at or above each level as closed rings.

The region above a level is, in every small triangle, what a linear function cuts off. Inside the region the sides of
neighbouring pieces cancel; what is left are the level's own lines and the rim of the mesh. They are linked to rings by
the names of their ends, which neighbours share exactly: no rounding can leave a gap.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Ring = list[tuple[float, float]]
Corner = tuple[int, int]
"""A vertex (k, k), or the point where the level crosses the side from vertex i to vertex j, i < j."""


@dataclass(frozen=True)
class Lattice:
    """The compositions of three shares whose parts are multiples of 1 / divisions, and the triangles between them."""

    divisions: int

    def shares(self) -> Array:
        """`j x 3`, sum 1, row by row from the top: the first share is 1 in the first."""
        n = self.divisions
        rows = [(n - r, r - c, c) for r in range(n + 1) for c in range(r + 1)]
        return np.array(rows, dtype=np.float64) / n

    def triangles(self) -> NDArray[np.intp]:
        """`n^2 x 3` numbers of vertices, all turning the same way."""
        up = [(_at(r, c), _at(r + 1, c), _at(r + 1, c + 1)) for r in range(self.divisions) for c in range(r + 1)]
        down = [(_at(r, c), _at(r + 1, c + 1), _at(r, c + 1)) for r in range(1, self.divisions) for c in range(r)]
        return np.array(up + down, dtype=np.intp)

    def rim(self) -> list[tuple[int, int]]:
        """Sides that belong to one triangle only, turning as it does."""
        n = self.divisions
        left = [(_at(r, 0), _at(r + 1, 0)) for r in range(n)]
        bottom = [(_at(n, c), _at(n, c + 1)) for c in range(n)]
        right = [(_at(r + 1, r + 1), _at(r, r)) for r in range(n)]
        return left + bottom + right


def _at(row: int, column: int) -> int:
    return row * (row + 1) // 2 + column


def regions(lattice: Lattice, places: Array, values: Array, levels: Sequence[float]) -> Iterator[list[Ring]]:
    """For each level the rings around where the values are at or above it; drawn in turn, each covers the one before.

    Args:
        lattice: The mesh.
        places: `j x 2` places of its vertices on the paper.
        values: `j` values, finite.
        levels: Rising.
    """
    triangles, rim = lattice.triangles(), lattice.rim()
    for level in levels:
        inside = values >= level
        yield _rings(dict(_borders(triangles, rim, inside)), places, values, level)


def lines(lattice: Lattice, places: Array, values: Array, level: float) -> Iterator[Ring]:
    """The lines along which the values are the level: none where they are all above it, or all below.

    Args:
        lattice: The mesh.
        places: `j x 2` places of its vertices on the paper.
        values: `j` values, finite.
        level: Of the lines.

    Yields:
        Points along each line; the last is the first again where it is closed.
    """
    after = dict(_crossed(lattice.triangles(), values >= level))
    ends = set(after.values())
    begins = [corner for corner in after if corner not in ends]
    while after:
        corner = begins.pop() if begins else next(iter(after))
        line = [corner]
        while corner in after:
            corner = after.pop(corner)
            line.append(corner)
        yield [_place(c, places, values, level) for c in line]


def _borders(
    triangles: NDArray[np.intp], rim: list[tuple[int, int]], inside: NDArray[np.bool_]
) -> Iterator[tuple[Corner, Corner]]:
    """Where each piece of the border leads from and to, the region on the same side of all."""
    yield from _crossed(triangles, inside)
    for i, j in rim:
        if inside[i] and inside[j]:
            yield (i, i), (j, j)
        elif inside[i]:
            yield (i, i), _crossing(i, j)
        elif inside[j]:
            yield _crossing(i, j), (j, j)


def _crossed(triangles: NDArray[np.intp], inside: NDArray[np.bool_]) -> Iterator[tuple[Corner, Corner]]:
    """The pieces of the border that are the level's own, one for each triangle that it crosses."""
    count = inside[triangles].sum(1)
    for triangle in triangles[(count == 1) | (count == 2)].tolist():
        yield _cut(triangle, inside)


def _cut(triangle: list[int], inside: NDArray[np.bool_]) -> tuple[Corner, Corner]:
    """The level's line through one triangle: from the side on which the region is left to the one where it begins."""
    sides = [(triangle[k], triangle[(k + 1) % 3]) for k in range(3)]
    leaves = next(_crossing(i, j) for i, j in sides if inside[i] and not inside[j])
    enters = next(_crossing(i, j) for i, j in sides if inside[j] and not inside[i])
    return leaves, enters


def _crossing(i: int, j: int) -> Corner:
    return (i, j) if i < j else (j, i)


def _rings(after: dict[Corner, Corner], places: Array, values: Array, level: float) -> list[Ring]:
    rings = []
    while after:
        first, corner = after.popitem()
        ring = [first]
        while corner != first:
            ring.append(corner)
            corner = after.pop(corner)
        rings.append([_place(c, places, values, level) for c in ring])
    return rings


def _place(corner: Corner, places: Array, values: Array, level: float) -> tuple[float, float]:
    i, j = corner
    if i == j:
        return float(places[i, 0]), float(places[i, 1])
    share = (level - values[i]) / (values[j] - values[i])
    x, y = places[i] + share * (places[j] - places[i])
    return float(x), float(y)
