"""The scale of colours beside a drawing, and signs with their words."""

from collections.abc import Sequence
from itertools import pairwise

from markupsafe import Markup

from service.web.charts.colours import Bands
from service.web.charts.svg import element, group, path, text


def colour_bar(bands: Bands, name: str, unit: str, *, x: float, y: float, height: float) -> Markup:
    """A vertical scale, its numbers at the right, its name above and ending where the numbers end."""
    scale = bands.scale
    parts: list[Markup] = []
    for k, (low, high) in enumerate(pairwise(bands.levels)):
        top, bottom = (y + height * (1.0 - scale.share(v)) for v in (high, low))
        parts.append(element("rect", x=x, y=top, width=14, height=bottom - top + 0.5, fill=bands.fill(k)))
    parts.append(element("rect", x=x, y=y, width=14, height=height, class_="outline"))
    for tick in scale.ticks:
        at = y + height * (1.0 - scale.share(tick))
        parts.append(element("path", d=path([(x + 14, at), (x + 18, at)]), class_="tick"))
        parts.append(text(scale.label(tick), x + 22, at + 4.5))
    titled = scale.unit(unit)
    parts.append(text(f"{name} ({titled})" if titled else name, x + 58, y - 12, text_anchor="end", class_="axis-name"))
    return group(parts, class_="scale")


def signs(entries: Sequence[tuple[Markup, str]], *, x: float, y: float, apart: float = 22.0) -> Markup:
    """Signs one below the other, each drawn between (0, -5) and (20, 5), with its words."""
    rows = [
        group([sign, text(words, 27, 4.5)], transform=f"translate({x:g} {y + apart * k:g})")
        for k, (sign, words) in enumerate(entries)
    ]
    return group(rows, class_="legend")
