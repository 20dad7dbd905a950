"""A model looked at: whether its intervals hold, what it expected of films it had not seen, what it found out."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from models.objective import Property
from service.operations.model_story import Influence, ModelStory
from service.web.charts.bars import Bar, horizontal
from service.web.charts.figure import Figure, Table
from service.web.charts.plot import Axis, Plot, dot_sign, interval_sign, line_sign
from service.web.charts.scales import Scale, between, fitted, significant, whole, with_uncertainty, written
from service.web.charts.svg import element
from service.web.drawings import CONFIDENT, Words

SQUARE = 420.0
FLAT = 3.0
"""Lengthscale in reaches from which on a variable hardly matters."""


def reliability(report: Mapping[str, Any], t: Words) -> Figure | None:
    """Share of held-out readings inside their intervals against what these promise."""
    told = report.get("leave_film_out") or {}
    curve = told.get("reliability")
    if not curve:
        return None
    share = between(0.0, 100.0, 5)
    plot = Plot(
        Axis(share, t("model.promised"), "%"), Axis(share, t("model.inside"), "%"), width=SQUARE, height=SQUARE - 20
    )
    plot.line([(0.0, 0.0), (100.0, 100.0)], "diagonal")
    points = [(0.0, 0.0), *((100.0 * a, 100.0 * b) for a, b in curve), (100.0, 100.0)]
    plot.line(points, "line s1")
    for x, y in points[1:-1]:
        plot.dot((x, y), t("model.reliability_point", level=f"{x:.0f}", inside=f"{y:.0f}"), kind="dot s1", radius=3.0)
    plot.key(line_sign("line s1"), t("model.measured_share"))
    plot.key(element("path", d="M0 0H20", class_="diagonal"), t("model.honest"))
    caption = t(
        "model.caption.reliability",
        c50=_percent(told.get("coverage_50")),
        c90=_percent(told.get("coverage_90")),
        c95=_percent(told.get("coverage_95")),
        n=told.get("readings", 0),
    )
    rows = tuple((f"{100 * a:.0f} %", f"{100 * b:.1f} %") for a, b in curve)
    return Figure(
        plot.drawn(t("model.reliability"), caption), caption, Table((t("model.promised"), t("model.inside")), rows)
    )


def _percent(share: float | None) -> str:
    return "\u2013" if share is None else f"{100.0 * share:.0f} %"


def ranks(report: Mapping[str, Any], t: Words) -> Figure | None:
    """How many readings fall in each tenth of what was predicted of them: even counts are honest."""
    counts = (report.get("leave_film_out") or {}).get("ranks")
    if not counts:
        return None
    even = sum(counts) / len(counts)
    x = Axis(between(0.0, 100.0, 5), t("model.rank"), "%")
    plot = Plot(
        x, Axis(whole(max(*counts, round(even) + 1)), t("model.count")), width=SQUARE, height=SQUARE - 20, grid_x=False
    )
    for k, n in enumerate(counts):
        plot.bar((10.0 * k + 0.6, 10.0 * k + 9.4), (0.0, float(n)), f"{10 * k}\u2013{10 * (k + 1)} %\n{n}", "bar s1")
    plot.level(even)
    plot.key(element("path", d="M0 0H20", class_="rule"), t("model.even"))
    caption = t("model.caption.ranks")
    rows = tuple((f"{10 * k}\u2013{10 * (k + 1)} %", str(n)) for k, n in enumerate(counts))
    return Figure(plot.drawn(t("model.ranks"), caption), caption, Table((t("model.rank"), t("model.count")), rows))


def held_out(portrait: Mapping[str, Any], numbers: Mapping[str, int], t: Words) -> Figure | None:
    """Each film predicted from all others against what was read."""
    found = portrait.get("held_out")
    if not found or not found["mean"]:
        return None
    unit, name = portrait["unit"], str(portrait["property"]).replace("_", " ")
    both = fitted([*found["measured"], *found["mean"]])
    plot = Plot(
        Axis(both, t("model.predicted"), unit), Axis(both, t("model.read"), unit), width=SQUARE, height=SQUARE - 20
    )
    plot.line([(both.lower, both.lower), (both.upper, both.upper)], "diagonal")
    rows, links = [], []
    for film, y, x, sd in zip(found["film"], found["measured"], found["mean"], found["sd"], strict=True):
        plot.reach(y, x - CONFIDENT * sd, x + CONFIDENT * sd, "interval quiet s1")
        out = abs(y - x) > CONFIDENT * sd
        where = t("progress.film", n=numbers.get(film, "\u2013"))
        believed = f"{t('model.predicted')} {with_uncertainty(x, sd)} {unit}"
        words = f"{where}\n{believed}\n{t('model.read')} {significant(y, 4)} {unit}"
        plot.dot((x, y), words, kind="dot s4" if out else "dot s1", radius=3.4, link=f"/films/{film}")
        rows.append((where, with_uncertainty(x, sd), significant(y, 4)))
        links.append(f"/films/{film}")
    plot.key(element("path", d="M0 0H20", class_="interval s1"), t("charts.interval_95"))
    plot.key(dot_sign("dot s4"), t("model.outside"))
    caption = t("model.caption.held_out", n=len(rows), of=found["of"])
    head = (t("model.film"), f"{t('model.predicted')} ({unit})", f"{t('model.read')} ({unit})")
    title = f"{name}: {t('model.held_out')}"
    return Figure(plot.drawn(title, caption), caption, Table(head, tuple(rows[:120]), tuple(links[:120])))


def film_effects(portrait: Mapping[str, Any], numbers: Mapping[str, int], t: Words) -> Figure | None:
    """How far each film lies off at equal composition."""
    found = portrait.get("film_effects")
    if not found or not found["film"]:
        return None
    unit = portrait["unit"]
    reach = [m + s * CONFIDENT * sd for m, sd in zip(found["mean"], found["sd"], strict=True) for s in (-1, 1)]
    order = [numbers.get(film, k + 1) for k, film in enumerate(found["film"])]
    plot = Plot(
        Axis(_numbers(order), t("model.film")), Axis(fitted(reach, around=0.0), t("model.offset"), unit), grid_x=False
    )
    plot.level(0.0)
    rows = []
    for film, n, mean, sd in zip(found["film"], order, found["mean"], found["sd"], strict=True):
        plot.interval(float(n), mean - CONFIDENT * sd, mean + CONFIDENT * sd, "interval s3")
        said = with_uncertainty(mean, sd)
        plot.dot((float(n), mean), f"{t('progress.film', n=n)}\n{said} {unit}", kind="dot s3", link=f"/films/{film}")
        rows.append((str(n), said))
    plot.key(dot_sign("dot s3"), t("model.offset"))
    plot.key(interval_sign("interval s3"), t("charts.interval_95"))
    caption = t("model.caption.film_effects")
    links = tuple(f"/films/{film}" for film in found["film"])
    return Figure(
        plot.drawn(t("model.film_effects"), caption),
        caption,
        Table((t("model.film"), f"{t('model.offset')} ({unit})"), tuple(rows), links),
    )


def _numbers(order: Sequence[int]) -> Scale:
    """Whole numbers from the first film to the last."""
    low, high = min(order), max(order)
    inside = whole(high)
    return Scale(low - 0.6, high + 0.6, tuple(v for v in inside.ticks if v >= low) or (float(low),), inside.step)


def drift(portrait: Mapping[str, Any], t: Words) -> Figure | None:
    """How the instrument reads, against its first reading of the calibration sample."""
    found = portrait.get("drift")
    if not found or len(found["time"]) < 2:
        return None
    unit, start = portrait["unit"], found["time"][0]
    span = found["time"][-1] - start
    size, word = next(
        (s, w)
        for s, w in ((86_400.0, "days"), (3600.0, "hours"), (60.0, "minutes"), (1.0, "seconds"))
        if span >= 2 * s or s == 1.0
    )
    x = [(time - start) / size for time in found["time"]]
    low, high = ([m + s * CONFIDENT * sd for m, sd in zip(found["mean"], found["sd"], strict=True)] for s in (-1, 1))
    plot = Plot(
        Axis(between(0.0, x[-1]), t("model.time"), t(f"model.{word}")),
        Axis(fitted([*low, *high, 0.0]), t("model.drift"), unit),
    )
    plot.level(0.0)
    plot.band(x, low, high, "band s5")
    plot.line(list(zip(x, found["mean"], strict=True)), "line s5")
    plot.key(line_sign("line s5"), t("model.drift"))
    plot.key(element("rect", x=0, y=-6, width=20, height=12, class_="band s5"), t("charts.interval_95"))
    since = datetime.fromtimestamp(start, UTC).strftime("%Y-%m-%d %H:%M UTC")
    caption = t("model.caption.drift", since=since)
    rows = tuple(
        (written(a, 0.01), with_uncertainty(m, sd)) for a, m, sd in zip(x, found["mean"], found["sd"], strict=True)
    )
    return Figure(
        plot.drawn(t("model.drift_title"), caption),
        caption,
        Table((t("model.time"), f"{t('model.drift')} ({unit})"), rows),
    )


def history(story: ModelStory, t: Words) -> Figure | None:
    """How well held-out films were predicted, version by version."""
    told = [v for v in story.history if v.log_density is not None and v.films is not None]
    if len(told) < 2:
        return None
    films = [float(v.films or 0) for v in told]
    plot = Plot(
        Axis(_numbers([int(f) for f in films]), t("progress.films")),
        Axis(fitted([v.log_density or 0.0 for v in told]), t("model.log_density"), t("model.nats")),
        grid_x=False,
    )
    plot.line([(f, v.log_density or 0.0) for f, v in zip(films, told, strict=True)], "line thin s1")
    for f, v in zip(films, told, strict=True):
        density = f"{written(v.log_density or 0.0, 0.01)} {t('model.nats')}"
        inside = f"{t('model.inside_90')} {_percent(v.coverage_90)}"
        words = f"{t('progress.after', n=v.films)}\n{density}\n{inside}"
        here = v.id == story.version.id
        plot.dot(
            (f, v.log_density or 0.0),
            words,
            kind="dot s2" if here else "dot s1",
            link=f"/models/{v.id}",
            radius=5.0 if here else 3.6,
        )
    if any(v.id == story.version.id for v in told):
        plot.key(dot_sign("dot s2"), t("model.this"))
    caption = t("model.caption.history")
    rows = tuple((str(v.films), written(v.log_density or 0.0, 0.01), _percent(v.coverage_90)) for v in told)
    links = tuple(f"/models/{v.id}" for v in told)
    return Figure(
        plot.drawn(t("model.history"), caption),
        caption,
        Table((t("progress.films"), t("model.log_density"), t("model.inside_90")), rows, links),
    )


def in_words(influence: Influence, sought: Property, t: Words) -> str:
    """What a lengthscale and a sensitivity say, as a sentence or two."""
    name = sought.property.replace("_", " ").capitalize()
    shares = influence.over / influence.reach
    if shares > FLAT:
        said = t("model.words.flat", element=influence.name, property=name)
    elif shares > 1.0:
        said = t("model.words.slow", element=influence.name, property=name)
    else:
        said = t(
            "model.words.over",
            element=influence.name,
            property=name,
            over=significant(influence.over, 2),
            unit=influence.unit,
        )
    if influence.change is None or influence.change_sd is None:
        return said
    step = t(
        "model.words.step",
        element=influence.name,
        unit=influence.unit,
        change=f"{'+' if influence.change > 0.0 else ''}{with_uncertainty(influence.change, influence.change_sd)}",
        of=sought.unit,
    )
    return f"{said} {step} {_sure(influence, t)}".strip()


def _sure(influence: Influence, t: Words) -> str:
    rises, falls = influence.rises_at or 0.0, influence.falls_at or 0.0
    if rises < 0.05 and falls < 0.05:
        return t("model.words.unsure")
    return t("model.words.sure", rises=f"{100 * rises:.0f}", falls=f"{100 * falls:.0f}")


def codes(health: Mapping[str, Any], t: Words) -> Figure | None:
    """What each dimension of a generator's code says; None for a generator without one."""
    told = sorted(((kl, k) for k, kl in enumerate(health.get("kl_per_dimension") or ())), reverse=True)[:16]
    if not told:
        return None
    bars = [Bar(str(k + 1), float(kl), significant(float(kl), 2)) for kl, k in told]
    caption, unit = t("model.caption.codes"), t("model.nats")
    rows = tuple((bar.name, bar.written) for bar in bars)
    drawn = horizontal(bars, "KL", unit, name=t("model.codes"), about=caption)
    return Figure(drawn, caption, Table((t("model.code"), f"KL ({unit})"), rows))


HEALTH = (
    *("verdict", "two_sample_test", "validity", "uniqueness", "novel_share", "copying", "diversity"),
    *("frequency_error", "support_accuracy", "reconstruction", "elbo", "importance_bound", "active_units"),
    *("conditional_error", "judged_on"),
)
"""What is told of a generator, in this order, as far as it is known."""
WHOLE = frozenset({"active_units", "judged_on"})
"""Of these the whole numbers."""


def health_facts(health: Mapping[str, Any], t: Words) -> list[tuple[str, str]]:
    """A generator's figures with their names."""
    found = []
    for key in HEALTH:
        value = health.get(key)
        if value is None:
            continue
        if key == "verdict":
            said = t(f"model.verdict.{value}")
        else:
            said = f"{value:.0f}" if key in WHOLE else significant(float(value), 3)
        found.append((t(f"model.health.{key}"), said))
    return found
