"""Trade-offs between two objectives: what was read, what the model holds for possible, and from where it counts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from models.objective import Objective
from models.pareto import non_dominated
from service.store.charts import DevicePair
from service.web.charts.figure import Figure, Table
from service.web.charts.plot import Axis, Plot, dot_sign, line_sign
from service.web.charts.scales import fitted, significant, with_uncertainty
from service.web.charts.svg import element, group, told
from service.web.drawings import Words
from service.web.drawings.space import percents
from service.web.formats import target


@dataclass(frozen=True)
class TradeOffs:
    """What is drawn: two of the objectives."""

    x: Objective
    y: Objective
    read: Sequence[DevicePair]
    of: int
    """Devices that there are, of which `read` are some."""
    said: Mapping[str, Any] | None
    """What the newest model says; None while it has not."""
    only_two: bool
    """Whether there are no further objectives: then the front is a line."""
    film_numbers: Mapping[str, int]

    @property
    def matched(self) -> bool:
        """Whether one of the two has a target: the best may lie on both sides of it, and no line joins them."""
        return self.x.target is not None or self.y.target is not None


def trade_offs(found: TradeOffs, t: Words) -> Figure | None:
    """The chart; None while there is nothing to show."""
    front = _front(found)
    if not front and not found.read:
        return None
    x, y = found.x, found.y
    reach = [_reach(found, front, k) for k in (0, 1)]
    plot = Plot(
        Axis(fitted(reach[0], 6), _named(x, t), x.unit),
        Axis(fitted(reach[1], 6), _named(y, t), y.unit),
        width=620.0,
        height=420.0,
    )
    _targets(plot, found, t)
    _reference(plot, found, t)
    _read(plot, found, t)
    _believed(plot, found, front, t)
    caption = t("pareto.caption", shown=len(found.read), of=found.of)
    title = t("pareto.title", x=_spoken(x.property), y=_spoken(y.property))
    return Figure(plot.drawn(title, caption, "pareto"), caption, _table(found, t), wide=True)


def _spoken(name: str) -> str:
    return name.replace("_", " ")


def _named(sought: Objective, t: Words) -> str:
    return f"{_spoken(sought.property)}, {t('pareto.' + sought.direction, target=target(sought.model_dump()))}"


Front = list[tuple[Mapping[str, Any], Mapping[str, float], Mapping[str, float]]]
"""Points of the front with what is believed of the two objectives."""


def _front(found: TradeOffs) -> Front:
    points = (found.said or {}).get("points", ())
    each = []
    for point in points:
        by_name = {v["property"]: v for v in point["values"]}
        each.append((point, by_name[found.x.property], by_name[found.y.property]))
    return sorted(each, key=lambda it: it[1]["mean"])


def _reach(found: TradeOffs, front: Front, k: int) -> list[float]:
    values = [(pair.first, pair.second)[k] for pair in found.read]
    values += [it[1 + k]["mean"] + s * it[1 + k]["sd"] for it in front for s in (-1, 1)]
    sought = (found.x, found.y)[k]
    if sought.target is not None:
        return [*values, sought.target - sought.tolerance, sought.target + sought.tolerance]
    return values + [r["value"] for r in (found.said or {}).get("reference", ()) if r["property"] == sought.property]


def _targets(plot: Plot, found: TradeOffs, t: Words) -> None:
    """What is to be matched, across the frame, with its tolerance."""
    across, down = plot.x.scale, plot.y.scale
    for number, sought in enumerate((found.x, found.y)):
        if sought.target is None:
            continue
        for value in dict.fromkeys(sought.target + way * sought.tolerance for way in (-1.0, 0.0, 1.0)):
            ends = (
                [(value, down.lower), (value, down.upper)]
                if number == 0
                else [(across.lower, value), (across.upper, value)]
            )
            plot.line(ends, "rule target" if value == sought.target else "rule")
    if found.matched:
        plot.key(line_sign("rule target"), t("pareto.target"))


def _reference(plot: Plot, found: TradeOffs, t: Words) -> None:
    """From where each objective counts; beside a target there is no one such place."""
    if found.matched:
        return
    values = {r["property"]: r["value"] for r in (found.said or {}).get("reference", ())}
    a, b = values.get(found.x.property), values.get(found.y.property)
    if a is None or b is None:
        return
    far_x = plot.x.scale.upper if found.x.direction == "maximise" else plot.x.scale.lower
    far_y = plot.y.scale.upper if found.y.direction == "maximise" else plot.y.scale.lower
    corner = [(a, far_y), (a, b), (far_x, b)]
    plot.line(corner, "rule")
    plot.key(element("path", d="M0 0H20", class_="rule"), t("pareto.reference"))


def _read(plot: Plot, found: TradeOffs, t: Words) -> None:
    """Devices as they were read, and the staircase of those that none beats."""
    if not found.read:
        return
    for pair in found.read:
        where = t("space.device", film=found.film_numbers.get(pair.film_id, "\u2013"), device=pair.device + 1)
        said = (
            f"{_spoken(s.property)} {significant(v, 4)} {s.unit}"
            for s, v in ((found.x, pair.first), (found.y, pair.second))
        )
        words = "\n".join([where, *said])
        plot.dot((pair.first, pair.second), words, kind="dot quiet", link=f"/films/{pair.film_id}", radius=3.4)
    plot.key(dot_sign("dot quiet"), t("space.measured"))
    values = np.array([(p.first, p.second) for p in found.read])
    worth = np.column_stack([o.to_maximised(values[:, k]) for k, o in enumerate((found.x, found.y))])
    best = values[non_dominated(worth)]
    if found.matched:
        for x, y in best.tolist():
            plot.dot((x, y), f"{t('pareto.attained')}", kind="ring s2")
        plot.key(dot_sign("ring s2"), t("pareto.attained"))
        return
    best = best[np.argsort(found.x.to_maximised(best[:, 0]))]
    corners = []
    for (x1, y1), (_, y2) in pairwise(best):
        corners += [(float(x1), float(y1)), (float(x1), float(y2))]
    plot.line([*corners, (float(best[-1, 0]), float(best[-1, 1]))], "line thin s2")
    plot.key(line_sign("line thin s2"), t("pareto.attained"))


def _believed(plot: Plot, found: TradeOffs, front: Front, t: Words) -> None:
    """The front of the posterior means, each point with a standard deviation either way."""
    if not front:
        return
    if found.only_two and not found.matched:
        plot.line([(a["mean"], b["mean"]) for _, a, b in front], "line thin s1")
    for point, a, b in front:
        plot.reach(b["mean"], a["mean"] - a["sd"], a["mean"] + a["sd"], "interval quiet s1")
        plot.interval(a["mean"], b["mean"] - b["sd"], b["mean"] + b["sd"], "interval quiet s1")
        x, y = plot.place((a["mean"], b["mean"]))
        chance = float(point["probability_on_front"])
        ring = element("circle", cx=x, cy=y, r=2.4 + 2.8 * chance, class_="front")
        plot.mark(told(group([ring]), _words(found, point, a, b, t)))
    plot.key(element("circle", cx=10, cy=0, r=4.5, class_="front"), t("pareto.believed"))
    plot.key(element("path", d="M0 0H20M10 -7V7", class_="interval quiet s1"), t("pareto.one_sd"))


def _words(found: TradeOffs, point: Mapping[str, Any], a: Mapping[str, float], b: Mapping[str, float], t: Words) -> str:
    composition = point["composition"]
    lines = [percents(list(composition), list(composition.values()))]
    for sought, said in ((found.x, a), (found.y, b)):
        lines.append(f"{_spoken(sought.property)} {with_uncertainty(said['mean'], said['sd'])} {sought.unit}")
    lines.append(t("pareto.chance", percent=f"{100 * point['probability_on_front']:.0f}"))
    return "\n".join(lines)


def _table(found: TradeOffs, t: Words) -> Table:
    points = (found.said or {}).get("points", ())
    if not points:
        return Table()
    names = [v["property"] for v in points[0]["values"]]
    elements = list(points[0]["composition"])
    head = (t("pareto.composition"), *(_spoken(n) for n in names), t("pareto.on_front"))
    rows = tuple(
        (
            percents(elements, [p["composition"].get(e, 0.0) for e in elements]),
            *(with_uncertainty(v["mean"], v["sd"]) for v in p["values"]),
            f"{100 * p['probability_on_front']:.0f} %",
        )
        for p in points
    )
    return Table(head, rows)
