"""The truth of the simulated lab: a real Fe-Ga-Pd wafer, interpolated between its 278 measured points.

Notation: n measured points, k compositions asked for, h edges of the convex hull. Compositions are rows
(Fe, Ga, Pd) of atomic fractions. Source of the data: `data/NOTICE.md`.
"""

from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, Delaunay

from models.composition import ElementBounds, LinearRule

ELEMENTS = ("Fe", "Ga", "Pd")
PROPERTY = "magnetisation"
UNIT = "V"
"""The wafer was read with a scanning SQUID: its voltage is a proxy of remanent magnetisation, not an absolute value."""

Array = NDArray[np.float64]

_TO_PLANE = np.array([[0.5, np.sqrt(3.0) / 2.0], [0.0, 0.0], [1.0, 0.0]])
_INWARD = 1e-9
"""Clamped points are moved this share of the way to the hull's middle, so that rounding leaves them inside."""


def to_plane(compositions: Array) -> Array:
    """Map fractions `k x 3` to the ternary plane `k x 2`: an equilateral triangle, Ga left, Pd right, Fe on top."""
    return np.asarray(compositions @ _TO_PLANE)


def from_plane(points: Array) -> Array:
    """Map points of the ternary plane `k x 2` back to fractions `k x 3`."""
    fe = points[:, 1] / _TO_PLANE[0, 1]
    pd = points[:, 0] - 0.5 * fe
    return np.column_stack([fe, 1.0 - fe - pd, pd])


@dataclass(frozen=True, eq=False)
class Wafer:
    """A property known on a convex region: linear on each triangle between measured points."""

    compositions: Array
    """`n x 3` measured fractions."""
    values: Array
    """`n` measured values."""

    @classmethod
    def load(cls) -> Self:
        """The real Fe-Ga-Pd wafer: scanning-SQUID voltage in V, a proxy of remanent magnetisation."""
        with (files("service.simulation") / "data" / "fe_ga_pd.csv").open(encoding="utf-8") as file:
            table = np.genfromtxt(file, delimiter=",", names=True)
        fractions = np.column_stack([table[e.lower()] for e in ELEMENTS])
        # The source rounds to four decimals, so rows miss 1 by up to 1e-4.
        return cls(fractions / fractions.sum(axis=1, keepdims=True), np.asarray(table["squid_v_desaturated"]))

    @cached_property
    def _triangles(self) -> Delaunay:
        return Delaunay(to_plane(self.compositions))

    @cached_property
    def hull(self) -> Array:
        """Corners of the wafer's region in the ternary plane, `h x 2`, anticlockwise."""
        points = to_plane(self.compositions)
        return points[ConvexHull(points).vertices]

    @property
    def best_value(self) -> float:
        """Largest true value; a piecewise linear function has it at a measured point."""
        return float(self.values.max())

    @property
    def best_composition(self) -> Array:
        """Where the largest true value is, `3`."""
        best: Array = self.compositions[int(self.values.argmax())]
        return best

    def truth(self, compositions: Array) -> Array:
        """True values at compositions; points a little outside take the value of the nearest point of the region.

        Args:
            compositions: `k x 3` fractions.

        Returns:
            `k` values in V.
        """
        points = self._clamped(to_plane(np.atleast_2d(compositions)))
        found = self._triangles.find_simplex(points, tol=1e-6)
        to_weights = self._triangles.transform[found]
        first = np.einsum("kij,kj->ki", to_weights[:, :2], points - to_weights[:, 2])
        weights = np.clip(np.column_stack([first, 1.0 - first.sum(axis=1)]), 0.0, 1.0)
        corners = self.values[self._triangles.simplices[found]]
        return np.asarray((weights * corners).sum(axis=1) / weights.sum(axis=1))

    def inside(self, compositions: Array, tolerance: float = 1e-9) -> NDArray[np.bool_]:
        """Whether compositions `k x 3` lie in the region, `k`."""
        normals, offsets = self._edges()
        return np.asarray(np.all(to_plane(np.atleast_2d(compositions)) @ normals.T <= offsets + tolerance, axis=1))

    def rules(self) -> tuple[LinearRule, ...]:
        """The region as rules of a search space, one per edge of the hull."""
        normals, offsets = self._edges()
        coefficients = normals @ _TO_PLANE.T  # normal · (fractions @ map) = (normal @ mapᵀ) · fractions
        return tuple(
            LinearRule(
                name=f"inside the wafer, edge {number}",
                coefficients={e: float(c) for e, c in zip(ELEMENTS, row, strict=True)},
                upper=float(offset),
            )
            for number, (row, offset) in enumerate(zip(coefficients, offsets, strict=True), start=1)
        )

    def bounds(self) -> tuple[ElementBounds, ...]:
        """Least and largest fraction of each element on the wafer, rounded outwards to 0.1 at.%."""
        low = np.floor(self.compositions.min(axis=0) * 1000.0) / 1000.0
        high = np.ceil(self.compositions.max(axis=0) * 1000.0) / 1000.0
        return tuple(
            ElementBounds(element=e, lower=float(lower), upper=float(upper))
            for e, lower, upper in zip(ELEMENTS, low, high, strict=True)
        )

    def _edges(self) -> tuple[Array, Array]:
        """Outward unit normals `h x 2` and offsets `h` of the hull: inside is `normal · point <= offset`."""
        along = np.roll(self.hull, -1, axis=0) - self.hull
        normals = np.column_stack([along[:, 1], -along[:, 0]]) / np.linalg.norm(along, axis=1, keepdims=True)
        return normals, np.einsum("hi,hi->h", normals, self.hull)

    def _clamped(self, points: Array) -> Array:
        """Points of the plane `k x 2`, those outside the hull replaced by the nearest point of its edges."""
        normals, offsets = self._edges()
        outside = (points @ normals.T > offsets).any(axis=1)
        if not outside.any():
            return points
        start, along = self.hull, np.roll(self.hull, -1, axis=0) - self.hull
        away = points[outside, None, :] - start
        share = np.clip(np.einsum("khi,hi->kh", away, along) / np.einsum("hi,hi->h", along, along), 0.0, 1.0)
        feet = start + share[:, :, None] * along
        distance = np.linalg.norm(points[outside, None, :] - feet, axis=2)
        nearest = feet[np.arange(len(feet)), distance.argmin(axis=1)]
        clamped = points.copy()
        clamped[outside] = nearest + _INWARD * (self.hull.mean(axis=0) - nearest)
        return clamped
