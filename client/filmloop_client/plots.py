"""Pictures for a notebook; matplotlib must be installed, the client alone does not need it."""

# ruff: noqa: PLC0415 - matplotlib is imported when a picture is wanted
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from filmloop_client.answers import Composition, Film, Predictions, StopAdvice

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SQRT3_HALF = 0.8660254037844386
_GREY = "0.45"


def progress(advice: StopAdvice, ax: "Axes | None" = None) -> "Axes":
    """Best expected value against films, with two standard deviations: `progress(campaign.stop_advice())`."""
    ax = _axes(ax)
    known = [s for s in advice.history if s.best_mean is not None and s.best_sd is not None]
    films, mean = [s.films for s in known], [s.best_mean or 0.0 for s in known]
    spread = [2.0 * (s.best_sd or 0.0) for s in known]
    ax.plot(films, mean, marker="o", color="C0")
    low = [m - s for m, s in zip(mean, spread, strict=True)]
    high = [m + s for m, s in zip(mean, spread, strict=True)]
    ax.fill_between(films, low, high, color="C0", alpha=0.2, linewidth=0)
    ax.set(xlabel="films", ylabel=f"best expected value ({advice.unit})".replace(" ()", ""), title=advice.advice)
    return ax


def ternary(
    found: Predictions,
    *,
    show: Literal["mean", "latent_sd"] = "mean",
    films: Sequence[Film] = (),
    of_property: str | None = None,
    ax: "Axes | None" = None,
) -> "Axes":
    """A property over three elements: `ternary(campaign.predict(grid=30), films=list(campaign.films()))`.

    Args:
        found: Predictions at compositions of three elements.
        show: The mean, or how unsure it is.
        films: Drawn as lines through their devices.
        of_property: Which one; the first if left out.
        ax: Where to draw; a new figure if left out.

    Raises:
        ValueError: If there are not three elements, or no such property.
    """
    elements = sorted({name for point in found.points for name in point})
    if len(elements) != len("abc"):
        raise ValueError(f"a triangle has three elements, here are {len(elements)}: {', '.join(elements)}")
    chosen = next((p for p in found.properties if of_property in (None, p.property)), None)
    if chosen is None:
        raise ValueError(f"no property {of_property!r}; there are {', '.join(p.property for p in found.properties)}")
    ax = _axes(ax)
    x, y = zip(*(_place(point, elements) for point in found.points), strict=True)
    drawn = ax.tripcolor(list(x), list(y), getattr(chosen, show), shading="gouraud")
    for film in films:
        places = [_place(device.composition, elements) for device in film.devices]
        ax.plot(*map(list, zip(*places, strict=True)), color="white", linewidth=1.5, marker=".", markeredgecolor="k")
    label = {"mean": chosen.property, "latent_sd": f"sd of {chosen.property}"}[show]
    ax.figure.colorbar(drawn, ax=ax, label=f"{label} ({chosen.unit})")
    for name, (px, py) in zip(elements, ((0.0, 0.0), (1.0, 0.0), (0.5, _SQRT3_HALF)), strict=True):
        ax.annotate(name, (px, py), xytext=(0, 6 if py else -12), textcoords="offset points", ha="center")
    ax.set_aspect("equal")
    ax.axis("off")
    return ax


def predicted_and_read(
    predicted: Sequence[float], sd: Sequence[float], read: Sequence[float], *, unit: str = "", ax: "Axes | None" = None
) -> "Axes":
    """What was expected against what was read, with intervals of 95 %; on the line if both agree."""
    ax = _axes(ax)
    ends = (min(*predicted, *read), max(*predicted, *read))
    ax.plot(ends, ends, color=_GREY, linewidth=1)
    ax.errorbar(read, predicted, yerr=[1.96 * s for s in sd], fmt="o", markersize=4, color="C0", ecolor=_GREY)
    tail = f" ({unit})" if unit else ""
    ax.set(xlabel=f"read{tail}", ylabel=f"expected before{tail}")
    return ax


def _place(point: Composition, elements: Sequence[str]) -> tuple[float, float]:
    _, right, top = (point.get(name, 0.0) for name in elements)
    return right + 0.5 * top, _SQRT3_HALF * top


def _axes(ax: "Axes | None") -> "Axes":
    if ax is not None:
        return ax
    try:
        from matplotlib import pyplot as plt
    except ImportError as error:
        raise ImportError("pictures need matplotlib: pip install matplotlib") from error
    return plt.subplots(layout="constrained")[1]
