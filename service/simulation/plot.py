"""The picture of a demo: what the model believes, where it is unsure, and how fast the best was found."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator

from service.simulation.progress import GOAL, Belief, FilmRecord, Progress, percent
from service.simulation.ternary import INK, QUIET, Triangle
from service.simulation.wafer import ELEMENTS, Array, to_plane

FOUND = "#D55E00"  # vermillion of the Okabe-Ito palette: clear for colour-blind readers, absent from viridis and greys
STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 12,
    "axes.edgecolor": INK,
    "text.color": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}
BEST: dict[str, Any] = {"marker": "o", "markersize": 17, "mfc": "none", "mec": FOUND, "mew": 2.2}
RECOMMENDED: dict[str, Any] = {"marker": "*", "markersize": 19, "mfc": FOUND, "mec": "white", "mew": 1.3}
NUMBER: dict[str, Any] = {
    "fontsize": 10, "fontweight": "bold", "ha": "center", "va": "center", "zorder": 8,
    "path_effects": [withStroke(linewidth=2.6, foreground="white")],
}  # fmt: skip


def draw(path: Path, progress: Progress, belief: Belief | None, *, title: str) -> None:
    """Write the picture as PNG.

    Args:
        path: Where to.
        progress: The films of the campaign; at least one.
        belief: Of the last model; None if the campaign's policy trains none, then the readings are shown instead.
        title: Head line.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(11.0, 7.0), dpi=160, facecolor="white")
        FigureCanvasAgg(figure)
        figure.text(0.02, 0.955, title, fontsize=16, fontweight="bold", va="center")
        large = figure.add_axes((0.005, 0.01, 0.6, 0.85))
        _believed(figure, large, progress, belief)
        _unsure(figure, figure.add_axes((0.62, 0.45, 0.375, 0.43)), progress, belief)
        _found(figure.add_axes((0.665, 0.085, 0.315, 0.29)), progress)
        _legend(figure, progress, belief)
        figure.savefig(path, format="png", metadata={"Software": "Filmloop"})


def _believed(figure: Figure, axes: Axes, progress: Progress, belief: Belief | None) -> None:
    """The large ternary: posterior mean, films, devices, recommendation."""
    triangle = Triangle(axes, progress.wafer.hull, font=11)
    if belief is not None:
        filled = triangle.fill(belief.points, belief.mean, "viridis")
        _colour_bar(figure, axes, filled, "magnetisation (V),\nmodel’s mean", (0.045, 0.83, 0.26, 0.022))
    labels = _label_places(progress.films)
    for film, place in zip(progress.films, labels, strict=True):
        _film(axes, film, dot=22.0)
        axes.text(float(place[0]), float(place[1]), str(film.number), **NUMBER)
    best = to_plane(progress.wafer.best_composition[None])[0]
    axes.plot(*best, zorder=6, **BEST)
    if belief is not None:
        axes.plot(*to_plane(belief.best[None])[0], zorder=7, **RECOMMENDED)


def _unsure(figure: Figure, axes: Axes, progress: Progress, belief: Belief | None) -> None:
    """The small ternary: posterior standard deviation, or without a model the readings."""
    triangle = Triangle(axes, progress.wafer.hull, font=9.5)
    box = (0.0, 0.8, 0.27, 0.036)
    if belief is None:
        points = np.vstack([to_plane(f.as_made) for f in progress.films])
        values = np.concatenate([f.readings for f in progress.films])
        alive = ~np.isnan(values)
        x, y = points[alive].T
        dots = axes.scatter(x, y, c=values[alive], s=12, cmap="viridis", zorder=4)
        _colour_bar(figure, axes, dots, "readings (V)", box)
        return
    filled = triangle.fill(belief.points, belief.sd, "Greys")
    _colour_bar(figure, axes, filled, "model’s uncertainty,\n1 sd (V)", box)
    for film in progress.films:
        ends = to_plane(film.ends)
        axes.plot(*ends.T, color="white", lw=2.2, alpha=0.6, zorder=3, solid_capstyle="round")
        axes.plot(*ends.T, color=FOUND, lw=1.1, zorder=4, solid_capstyle="round")


def _found(axes: Axes, progress: Progress) -> None:
    """Best true value against film count."""
    best, top = progress.best_true(), progress.wafer.best_value
    count = np.arange(1, len(best) + 1)
    goal, right = GOAL * top, len(best) + 0.5
    low = np.nanmin(best) if np.isfinite(best).any() else 0.0
    bottom = max(0.0, min(low, 0.8 * top) - 0.08 * top)
    axes.axhline(top, color=QUIET, lw=1.0, zorder=1)
    axes.axhline(goal, color=FOUND, lw=1.6, ls=(0, (5, 3)), zorder=1)
    reached = progress.films_to()
    early = reached is not None and reached <= 0.55 * len(best)  # then there is room below the line on the right
    words = f"{percent(GOAL, 0)} of the wafer’s best"
    at, side = (right, "right") if early else (0.6, "left")
    axes.text(at, goal - 0.03 * (top - bottom), words, color=FOUND, fontsize=10.5, va="top", ha=side)
    axes.step(count, best, where="post", color=INK, lw=2.0, zorder=2)
    axes.plot(count, best, "o", color=INK, ms=5.5, mec="white", mew=0.8, zorder=3)
    if reached is not None:
        axes.plot(reached, best[reached - 1], marker="o", ms=12, mfc="none", mec=FOUND, mew=2.0, zorder=4)
    axes.set_xlim(0.5, right)
    axes.set_ylim(bottom, top + 0.06 * (top - bottom))
    axes.set_xticks(count[:: max(1, len(best) // 12)])
    axes.set_xlabel("films made", fontsize=11)
    axes.set_title("best true value found (V)", fontsize=11.5, loc="left", pad=7)
    axes.tick_params(labelsize=10.5)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e4e4e4", lw=0.8)
    axes.set_axisbelow(True)


def _film(axes: Axes, film: FilmRecord, *, dot: float) -> None:
    """One film as a line with its devices; crosses are dead devices."""
    ends, devices = to_plane(film.ends), to_plane(film.as_made)
    dead = np.isnan(film.readings)
    axes.plot(*ends.T, color="white", lw=3.2, alpha=0.75, zorder=3, solid_capstyle="round")
    axes.plot(*ends.T, color=INK, lw=1.3, zorder=4, solid_capstyle="round")
    x, y = devices[~dead].T
    axes.scatter(x, y, s=dot, c="white", ec=INK, lw=0.9, zorder=5)
    x, y = devices[dead].T
    axes.scatter(x, y, s=dot, c=INK, marker="x", lw=1.2, zorder=5)


def _label_places(films: list[FilmRecord]) -> Array:
    """Where to write each film's number, `films x 2`: near one of its ends, clear of devices and other numbers."""
    taken = np.vstack([to_plane(f.as_made) for f in films])
    places: list[Array] = []
    for film in films:
        ends = to_plane(film.ends)
        along = ends[0] - ends[1]
        turn = float(np.arctan2(along[1], along[0]))
        angles = turn + np.radians([0, 45, -45, 90, -90])
        around = np.column_stack([np.cos(angles), np.sin(angles)])
        offers = np.vstack(
            [end + far * around * side for far in (0.021, 0.034) for end, side in zip(ends, (1, -1), strict=True)]
        )
        room_dots = np.linalg.norm(offers[:, None] - taken, axis=2).min(axis=1)
        room_text = np.linalg.norm(offers[:, None] - np.array(places), axis=2).min(axis=1) if places else np.inf
        places.append(offers[np.minimum(np.minimum(room_dots, 0.018), np.minimum(room_text, 0.034) / 2).argmax()])
    return np.array(places)


def _legend(figure: Figure, progress: Progress, belief: Belief | None) -> None:
    film = Line2D([], [], color=INK, marker="o", mfc="white", mec=INK, ms=5, lw=1.3)
    entries: list[tuple[Line2D, str]] = [(film, "film and its devices, numbered as made")]
    if belief is not None:
        entries.append((Line2D([], [], ls="none", **RECOMMENDED), f"recommended: {_subscripted(belief.best)}"))
    best = progress.wafer.best_composition
    entries.append((Line2D([], [], ls="none", **BEST), f"the wafer’s best: {_subscripted(best)}"))
    handles, names = [e[0] for e in entries], [e[1] for e in entries]
    place: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (0.008, 0.932), "ncols": 3, "columnspacing": 2.2}
    figure.legend(handles, names, frameon=False, fontsize=11, markerscale=0.72, **place)


def _subscripted(composition: Array) -> str:
    """A formula in at.% with subscripts: Fe₇₈Ga₁₇Pd₅."""
    down = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
    return "".join(f"{e}{100 * x:.0f}".translate(down) for e, x in zip(ELEMENTS, composition, strict=True))


def _colour_bar(
    figure: Figure, axes: Axes, filled: ScalarMappable, label: str, box: tuple[float, float, float, float]
) -> None:
    """A small horizontal colour bar with round numbers; `box` in shares of the axes."""
    inset = axes.inset_axes(box)
    low, high = filled.get_clim()
    ticks = [t for t in MaxNLocator(4).tick_values(low, high) if low <= t <= high]
    figure.colorbar(filled, cax=inset, orientation="horizontal", ticks=ticks, format="%g", drawedges=False)
    inset.tick_params(labelsize=10, length=2)
    inset.set_title(label, fontsize=10.5, loc="left", pad=4)
    for spine in inset.spines.values():
        spine.set_visible(False)
