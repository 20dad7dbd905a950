"""A ternary diagram: three shares of a total as places in a triangle, its scales, and the region that rules leave.

Notation: x three fractions with a fixed sum T (1, or what other elements leave), l the fractions at the triangle's
sides, s = T - sum(l) its size, u = (x - l) / s the barycentric coordinates of x. The first component has its corner on
top, the second at the left, the third at the right.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from service.web.charts.scales import multiples, round_step, written
from service.web.charts.svg import element, group, path, text

Array = NDArray[np.float64]

HEIGHT = math.sqrt(3.0) / 2.0
"""Of a triangle whose sides are 1."""
WHOLE_FROM = 0.6
"""Share of the whole triangle from which on all of it is shown."""


@dataclass(frozen=True)
class Triangle:
    """An upright triangle on the paper, showing the fractions from `lower` up."""

    lower: tuple[float, float, float]
    size: float
    """s: the largest change of a fraction in it."""
    left: float
    """Of its base, in pixels."""
    top: float
    side: float
    """Length of its sides, in pixels."""

    @property
    def height(self) -> float:
        """In pixels."""
        return HEIGHT * self.side

    def places(self, fractions: Array) -> Array:
        """Places of `k x 3` fractions on the paper, `k x 2`."""
        u = (fractions - np.array(self.lower)) / self.size
        across = self.left + self.side * (0.5 * u[:, 0] + u[:, 2])
        return np.column_stack([across, self.top + self.height * (1.0 - u[:, 0])])

    def fractions(self, places: Array) -> Array:
        """The inverse of `places`."""
        first = 1.0 - (places[:, 1] - self.top) / self.height
        third = (places[:, 0] - self.left) / self.side - 0.5 * first
        u = np.column_stack([first, 1.0 - first - third, third])
        return np.asarray(np.array(self.lower) + self.size * u)

    def at(self, x: Sequence[float]) -> tuple[float, float]:
        """Place of one composition."""
        ((across, down),) = self.places(np.array([x], dtype=np.float64)).tolist()
        return across, down

    def on_lattice(self, shares: Array) -> Array:
        """Fractions (j x 3) of barycentric coordinates (j x 3)."""
        return np.asarray(np.array(self.lower) + self.size * shares)

    def corners(self) -> Array:
        """Fractions of the three corners, `3 x 3`."""
        return self.on_lattice(np.eye(3))


def around(region: Array, total: float, *, left: float, top: float, side: float) -> Triangle:
    """The triangle that shows a region, with round borders: all of it, or the part that matters if that is small.

    Args:
        region: `k x 3` fractions of the region's corners.
        total: Their sum T.
        left: Of the base, in pixels.
        top: Of the triangle, in pixels.
        side: In pixels.
    """
    low = region.min(0)
    if total - low.sum() < WHOLE_FROM * total:
        step = 0.1 if total - low.sum() > 0.25 else 0.05 if total - low.sum() > 0.1 else 0.01
        low = np.floor(low / step + 1e-9) * step
    else:
        low = np.zeros(3)
    lower = (float(low[0]), float(low[1]), float(low[2]))
    return Triangle(lower, total - sum(lower), left, top, side)


def region(G: Array, h: Array, triangle_corners: Array) -> Array:
    """What linear rules `G x <= h` leave of a triangle: the corners of a convex polygon, in order.

    Args:
        G: `r x 3` coefficients.
        h: `r` bounds.
        triangle_corners: `3 x 3` fractions.

    Returns:
        `k x 3` fractions; none if nothing is left.

    Source: Sutherland and Hodgman 1974, clipping one half-plane after the other.
    """
    polygon = [np.asarray(corner, dtype=np.float64) for corner in triangle_corners]
    for row, bound in zip(G, h, strict=True):
        room = [float(bound - row @ x) for x in polygon]
        clipped = []
        for k, x in enumerate(polygon):
            before, here = room[k - 1], room[k]
            if (before < -1e-12) != (here < -1e-12):
                share = before / (before - here)
                clipped.append(polygon[k - 1] + share * (x - polygon[k - 1]))
            if here >= -1e-12:
                clipped.append(x)
        polygon = clipped
    return np.array(polygon).reshape(-1, 3)


def frame(triangle: Triangle, names: Sequence[str]) -> Markup:
    """The triangle's sides, grid, scales in atomic percent, and the names of the scales."""
    step = round_step(triangle.size / 5.0)
    lines: list[Markup] = []
    marks: list[Markup] = []
    for component in range(3):
        low = triangle.lower[component]
        for value in multiples(low, low + triangle.size, step):
            if low + 1e-9 < value < low + triangle.size - 1e-9:
                line, mark = _scale_line(triangle, component, value, step)
                lines.append(line)
                marks.append(mark)
    rim = element("path", d=path(triangle.places(triangle.corners()).tolist(), closed=True), class_="frame")
    return group([group(lines, class_="grid"), rim, group(marks, class_="scale"), group(_names(triangle, names))])


_OUTWARD = ((-1.0, 0.0), (-0.5, HEIGHT), (0.5, -HEIGHT))
"""Where the ticks of each scale point, on paper: the first component's to the left of the left side, and so on."""


def _scale_line(triangle: Triangle, component: int, value: float, step: float) -> tuple[Markup, Markup]:
    """A line of one fraction, and its number where the line leaves the triangle on the scale's own side."""
    ends = []
    for other in ((component + 1) % 3, (component + 2) % 3):
        x = list(triangle.lower)
        x[component] = value
        x[other] += triangle.lower[component] + triangle.size - value
        ends.append(triangle.at(x))
    # The first is numbered on the left side, the second on the base, the third on the right side.
    foot = ends[0]
    (dx, dy), (fx, fy) = _OUTWARD[component], foot
    tick = element("path", d=path([foot, (fx + 6 * dx, fy + 6 * dy)]), class_="tick")
    words = text(
        written(100.0 * value, 100.0 * step),
        fx + (11 if component != 1 else 12) * dx,
        fy + (11 if component != 1 else 16) * dy + (4 if component != 1 else 6),
        text_anchor=("end", "middle", "start")[component],
    )
    return element("path", d=path(ends)), group([tick, words])


def _names(triangle: Triangle, names: Sequence[str]) -> Iterator[Markup]:
    corners = triangle.places(triangle.corners())
    sides = ((0, 1, -60.0, 42.0), (1, 2, 0.0, 44.0), (2, 0, 60.0, 42.0))
    for name, (start, end, angle, away) in zip(names, sides, strict=True):
        along = corners[end] - corners[start]
        outward = np.array([-along[1], along[0]]) / np.linalg.norm(along)
        x, y = 0.5 * (corners[start] + corners[end]) + away * outward
        turned = f"rotate({angle:g} {x:.1f} {y:.1f})" if angle else None
        yield text(f"{name} (at.%)", float(x), float(y), text_anchor="middle", transform=turned, class_="axis-name")
