"""Spectra of a film one above the other, in the colours of their places along it."""

import numpy as np

from service.operations.spectra import Curve, Curves
from service.web.charts.colours import colour
from service.web.charts.figure import Figure, Table
from service.web.charts.plot import Axis, Plot
from service.web.charts.scales import Scale, between, fitted, significant
from service.web.charts.svg import element, path, text, told
from service.web.charts.thinning import thinned_line
from service.web.drawings import Words

MOST_POINTS = 900
APART = 0.45
"""Distance between two curves as a share of the height of the highest."""


def spectra(found: Curves, t: Words) -> Figure:
    """The curves, the first device lowest."""
    height = max(float(np.ptp(c.y)) for c in found.curves) or 1.0
    step = APART * height if len(found.curves) > 1 else 0.0
    floor = min(float(c.y.min()) for c in found.curves)
    top = max(float(c.y.max()) + k * step for k, c in enumerate(found.curves))
    x = fitted([float(v) for c in found.curves for v in (c.x[0], c.x[-1])], padding=0.0)
    y = fitted([floor, top]) if not step else _bare(floor, top)
    unit = found.unit if not step else f"{found.unit}, {t('film.shifted')}"
    plot = Plot(Axis(x, found.axis, found.axis_unit), Axis(y, found.label, unit), width=620.0, height=400.0, right=64.0)
    last = max(len(found.curves) - 1, 1)
    for k, curve in enumerate(found.curves):
        order = np.argsort(curve.x, kind="stable")
        xs, ys = curve.x[order], curve.y[order]
        kept = thinned_line(xs, ys, MOST_POINTS)
        points = [plot.place((float(xs[j]), float(ys[j]) + k * step)) for j in kept]
        line = element("path", d=path(points), class_="spectrum", stroke=colour(0.22 + 0.6 * k / last))
        plot.area(told(line, _name(curve, t)))
        short = "" if curve.device is None else str(curve.device + 1)
        plot.mark(text(short, points[-1][0] + 8, points[-1][1] + 4, class_="small"))
    caption = t("film.caption.spectra")
    drawn = plot.drawn(f"{found.label} ({t('film.kind.' + found.kind)})", caption)
    return Figure(drawn, caption, _table(found, t), wide=True)


def _name(curve: Curve, t: Words) -> str:
    return t("film.whole") if curve.device is None else t("film.device", n=curve.device + 1)


def _table(found: Curves, t: Words) -> Table:
    """Where each curve is highest and lowest: what the eye takes from it first; whole, it is behind its link."""
    axis = f"{found.axis} ({found.axis_unit})"
    ends = (t(f"film.{end}", label=f"{found.label} ({found.unit})") for end in ("highest", "lowest"))
    head = (t("film.curve"), t("film.points"), t("film.range", axis=axis), *ends)
    rows = tuple(
        (
            _name(curve, t),
            str(len(curve.x)),
            f"{significant(float(curve.x.min()), 4)} \u2013 {significant(float(curve.x.max()), 4)}",
            *(_at(curve, int(k), t) for k in (curve.y.argmax(), curve.y.argmin())),
        )
        for curve in found.curves
    )
    return Table(head, rows, tuple(f"/v1/attachments/{curve.id}" for curve in found.curves))


def _at(curve: Curve, k: int, t: Words) -> str:
    return t("film.value_at", value=significant(float(curve.y[k]), 4), x=significant(float(curve.x[k]), 4))


def _bare(floor: float, top: float) -> Scale:
    """A scale without numbers: shifted curves have none."""
    whole = between(floor - 0.03 * (top - floor), top + 0.04 * (top - floor))
    return Scale(whole.lower, whole.upper, (), whole.step)
