"""A frame with two axes as in a journal figure, and the marks in it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from markupsafe import Markup

from service.web.charts.scales import Scale
from service.web.charts.svg import Value, element, fresh_id, group, path, picture, text, told

Point = tuple[float, float]


@dataclass(frozen=True)
class Axis:
    """A scale with its name."""

    scale: Scale
    name: str
    unit: str = ""
    labels: tuple[tuple[float, str], ...] = ()
    """Words at places instead of the scale's numbers."""

    def title(self) -> str:
        """Name and unit as a journal writes them."""
        unit = self.scale.unit(self.unit)
        return f"{self.name} ({unit})" if unit else self.name

    def marks(self) -> Sequence[tuple[float, str]]:
        """Ticks and what is written at them."""
        return self.labels or [(tick, self.scale.label(tick)) for tick in self.scale.ticks]


@dataclass
class Plot:
    """Marks are drawn in the order in which they are added, all inside the frame."""

    x: Axis
    y: Axis
    width: float = 560.0
    height: float = 320.0
    left: float = 64.0
    right: float = 16.0
    top: float = 14.0
    bottom: float = 50.0
    grid_x: bool = True
    _inside: list[Markup] = field(default_factory=list)
    _over: list[Markup] = field(default_factory=list)
    _keys: list[tuple[Markup, str]] = field(default_factory=list)

    def across(self, value: float) -> float:
        """Place of an x value on the paper."""
        return self.left + self.x.scale.share(value) * (self.width - self.left - self.right)

    def down(self, value: float) -> float:
        """Place of a y value on the paper."""
        return self.height - self.bottom - self.y.scale.share(value) * (self.height - self.top - self.bottom)

    def place(self, point: Point) -> Point:
        """Place of a point on the paper."""
        return self.across(point[0]), self.down(point[1])

    def line(self, points: Iterable[Point], kind: str = "line", **attributes: Value) -> None:
        """A line through points."""
        self._inside.append(element("path", d=path(map(self.place, points)), class_=kind, **attributes))

    def steps(self, points: Sequence[Point], kind: str = "line") -> None:
        """A line that keeps each value until the next place."""
        corners = [c for (x, y), (x2, _) in pairwise(points) for c in ((x, y), (x2, y))]
        self.line([*corners, *points[-1:]], kind)

    def band(self, x: Sequence[float], low: Sequence[float], high: Sequence[float], kind: str = "band") -> None:
        """The area between two lines."""
        rim = [*zip(x, high, strict=True), *reversed(list(zip(x, low, strict=True)))]
        self._inside.append(element("path", d=path(map(self.place, rim), closed=True), class_=kind))

    def dot(
        self,
        point: Point,
        words: str,
        *,
        kind: str = "dot",
        link: str | None = None,
        radius: float = 4.0,
        **attributes: Value,
    ) -> None:
        """A point that tells its numbers."""
        x, y = self.place(point)
        self._over.append(told(element("circle", cx=x, cy=y, r=radius, class_=kind, **attributes), words, link))

    def area(self, drawn: Markup) -> None:
        """Anything else inside the frame, under what comes later."""
        self._inside.append(drawn)

    def interval(self, x: float, low: float, high: float, kind: str = "interval") -> None:
        """A vertical line from `low` to `high` at `x`."""
        self._inside.append(element("path", d=path([self.place((x, low)), self.place((x, high))]), class_=kind))

    def reach(self, y: float, low: float, high: float, kind: str = "interval") -> None:
        """A horizontal line from `low` to `high` at `y`."""
        self._inside.append(element("path", d=path([self.place((low, y)), self.place((high, y))]), class_=kind))

    def bar(self, x: Point, y: Point, words: str, kind: str = "bar", link: str | None = None) -> None:
        """A rectangle between two values of x and two of y."""
        (x1, y1), (x2, y2) = self.place((x[0], y[0])), self.place((x[1], y[1]))
        box = element("rect", x=min(x1, x2), y=min(y1, y2), width=abs(x2 - x1), height=abs(y2 - y1), class_=kind)
        self._inside.append(told(box, words, link))

    def level(self, value: float, kind: str = "rule") -> None:
        """A horizontal line across the frame."""
        ends = [(self.left, self.down(value)), (self.width - self.right, self.down(value))]
        self._inside.append(element("path", d=path(ends), class_=kind))

    def mark(self, drawn: Markup) -> None:
        """Anything else, over the frame."""
        self._over.append(drawn)

    def key(self, sign: Markup, words: str) -> None:
        """An entry of the legend, `sign` drawn between (0, -5) and (20, 5)."""
        self._keys.append((sign, words))

    def drawn(self, name: str, about: str = "", kind: str = "") -> Markup:
        """The whole chart."""
        clip = fresh_id("frame")
        inner = (self.width - self.left - self.right, self.height - self.top - self.bottom)
        box = element("rect", x=self.left, y=self.top, width=inner[0], height=inner[1])
        legend = self._legend()
        children = [
            element("defs", element("clipPath", box, id=clip)),
            self._axes(),
            group(self._inside, clip_path=f"url(#{clip})"),
            group(self._over),
            legend,
        ]
        return picture(
            children, width=self.width, height=self.height + self._legend_height(), name=name, about=about, kind=kind
        )

    def _axes(self) -> Markup:
        floor, end = self.height - self.bottom, self.width - self.right
        grid, scale = [], []
        for value, words in self.x.marks():
            x = self.across(value)
            if self.grid_x:
                grid.append(element("path", d=path([(x, self.top), (x, floor)])))
            scale.append(element("path", d=path([(x, floor), (x, floor + 5)]), class_="tick"))
            scale.append(text(words, x, floor + 19, text_anchor="middle"))
        for value, words in self.y.marks():
            y = self.down(value)
            grid.append(element("path", d=path([(self.left, y), (end, y)])))
            scale.append(element("path", d=path([(self.left - 5, y), (self.left, y)]), class_="tick"))
            scale.append(text(words, self.left - 9, y + 4.5, text_anchor="end"))
        middle = 0.5 * (self.top + floor)
        names = [
            text(self.x.title(), 0.5 * (self.left + end), floor + 40, text_anchor="middle", class_="axis-name"),
            text(
                self.y.title(),
                15,
                middle,
                text_anchor="middle",
                class_="axis-name",
                transform=f"rotate(-90 15 {middle:g})",
            ),
        ]
        rim = element("path", d=path([(self.left, self.top), (self.left, floor), (end, floor)]), class_="frame")
        return group([group(grid, class_="grid"), rim, group(scale, class_="scale"), group(names)])

    def _rows(self) -> list[list[tuple[Markup, str, float]]]:
        """Entries of the legend in rows that fit, each with its width."""
        rows: list[list[tuple[Markup, str, float]]] = [[]]
        room = self.width - self.left
        for sign, words in self._keys:
            wide = 38.0 + sum(16.5 if ord(c) > 0x2E80 else 8.0 for c in words)  # as large as on a phone
            if rows[-1] and sum(w for _, _, w in rows[-1]) + wide > room:
                rows.append([])
            rows[-1].append((sign, words, wide))
        return rows

    def _legend_height(self) -> float:
        return 24.0 * len(self._rows()) if self._keys else 0.0

    def _legend(self) -> Markup:
        entries = []
        for number, row in enumerate(self._rows()):
            x = self.left
            for sign, words, wide in row:
                moved = f"translate({x:g} {self.height + 10 + 24 * number:g})"
                entries.append(group([sign, text(words, 27, 4.5)], transform=moved))
                x += wide
        return group(entries, class_="legend")


def line_sign(kind: str) -> Markup:
    """A stretch of line for the legend."""
    return element("path", d="M0 0H20", class_=kind)


def dot_sign(kind: str, **attributes: Value) -> Markup:
    """A point for the legend."""
    return element("circle", cx=10, cy=0, r=4, class_=kind, **attributes)


def band_sign(kind: str) -> Markup:
    """A patch of an area for the legend."""
    return element("rect", x=0, y=-6, width=20, height=12, class_=kind)


def interval_sign(kind: str = "interval") -> Markup:
    """A whisker for the legend."""
    return element("path", d="M10 -7V7", class_=kind)
