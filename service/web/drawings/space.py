"""The composition space: what a model believes on a triangle of three elements, and what was read and is proposed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from models.objective import Objective
from models.problem import Problem
from service.operations.charts import Cloud
from service.operations.sections import Section
from service.web.charts.colours import Bands
from service.web.charts.contours import Lattice, lines, regions
from service.web.charts.figure import Figure, Table
from service.web.charts.legends import colour_bar, signs
from service.web.charts.scales import significant, with_uncertainty, written
from service.web.charts.svg import element, fresh_id, group, path, picture, told
from service.web.charts.ternary import Triangle, around, frame, region
from service.web.charts.thinning import spread, thinned_cloud
from service.web.drawings import Words, targets

Array = NDArray[np.float64]
Shown = Literal["mean", "sd", "improvement", "noise"]
MAPS: Mapping[Shown, str] = {"mean": "viridis", "sd": "cividis", "improvement": "viridis", "noise": "cividis"}

DIVISIONS = 48
"""Of the triangle's sides, for lines of equal value."""
HITS = 24
"""Of the triangle's sides, for the numbers under the pointer; divides `DIVISIONS`."""
NEAR = 0.05
"""Largest difference of a held fraction with which a device is shown on a section."""
MOST_DEVICES = 400
WIDTH, HEIGHT = 640.0, 520.0
LEFT, TOP, SIDE = 84.0, 40.0, 460.0
STAR = [
    (r * np.sin(0.2 * np.pi * k), -r * np.cos(0.2 * np.pi * k))
    for k, r in ((k, 9.0 if k % 2 == 0 else 3.8) for k in range(10))
]


@dataclass(frozen=True)
class Cut:
    """A triangle through the composition space: three elements vary, all others are held."""

    problem: Problem
    chosen: tuple[int, int, int]
    """Numbers of the elements that vary: top, left, right."""
    held: Array
    """`d` fractions; those of the chosen ones count for nothing."""

    @property
    def names(self) -> tuple[str, str, str]:
        """Of the three."""
        a, b, c = (self.problem.space.elements[k] for k in self.chosen)
        return a, b, c

    @property
    def others(self) -> list[int]:
        """Numbers of the elements that are held."""
        return [k for k in range(self.problem.space.dimension) if k not in self.chosen]

    @property
    def total(self) -> float:
        """What is left for the three."""
        return 1.0 - float(self.held[self.others].sum())

    @cached_property
    def rim(self) -> Array:
        """Corners of what the rules leave of the triangle, `k x 3` fractions; none if nothing is left."""
        if self.total < 1e-3:
            return np.empty((0, 3))
        G, h, _ = self.problem.space.inequalities()
        rest = h - G[:, self.others] @ self.held[self.others]
        return region(G[:, list(self.chosen)], rest, self.total * np.eye(3))

    @cached_property
    def triangle(self) -> Triangle:
        """Where it is drawn."""
        corners = self.rim if len(self.rim) else self.total * np.eye(3)
        return around(corners, self.total, left=LEFT, top=TOP, side=SIDE)

    def whole(self, three: Array) -> Array:
        """Compositions `k x d` with these fractions (k x 3) of the three."""
        points = np.tile(self.held, (len(three), 1))
        points[:, list(self.chosen)] = three
        return points

    def lattice(self) -> Array:
        """Compositions of the mesh, `j x d`."""
        return self.whole(self.triangle.on_lattice(Lattice(DIVISIONS).shares()))

    def near(self, compositions: Array) -> NDArray[np.bool_]:
        """Which compositions (k x d) lie on the section or next to it."""
        away = np.abs(compositions[:, self.others] - self.held[self.others])
        return np.asarray((away <= NEAR).all(1) & (compositions[:, list(self.chosen)].sum(1) > 0.0))

    def onto(self, compositions: Array) -> Array:
        """The three fractions (k x 3) of compositions next to the section, brought to it."""
        three = compositions[:, list(self.chosen)]
        return np.asarray(self.total * three / three.sum(1, keepdims=True))


@dataclass(frozen=True)
class Proposed:
    """A film that waits or is on its way."""

    a: Array
    b: Array
    """`d` fractions of its ends."""
    words: str
    link: str | None


@dataclass(frozen=True)
class Scene:
    """What is drawn on a cut."""

    cut: Cut
    cloud: Cloud
    section: Section | None
    shown: Shown
    proposed: tuple[Proposed, ...]
    best: Array | None
    """`d` fractions of the composition that is held for the best."""
    film_numbers: Mapping[str, int]

    @property
    def sought(self) -> Objective | None:
        """The objective that is shown; None where it is a mere outcome."""
        return next((o for o in self.cut.problem.objectives if o.property == self.cloud.property), None)


def ternary(scene: Scene, t: Words) -> Figure:
    """The diagram with its caption and its numbers."""
    cut, values = scene.cut, _values(scene)
    inside = _inside(cut)
    bands = _bands(scene, values, inside)
    clip = fresh_id("region")
    rim = path(cut.triangle.places(cut.rim).tolist(), closed=True)
    parts = [element("defs", element("clipPath", element("path", d=rim), id=clip)), frame(cut.triangle, cut.names)]
    if values is not None and bands is not None:
        parts.append(group(_filled(cut, values, bands), clip_path=f"url(#{clip})"))
        parts.append(group(_on_target(scene, values), clip_path=f"url(#{clip})"))
    parts.append(element("path", d=rim, class_="rim"))
    if values is not None:
        # Hidden from screen readers, which would read out hundreds of cells before anything else.
        parts.append(group(_hits(scene, inside, t), aria_hidden="true"))
    parts += [group(_films(scene)), group(_devices(scene, bands, t)), *_best(scene, t)]
    if bands is not None:
        name = _name(scene, t)
        parts.append(colour_bar(bands, name, scene.cloud.unit, x=WIDTH - 62, y=TOP + 4, height=200))
    parts.append(signs(_legend(scene, t), x=0, y=12))
    title = t("space.ternary", elements="-".join(cut.names))
    drawn = picture(parts, width=WIDTH, height=HEIGHT, name=title, about=_caption(scene, t), kind="ternary")
    table = device_table(scene.cloud, cut.problem, scene.film_numbers, t)
    return Figure(drawn, _caption(scene, t), table, wide=True)


def _values(scene: Scene) -> Array | None:
    found = scene.section
    if found is None:
        return None
    return {"mean": found.mean, "sd": found.sd, "improvement": found.improvement, "noise": found.noise_sd}[scene.shown]


def _inside(cut: Cut) -> NDArray[np.bool_]:
    """Which points of the mesh lie in the region, or so near that lines of equal value need them."""
    G, h, _ = cut.problem.space.inequalities()
    return np.asarray((cut.lattice() @ G.T <= h + 1e-9).all(1))


def _bands(scene: Scene, values: Array | None, inside: NDArray[np.bool_]) -> Bands | None:
    if values is not None:
        seen = values[inside] if inside.any() else values
        return Bands.over(seen.tolist(), map_name=MAPS[scene.shown])
    return Bands.over(scene.cloud.value.tolist()) if len(scene.cloud.value) else None


def _filled(cut: Cut, values: Array, bands: Bands) -> Iterator[Markup]:
    """The surface: one shape per level, each over the one before."""
    mesh = Lattice(DIVISIONS)
    places = cut.triangle.places(cut.triangle.on_lattice(mesh.shares()))
    lowest = (float(min(values.min(), bands.levels[0])) - 1.0, *bands.levels[1:-1])
    for band, rings in enumerate(regions(mesh, places, values, lowest)):
        if rings:
            drawn = "".join(path(ring, closed=True) for ring in rings)
            yield element("path", d=drawn, fill=bands.fill(band), fill_rule="evenodd", class_="filled contour")


def _on_target(scene: Scene, values: Array) -> Iterator[Markup]:
    """Where the target is expected to be met exactly, and where the tolerance ends."""
    wanted = targets.reach_of(scene.sought) if scene.shown == "mean" else ()
    mesh = Lattice(DIVISIONS)
    places = scene.cut.triangle.places(scene.cut.triangle.on_lattice(mesh.shares()))
    for number, value in enumerate(wanted):
        if number != 1 and value == wanted[1]:
            continue
        if drawn := "".join(path(line) for line in lines(mesh, places, values, value)):
            yield element("path", d=drawn, class_="on-target" if number == 1 else "on-target edge")


def _hits(scene: Scene, inside: NDArray[np.bool_], t: Words) -> Iterator[Markup]:
    """Cells without colour that say what is believed at their middle."""
    cut, found = scene.cut, scene.section
    assert found is not None  # noqa: S101 - asked for only where there is one
    step = DIVISIONS // HITS
    rows = [(r, c) for r in range(0, DIVISIONS + 1, step) for c in range(0, r + 1, step)]
    radius = SIDE / HITS / np.sqrt(3.0)
    corners = [(radius * np.sin(np.pi * k / 3.0), radius * np.cos(np.pi * k / 3.0)) for k in range(6)]
    three = cut.triangle.on_lattice(Lattice(DIVISIONS).shares())
    places = cut.triangle.places(three)
    for r, c in rows:
        k = r * (r + 1) // 2 + c
        if inside[k]:
            x, y = places[k]
            cell = element("path", d=path([(x + dx, y + dy) for dx, dy in corners], closed=True), class_="hit")
            yield told(cell, "\n".join([percents(cut.names, three[k]), *_believed(scene, k, t)]))


def _believed(scene: Scene, k: int, t: Words) -> list[str]:
    found = scene.section
    if found is None:
        return []
    said = [f"{t('space.show.mean')}: {with_uncertainty(float(found.mean[k]), float(found.sd[k]))} {found.unit}"]
    if scene.shown == "improvement" and found.improvement is not None:
        said.append(f"{t('space.show.improvement')}: {significant(float(found.improvement[k]), 2)} {found.unit}")
    if scene.shown == "noise":
        said.append(f"{t('space.show.noise')}: {significant(float(found.noise_sd[k]), 2)} {found.unit}")
    return said


def percents(names: Sequence[str], fractions: Sequence[float] | Array) -> str:
    """A composition in atomic percent."""
    return f"{' · '.join(f'{n} {written(100.0 * float(x), 0.1)}' for n, x in zip(names, fractions, strict=True))} at.%"


def _films(scene: Scene) -> Iterator[Markup]:
    cut = scene.cut
    for film in scene.proposed:
        ends = np.array([film.a, film.b])
        if not cut.near(ends.mean(0)[None])[0] or not (ends[:, list(cut.chosen)].sum(1) > 0.0).all():
            continue
        line = path(cut.triangle.places(cut.onto(ends)).tolist())
        yield told(
            group([element("path", d=line, class_="proposed"), element("path", d=line, class_="proposed-core")]),
            film.words,
            film.link,
        )


def _devices(scene: Scene, bands: Bands | None, t: Words) -> Iterator[Markup]:
    cut, cloud = scene.cut, scene.cloud
    if not len(cloud.value):
        return
    near = np.flatnonzero(cut.near(cloud.composition))
    if not len(near):
        return
    places = cut.triangle.places(cut.onto(cloud.composition[near]))
    by_value = scene.shown == "mean" and bands is not None
    for j in thinned_cloud(places, cloud.value[near], MOST_DEVICES).tolist():
        k = int(near[j])
        fill = bands.of(float(cloud.value[k])) if bands is not None and by_value else "#ffffff"
        dot = element(
            "circle",
            cx=float(places[j, 0]),
            cy=float(places[j, 1]),
            r=4.4 if by_value else 2.4,
            class_="device outlined" if by_value else "device small",
            fill=fill,
        )
        yield told(dot, device_words(cloud, k, cut.problem, scene.film_numbers, t), f"/films/{cloud.film[k]}")


def device_words(cloud: Cloud, k: int, problem: Problem, numbers: Mapping[str, int], t: Words) -> str:
    """What one device of a cloud says of itself."""
    where = t("space.device", film=numbers.get(cloud.film[k], "\u2013"), device=cloud.device[k] + 1)
    what = percents(problem.space.elements, cloud.composition[k])
    return f"{where}\n{what}\n{t('space.read')} {significant(float(cloud.value[k]), 4)} {cloud.unit}"


def _best(scene: Scene, t: Words) -> Iterator[Markup]:
    if scene.best is None or not scene.cut.near(scene.best[None])[0]:
        return
    ((x, y),) = scene.cut.triangle.places(scene.cut.onto(scene.best[None])).tolist()
    words = f"{t('space.best')}\n{percents(scene.cut.problem.space.elements, scene.best)}"
    yield told(star(x, y), words)


def star(x: float, y: float) -> Markup:
    """The sign of the composition that is held for the best."""
    rays = path([(x + dx, y + dy) for dx, dy in STAR], closed=True)
    return group([element("path", d=rays, class_="best"), element("path", d=rays, class_="best-core")])


def _legend(scene: Scene, t: Words) -> list[tuple[Markup, str]]:
    entries = []
    if len(scene.cloud.value):
        entries.append(
            (element("circle", cx=10, cy=0, r=4.4, class_="device outlined", fill="#7a8794"), t("space.measured"))
        )
    if scene.proposed:
        line = [element("path", d="M0 0H20", class_=kind) for kind in ("proposed", "proposed-core")]
        entries.append((group(line), t("space.proposed")))
    if scene.best is not None:
        entries.append((star(10, 0), t("space.best")))
    if scene.sought is not None and scene.sought.target is not None and scene.section and scene.shown == "mean":
        entries.append((element("path", d="M0 0H20", class_="on-target"), targets.words(scene.sought, t)))
    return entries


def _name(scene: Scene, t: Words) -> str:
    spoken = scene.cloud.property.replace("_", " ")
    return spoken if scene.section is None or scene.shown == "mean" else f"{t('space.short.' + scene.shown)}, {spoken}"


def _caption(scene: Scene, t: Words) -> str:
    said = [t(f"space.caption.{scene.shown}" if scene.section is not None else "space.caption.none")]
    if scene.cut.others:
        elements = scene.cut.problem.space.elements
        names = [elements[k] for k in scene.cut.others]
        said.append(t("space.caption.held", held=percents(names, scene.cut.held[scene.cut.others])))
    if scene.section is not None and scene.section.process:
        units = {v.name: getattr(v, "unit", "") for v in scene.cut.problem.space.process}
        listed = ", ".join(
            f"{name} = {significant(v) if isinstance(v, float | int) else v} {units.get(name, '')}".strip()
            for name, v in scene.section.process.items()
        )
        said.append(t("space.caption.process", process=listed))
    if scene.cloud.of > len(scene.cloud.value):
        said.append(t("space.caption.thinned", shown=len(scene.cloud.value), of=scene.cloud.of))
    return " ".join(said)


def device_table(cloud: Cloud, problem: Problem, numbers: Mapping[str, int], t: Words) -> Table:
    """What was read at each device of a cloud, the best first; of many devices some, evenly spaced."""
    head = (
        t("space.film_device"),
        *(f"{e} (at.%)" for e in problem.space.elements),
        f"{cloud.property} ({cloud.unit})",
    )
    sought = next((o for o in problem.objectives if o.property == cloud.property), None)
    worth = cloud.value if sought is None else sought.to_maximised(cloud.value)
    order = spread(np.argsort(-worth).tolist(), 100)
    rows = tuple(
        (
            t("space.device", film=numbers.get(cloud.film[k], "\u2013"), device=cloud.device[k] + 1),
            *(written(100.0 * float(x), 0.1) for x in cloud.composition[k]),
            significant(float(cloud.value[k]), 4),
        )
        for k in order
    )
    return Table(head, rows, tuple(f"/films/{cloud.film[k]}" for k in order))
