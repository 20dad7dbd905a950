"""One film device by device: the wedge, what it became, what was expected and what was read."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from models.objective import Property
from service.operations.charts import Reading
from service.operations.film_story import FilmStory
from service.operations.films import Device
from service.web.charts.bars import Bar, horizontal
from service.web.charts.colours import Bands
from service.web.charts.figure import Figure, Table
from service.web.charts.plot import Axis, Plot, band_sign, dot_sign, line_sign
from service.web.charts.scales import between, fitted, significant, with_uncertainty, written
from service.web.charts.svg import element, path, text, told
from service.web.colours import element_colours
from service.web.drawings import CONFIDENT, Words, targets
from service.web.drawings.space import percents

WIDTH = 620.0
LEFT, RIGHT = 64.0, 16.0
TRACE = 5e-4
"""Elements with less than this everywhere are not drawn."""


@dataclass(frozen=True)
class Expected:
    """What the model that chose the film expected of one property."""

    device: list[int]
    mean: list[float]
    sd: list[float]
    reading_sd: list[float]
    """Of a reading: with noise and the film's own offset."""


def along(story: FilmStory, t: Words) -> Axis:
    """The axis along the film, in mm where its length is known."""
    length = story.problem.film.length_mm
    unit = "mm" if length else ""
    reach = length or 1.0
    return Axis(between(-0.03 * reach, 1.03 * reach), t("film.position"), unit)


def place(story: FilmStory, position: float) -> float:
    """A device's position on that axis."""
    return position * (story.problem.film.length_mm or 1.0)


def known(device: Device) -> dict[str, float]:
    """What a device is made of, as well as that is known."""
    return device.measured.composition if device.measured else device.as_made or device.proposed


def wedge(story: FilmStory, t: Words) -> Figure:
    """The film as a stack of its elements, with its devices on it in the colour of what they read."""
    axis, elements = along(story, t), _present(story)
    colours = element_colours(story.problem.space.elements)
    plot = Plot(
        axis, Axis(between(0.0, 100.0), t("film.share"), "at.%"), width=WIDTH, height=300.0, top=46.0, grid_x=False
    )
    x = [place(story, d.position) for d in story.film.devices]
    made = np.array([[known(d).get(e, 0.0) for e in elements] for d in story.film.devices])
    asked = np.array([[d.proposed.get(e, 0.0) for e in elements] for d in story.film.devices])
    floors, wanted = (np.cumsum(np.hstack([np.zeros((len(x), 1)), part]), axis=1) for part in (made, asked))
    for k, name in enumerate(elements):
        low, high = (100.0 * floors[:, j] for j in (k, k + 1))
        _layer(plot, x, low.tolist(), high.tolist(), colours[name])
        plot.line([(p, 100.0 * float(w)) for p, w in zip(x, wanted[:, k + 1], strict=True)], "wanted")
        plot.mark(_label(plot, x, low, high, name))
    for mark in _spots(story, plot, t):
        plot.mark(mark)
    plot.key(element("path", d="M0 0H20", class_="line dashed"), t("film.as_proposed"))
    plot.key(element("circle", cx=10, cy=0, r=5, class_="device outlined", fill="#7a8794"), t("film.device_read"))
    if any(d.dead for d in story.film.devices):
        plot.key(element("path", d="M5 -5L15 5M15 -5L5 5", class_="dead"), t("film.dead"))
    caption = t(
        "film.caption.wedge"
        if any(d.as_made or d.measured for d in story.film.devices)
        else "film.caption.wedge_proposed"
    )
    return Figure(plot.drawn(t("film.wedge"), caption, "wedge-chart"), caption, _composition_table(story, t), wide=True)


def _present(story: FilmStory) -> list[str]:
    devices = story.film.devices
    return [
        e
        for e in story.problem.space.elements
        if max(max(known(d).get(e, 0.0), d.proposed.get(e, 0.0)) for d in devices) > TRACE
    ]


def _layer(plot: Plot, x: Sequence[float], low: Sequence[float], high: Sequence[float], colour: str) -> None:
    rim = [*zip(x, high, strict=True), *reversed(list(zip(x, low, strict=True)))]
    plot.area(element("path", d=path(map(plot.place, rim), closed=True), fill=colour, class_="layer"))


def _label(plot: Plot, x: Sequence[float], low: np.ndarray, high: np.ndarray, name: str) -> Markup:
    """The element's name where its layer is thickest; none where it is too thin."""
    k = int((high - low).argmax())
    if high[k] - low[k] < 7.0:
        return Markup("")
    k = min(max(k, 1), len(x) - 2) if len(x) > 2 else k
    middle = 0.5 * float(low[k] + high[k])
    return text(name, plot.across(x[k]), plot.down(middle) + 5, text_anchor="middle", class_="on-dark strong-label")


def _spots(story: FilmStory, plot: Plot, t: Words) -> list[Markup]:
    """A circle per device above the film, in the colour of what it read of the first property."""
    sought = story.problem.properties[0]
    means = _means(story.readings, sought.property)
    bands = Bands.over(list(means.values())) if means else None
    marks = []
    for d in story.film.devices:
        x, y = plot.across(place(story, d.position)), plot.top - 18
        words = [t("film.device", n=d.index + 1), percents(list(known(d)), list(known(d).values()))]
        if d.dead:
            cross = element("path", d=f"M{x - 5:.1f} {y - 5:.1f}l10 10m0 -10l-10 10", class_="dead")
            marks.append(told(cross, "\n".join([*words, t("film.dead")])))
            continue
        value = means.get(d.index)
        if value is not None:
            words.append(f"{sought.property} {significant(value, 4)} {sought.unit}")
        fill = bands.of(value) if value is not None and bands is not None else "none"
        spot = element(
            "circle", cx=x, cy=y, r=6.0, fill=fill, class_="device outlined" if value is not None else "waiting"
        )
        marks.append(told(spot, "\n".join(words)))
    return marks


def _means(readings: Sequence[Reading], name: str) -> dict[int, float]:
    values: dict[int, list[float]] = defaultdict(list)
    for r in readings:
        if r.property == name and r.value is not None:
            values[r.device].append(r.value)
    return {device: float(np.mean(found)) for device, found in values.items()}


def _composition_table(story: FilmStory, t: Words) -> Table:
    elements = _present(story)
    head = (
        t("film.device_head"),
        t("film.position"),
        *(f"{e} {t('film.proposed_short')}" for e in elements),
        *(f"{e} {t('film.made_short')}" for e in elements),
    )
    rows = tuple(
        (
            str(d.index + 1),
            significant(place(story, d.position), 3),
            *(written(100.0 * d.proposed.get(e, 0.0), 0.1) for e in elements),
            *(written(100.0 * known(d).get(e, 0.0), 0.1) if d.as_made or d.measured else "\u2013" for e in elements),
        )
        for d in story.film.devices
    )
    return Table(head, rows)


def misses(story: FilmStory, t: Words) -> Figure | None:
    """How far the composition as made is from the proposed one; None where it is not known."""
    devices = [d for d in story.film.devices if d.as_made or d.measured]
    if not devices:
        return None
    elements = _present(story)
    off = {e: [100.0 * (known(d).get(e, 0.0) - d.proposed.get(e, 0.0)) for d in devices] for e in elements}
    scale = fitted([v for values in off.values() for v in values], around=0.0)
    plot = Plot(along(story, t), Axis(scale, t("film.off"), "at.%"), width=WIDTH, height=250.0)
    plot.level(0.0)
    colours = element_colours(story.problem.space.elements)
    for e in elements:
        points = [(place(story, d.position), v) for d, v in zip(devices, off[e], strict=True)]
        plot.line(points, "line thin", stroke=colours[e])
        for d, point in zip(devices, points, strict=True):
            plot.dot(
                point,
                f"{t('film.device', n=d.index + 1)}\n{e} {written(point[1], 0.01)} at.%",
                radius=3.2,
                fill=colours[e],
            )
        plot.key(dot_sign("dot", fill=colours[e]), e)
    worst = max(abs(v) for values in off.values() for v in values)
    caption = t("film.caption.off", worst=written(worst, 0.1))
    return Figure(plot.drawn(t("film.off"), caption), caption)


def expected_of(story: FilmStory, sought: Property) -> Expected | None:
    """What the model that chose the film expected of a property; None where none did."""
    found = Expected([], [], [], [])
    scatter = story.scatter.get(sought.property)
    for d in story.proposal.film["devices"]:
        said = _said(d.get("predicted"), sought.property)
        if said is None:
            return None
        extra = 0.0 if scatter is None else scatter.noise_sd**2 + scatter.film_effect_sd**2
        found.device.append(int(d["index"]))
        found.mean.append(said[0])
        found.sd.append(said[1])
        found.reading_sd.append(float(np.sqrt(said[1] ** 2 + extra)))
    return found if found.device else None


def _said(predicted: object, name: str) -> tuple[float, float] | None:
    """Mean and deviation of a property as the proposal has it, under its name or as the only one."""
    if not isinstance(predicted, Mapping):
        return None
    said = predicted.get(name, predicted)
    return (float(said["mean"]), float(said["sd"])) if isinstance(said, Mapping) and "mean" in said else None


def predicted_and_read(story: FilmStory, sought: Property, t: Words) -> Figure | None:
    """Expected along the film against what was read; None if there is neither."""
    expected = expected_of(story, sought)
    readings = [r for r in story.readings if r.property == sought.property]
    values = [r for r in readings if r.value is not None]
    if expected is None and not values:
        return None
    positions = {d.index: place(story, d.position) for d in story.film.devices}
    reach = [v for r in values for v in _whisker(r)]
    if expected is not None:
        reach += [
            m + s * CONFIDENT * sd for m, sd in zip(expected.mean, expected.reading_sd, strict=True) for s in (-1, 1)
        ]
    reach += targets.reach_of(sought)
    plot = Plot(along(story, t), Axis(fitted(reach), _spoken(sought.property), sought.unit), width=WIDTH, height=330.0)
    targets.across(plot, sought, t)
    if expected is not None:
        _bands(plot, expected, positions, t)
    for r in values:
        if r.std_uncertainty is not None:
            plot.interval(positions[r.device], *_whisker(r), kind="interval s2")
        plot.dot((positions[r.device], r.value or 0.0), _reading_words(r, sought, t), kind="dot s2", radius=4.2)
    if values:
        plot.key(dot_sign("dot s2"), t("film.read"))
    caption = t("film.caption.predicted" if expected is not None else "film.caption.read_only") + _thinned(story, t)
    table = _reading_table(sought, expected, values, t)
    return Figure(
        plot.drawn(f"{_spoken(sought.property)}: {t('film.expected_and_read')}", caption), caption, table, wide=True
    )


def _thinned(story: FilmStory, t: Words) -> str:
    """Says so where not every reading is shown."""
    shown, of = sum(r.value is not None for r in story.readings), sum(d.readings for d in story.film.devices)
    return f" {t('film.caption.thinned', shown=shown, of=of)}" if shown < of else ""


def _spoken(name: str) -> str:
    return name.replace("_", " ")


def _whisker(r: Reading) -> tuple[float, float]:
    reach = CONFIDENT * (r.std_uncertainty or 0.0)
    return (r.value or 0.0) - reach, (r.value or 0.0) + reach


def _bands(plot: Plot, expected: Expected, positions: Mapping[int, float], t: Words) -> None:
    x = [positions[k] for k in expected.device]
    for sds, kind in ((expected.reading_sd, "band s1"), (expected.sd, "band inner s1")):
        low, high = ([m + s * CONFIDENT * sd for m, sd in zip(expected.mean, sds, strict=True)] for s in (-1, 1))
        plot.band(x, low, high, kind)
    plot.line(list(zip(x, expected.mean, strict=True)), "line s1")
    plot.key(line_sign("line s1"), t("film.expected"))
    plot.key(band_sign("band inner s1"), t("film.of_material"))
    plot.key(band_sign("band s1"), t("film.of_reading"))


def _reading_words(r: Reading, sought: Property, t: Words) -> str:
    said = f"{t('film.device', n=r.device + 1)}\n{with_uncertainty(r.value or 0.0, r.std_uncertainty)} {sought.unit}"
    return f"{said}\n{t('film.' + r.status)}" if r.status != "ok" else said


def _reading_table(sought: Property, expected: Expected | None, values: Sequence[Reading], t: Words) -> Table:
    head = (
        t("film.device_head"),
        f"{t('film.expected')} ({sought.unit})",
        f"{t('film.read')} ({sought.unit})",
        t("film.residual_head"),
    )
    by_device = (
        dict(zip(expected.device, zip(expected.mean, expected.sd, expected.reading_sd, strict=True), strict=True))
        if expected
        else {}
    )
    rows = []
    for r in values[:200]:
        said, value = by_device.get(r.device), r.value or 0.0
        rows.append(
            (
                str(r.device + 1),
                "\u2013" if said is None else with_uncertainty(said[0], said[1]),
                with_uncertainty(value, r.std_uncertainty),
                "\u2013" if said is None else written((value - said[0]) / said[2], 0.01),
            )
        )
    return Table(head, tuple(rows))


def residuals(story: FilmStory, sought: Property, t: Words) -> Figure | None:
    """What was read less what was expected, in standard deviations of a reading; None where that cannot be told."""
    expected = expected_of(story, sought)
    values = [r for r in story.readings if r.property == sought.property and r.value is not None]
    if expected is None or not values:
        return None
    by_device = dict(zip(expected.device, zip(expected.mean, expected.reading_sd, strict=True), strict=True))
    positions = {d.index: place(story, d.position) for d in story.film.devices}
    z = [((r.value or 0.0) - by_device[r.device][0]) / by_device[r.device][1] for r in values]
    plot = Plot(
        along(story, t), Axis(fitted([*z, -2.4, 2.4], around=0.0), t("film.residual"), "sd"), width=WIDTH, height=250.0
    )
    plot.level(0.0, "rule solid")
    plot.level(CONFIDENT)
    plot.level(-CONFIDENT)
    for r, value in zip(values, z, strict=True):
        x = positions[r.device]
        plot.interval(x, 0.0, value, "interval s2")
        words = f"{t('film.device', n=r.device + 1)}\n{written(value, 0.01)} sd"
        plot.dot((x, value), words, kind="dot s4" if abs(value) > CONFIDENT else "dot s2", radius=4.0)
    plot.key(element("path", d="M0 0H20", class_="rule"), t("charts.interval_95"))
    shift = float(np.mean([(r.value or 0.0) - by_device[r.device][0] for r in values]))
    inside = sum(abs(v) <= CONFIDENT for v in z)
    caption = t("film.caption.residual", inside=inside, of=len(z), shift=f"{significant(shift, 3)} {sought.unit}")
    return Figure(plot.drawn(t("film.residual"), caption), caption)


def pair_scores(story: FilmStory, t: Words, most: int = 15) -> Figure | None:
    """What grading each pair of elements would have gained; None where there are no such scores."""
    pairs = story.proposal.pairs[:most]
    if not pairs:
        return None
    unit = " × ".join(o.unit for o in story.problem.objectives)
    bars = [
        Bar("\u2013".join(p["pair"]), float(p["gain"]), significant(float(p["gain"]), 3), "s1" if k == 0 else "s1 soft")
        for k, p in enumerate(pairs)
    ]
    caption = t("film.caption.pairs")
    drawn = horizontal(bars, t("film.gain"), unit, name=t("film.pairs"), about=caption, width=420.0)
    rows = tuple((b.name, b.written) for b in bars)
    return Figure(drawn, caption, Table((t("film.pair"), f"{t('film.gain')} ({unit})"), rows))
