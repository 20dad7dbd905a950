"""Parallel coordinates: every element an axis, every device a line from its fractions to what it read."""

from collections.abc import Mapping

import numpy as np
from markupsafe import Markup

from models.problem import Problem
from service.operations.charts import Cloud
from service.web.charts.colours import Bands
from service.web.charts.figure import Figure
from service.web.charts.scales import Scale, fitted
from service.web.charts.svg import element, group, path, picture, text, told
from service.web.charts.thinning import spread
from service.web.drawings import Words
from service.web.drawings.space import device_table, device_words

WIDTH, HEIGHT = 1000.0, 400.0
LEFT, RIGHT, TOP, BOTTOM = 46.0, 70.0, 46.0, 26.0
MOST = 160


def parallel(cloud: Cloud, problem: Problem, numbers: Mapping[str, int], t: Words) -> Figure | None:
    """The chart; None while nothing was read."""
    if not len(cloud.value):
        return None
    elements = problem.space.elements
    scales = [_fractions(cloud.composition[:, k]) for k in range(len(elements))] + [fitted(cloud.value.tolist())]
    places = np.linspace(LEFT, WIDTH - RIGHT, len(scales))
    bands = Bands.over(cloud.value.tolist())
    order = spread(np.argsort(cloud.value).tolist(), MOST)
    strands = []
    for k in order:
        values = [*(100.0 * cloud.composition[k]).tolist(), float(cloud.value[k])]
        points = [(float(x), _down(s, v)) for x, s, v in zip(places, scales, values, strict=True)]
        line = element("path", d=path(points), class_="strand", stroke=bands.of(float(cloud.value[k])))
        strands.append(told(line, device_words(cloud, k, problem, numbers, t), f"/films/{cloud.film[k]}"))
    names = [*(f"{e} (at.%)" for e in elements), f"{cloud.property.replace('_', ' ')} ({scales[-1].unit(cloud.unit)})"]
    axes = [
        _axis(float(x), s, n, last=j == len(scales) - 1)
        for j, (x, s, n) in enumerate(zip(places, scales, names, strict=True))
    ]
    caption = t("space.caption.parallel", shown=len(order), of=cloud.of)
    drawn = picture(
        [group(strands), group(axes, class_="scale")],
        width=WIDTH,
        height=HEIGHT,
        name=t("space.parallel"),
        about=caption,
        kind="parallel",
    )
    return Figure(drawn, caption, device_table(cloud, problem, numbers, t), wide=True)


def _fractions(column: np.ndarray) -> Scale:
    return fitted((100.0 * column).tolist())


def _down(scale: Scale, value: float) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - scale.share(value))


def _axis(x: float, scale: Scale, name: str, *, last: bool) -> Markup:
    away, anchor = (9.0, "start") if last else (-9.0, "end")
    parts = [element("path", d=path([(x, TOP), (x, HEIGHT - BOTTOM)]), class_="frame")]
    for tick in scale.ticks:
        y = _down(scale, tick)
        parts.append(element("path", d=path([(x, y), (x + away / 2, y)]), class_="tick"))
        parts.append(text(scale.label(tick), x + away, y + 4.5, text_anchor=anchor))
    anchor = "end" if last else "middle" if x > LEFT + 1 else "start"
    shift = RIGHT - 4 if last else 0.0 if x > LEFT + 1 else -LEFT + 4
    parts.append(text(name, x + shift, TOP - 18, text_anchor=anchor, class_="axis-name"))
    return group(parts)
