"""Spectra of a film one above the other, in the colours of their places along it."""

import numpy as np

from service.operations.spectra import Curves
from service.web.charts.colours import colour
from service.web.charts.figure import Figure
from service.web.charts.plot import Axis, Plot
from service.web.charts.scales import Scale, between, fitted
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
        words = t("film.whole") if curve.device is None else t("film.device", n=curve.device + 1)
        line = element("path", d=path(points), class_="spectrum", stroke=colour(0.22 + 0.6 * k / last))
        plot.area(told(line, words))
        short = "" if curve.device is None else str(curve.device + 1)
        plot.mark(text(short, points[-1][0] + 8, points[-1][1] + 4, class_="small"))
    caption = t("film.caption.spectra")
    return Figure(plot.drawn(f"{found.label} ({t('film.kind.' + found.kind)})", caption), caption, wide=True)


def _bare(floor: float, top: float) -> Scale:
    """A scale without numbers: shifted curves have none."""
    whole = between(floor - 0.03 * (top - floor), top + 0.04 * (top - floor))
    return Scale(whole.lower, whole.upper, (), whole.step)
