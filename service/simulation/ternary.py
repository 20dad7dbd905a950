"""A ternary diagram of the corner that the wafer covers: one affine map, three scales, a filled surface."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Polygon
from matplotlib.tri import Triangulation, TriContourSet
from scipy.interpolate import RBFInterpolator

from service.simulation.wafer import ELEMENTS, Array, to_plane

INK = "#222222"
QUIET = "#6b6b6b"
_GRID = "#d9d9d9"

_FE_FROM = 0.4
"""The diagram shows Fe from here to 1: the rest of the full triangle would be empty."""
_STEP = 0.1
_MESH = 140
"""Mesh lines per side of the diagram, for the filled surface."""


class Triangle:
    """Axes turned into the Fe-rich corner of the Fe-Ga-Pd diagram: Fe on top, Ga left, Pd right."""

    def __init__(self, axes: Axes, hull: Array, *, font: float) -> None:
        """Draw frame, grid, scales and the wafer's outline.

        Args:
            axes: Are taken over.
            hull: Corners of the wafer's region in the plane, `h x 2`.
            font: Size of the scales' text in points.
        """
        self.axes = axes
        self.hull = hull
        axes.set_aspect("equal")
        axes.axis("off")
        rest = 1.0 - _FE_FROM
        corners = to_plane(np.array([[1.0, 0.0, 0.0], [_FE_FROM, rest, 0.0], [_FE_FROM, 0.0, rest]]))
        axes.add_patch(Polygon(corners, closed=True, fill=False, ec=INK, lw=1.2, zorder=1))
        for step in range(1, round(rest / _STEP)):
            self._line(_FE_FROM + _STEP * step, 0, font)
            self._line(_STEP * step, 1, font)
            self._line(_STEP * step, 2, font)
        self._names(corners, font + 1.5)
        axes.add_patch(Polygon(hull, closed=True, fill=False, ec=INK, lw=1.0, zorder=3))
        axes.set_xlim(corners[1, 0] - 0.05, corners[2, 0] + 0.05)
        axes.set_ylim(corners[1, 1] - 0.075, corners[0, 1] + 0.02)

    def fill(self, points: Array, values: Array, colours: str) -> TriContourSet:
        """Fill the wafer's region with a smooth surface through values at compositions.

        Args:
            points: `j x 3` fractions.
            values: `j` values; the colours span them.
            colours: Name of a colour map.
        """
        at = to_plane(points)
        low = float(values.min())
        high = max(float(values.max()), low + 1e-3 * max(1.0, abs(low)))  # a flat surface still needs a scale
        surface = RBFInterpolator(at, values, kernel="thin_plate_spline")
        mesh = self._mesh()
        # The mesh reaches beyond the region, and a spline beyond its points: neither may stretch the scale.
        heights = np.clip(surface(mesh), low, high)
        triangles = Triangulation(*mesh.T)
        margin = 1e-6 * (high - low)  # a height exactly on the outermost level would stay white
        levels = np.linspace(low - margin, high + margin, 41)
        filled = self.axes.tricontourf(triangles, heights, levels=levels, cmap=colours, zorder=2)
        filled.set_edgecolor("face")  # no white hairlines between the levels
        filled.set_clip_path(Polygon(self.hull, closed=True, transform=self.axes.transData))
        return filled

    def _mesh(self) -> Array:
        """Points of a fine mesh over the box around the hull, `k x 2`; the clip path cuts it to the hull."""
        low, high = self.hull.min(axis=0), self.hull.max(axis=0)
        x, y = np.meshgrid(np.linspace(low[0], high[0], _MESH), np.linspace(low[1], high[1], _MESH))
        return np.column_stack([x.ravel(), y.ravel()])

    def _line(self, value: float, element: int, font: float) -> None:
        """A grid line of one fraction, with its number at the side that carries this element's scale."""
        ends = np.zeros((2, 3))
        ends[:, element] = value
        if element == 0:  # horizontal, numbered on the left
            ends[0, 1] = ends[1, 2] = 1.0 - value
        else:  # from the bottom (Ga) or the right side (Pd) to the far side
            bottom = np.array([_FE_FROM, 0.0, 0.0])
            bottom[element] = value
            bottom[3 - element] = 1.0 - _FE_FROM - value
            top = np.array([1.0 - value, 0.0, 0.0])
            top[element] = value
            ends = np.array([bottom, top] if element == 1 else [top, bottom])
        line = to_plane(ends)
        self.axes.plot(*line.T, color=_GRID, lw=0.8, zorder=0.5)
        outward = (line[0] - line[1]) / np.linalg.norm(line[0] - line[1])
        away = 5.0 * outward
        across = ("right", "center", "left")[element]
        level = "top" if element == 1 else "center"
        mark = {"arrowstyle": "-", "color": INK, "lw": 1.0, "shrinkA": 0.0, "shrinkB": 0.0}
        self._note(f"{100 * value:.0f}", line[0], 1.6 * away, color=QUIET, fontsize=font, ha=across, va=level)
        self._note("", line[0], away, arrowprops=mark)

    def _names(self, corners: Array, font: float) -> None:
        """Name each scale beside its side."""
        sides = ((0, 1, 60.0, 36.0), (1, 2, 0.0, 29.0), (2, 0, -60.0, 36.0))
        for element, (start, end, angle, points) in zip(ELEMENTS, sides, strict=True):
            along = corners[end] - corners[start]
            outward = np.array([along[1], -along[0]]) / np.linalg.norm(along)
            middle = 0.5 * (corners[start] + corners[end])
            away = points * font / 12.5 * outward
            self._note(f"{element} (at.%)", middle, away, fontsize=font, ha="center", va="center", rotation=angle)

    def _note(self, text: str, at: Array, away: Array, **style: Any) -> None:  # noqa: ANN401  (matplotlib's own words)
        """Write text at a point of the plane, moved by `away` printer's points, whatever the size of the axes."""
        place, moved = (float(at[0]), float(at[1])), (float(away[0]), float(away[1]))
        self.axes.annotate(text, place, xytext=moved, textcoords="offset points", annotation_clip=False, **style)
