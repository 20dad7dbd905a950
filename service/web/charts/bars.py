"""Horizontal bars with their names: for scores of a few named things."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from service.web.charts.scales import between
from service.web.charts.svg import element, group, path, picture, text, told


@dataclass(frozen=True)
class Bar:
    """One thing and its score, not below 0."""

    name: str
    value: float
    written: str
    kind: str = "s1"


def horizontal(
    bars: Sequence[Bar], axis: str, unit: str, *, name: str, about: str = "", width: float = 560.0
) -> Markup:
    """Bars one below the other, their scores written at their ends."""
    left, right, row = 92.0, 92.0, 26.0
    scale = between(0.0, max([b.value for b in bars if b.value > 0.0], default=1.0), 4)
    floor = 8.0 + row * len(bars)
    inner = width - left - right
    drawn: list[Markup] = []
    for k, bar in enumerate(bars):
        y, long = 8.0 + row * k, inner * max(scale.share(bar.value), 0.0)
        drawn.append(text(bar.name, left - 10, y + 15, text_anchor="end"))
        box = element("rect", x=left, y=y + 3, width=max(long, 1.0), height=row - 8, class_=f"bar {bar.kind}", rx=1)
        drawn.append(told(box, f"{bar.name}\n{bar.written}"))
        drawn.append(text(bar.written, left + max(long, 1.0) + 7, y + 15, class_="small"))
    ticks = []
    for tick in scale.ticks:
        x = left + inner * scale.share(tick)
        ticks.append(element("path", d=path([(x, floor), (x, floor + 5)]), class_="tick"))
        ticks.append(text(scale.label(tick), x, floor + 19, text_anchor="middle"))
    rim = element("path", d=path([(left, 4), (left, floor), (left + inner, floor)]), class_="frame")
    title = text(f"{axis} ({scale.unit(unit)})", left + inner / 2, floor + 40, text_anchor="middle", class_="axis-name")
    return picture(
        [group(drawn), rim, group(ticks, class_="scale"), title], width=width, height=floor + 50, name=name, about=about
    )
