"""How numbers, times and compositions are set on a page."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup, escape

from service.web.colours import element_colours

MINUS = "\u2212"
DASH = "\u2013"
SHOWN = 0.0005
"""Atomic fractions below this are not shown in a formula."""


def number(value: float | None, digits: int = 4) -> str:
    """A number with so many significant digits; a dash for none."""
    if value is None or not math.isfinite(value):
        return DASH
    if value and not 1e-4 <= abs(value) < 1e6:
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        return f"{mantissa}e{int(exponent)}".replace("-", MINUS)
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value)))) if value else 0
    return f"{value:.{decimals}f}".replace("-", MINUS)


def plus_minus(mean: float | None, sd: float | None) -> str:
    """A value with its standard deviation, both to the second digit of the latter."""
    if mean is None:
        return DASH
    if sd is None or not sd > 0.0 or not math.isfinite(sd):
        return number(mean)
    decimals = max(0, 1 - math.floor(math.log10(sd)))
    return f"{mean:.{decimals}f} ± {sd:.{decimals}f}".replace("-", MINUS)


def target(objective: Mapping[str, Any]) -> str:
    """What an objective as JSON is to match, with its tolerance: `2 ± 0.5 ppm/K`; empty where it names no target.

    All digits are shown that were given: it is a wish and no measurement.
    """
    if objective.get("target") is None:
        return ""
    tolerance = objective.get("tolerance") or 0.0
    said = f"{objective['target']:.12g}" + (f" ± {tolerance:.12g}" if tolerance else "")
    return f"{said.replace('-', MINUS)} {objective['unit']}"


def count(value: int | None) -> str:
    """A whole number with thin spaces between thousands."""
    return DASH if value is None else f"{value:,}".replace(",", "\u202f").replace("-", MINUS)


def formula(composition: Mapping[str, float], digits: int = 0) -> Markup:
    """A composition as a formula with atomic percent as indices, its elements in the order given."""
    parts = [
        Markup("{}<sub>{}</sub>").format(element, f"{100 * share:.{digits}f}")
        for element, share in composition.items()
        if share >= SHOWN
    ]
    return Markup('<span class="formula">{}</span>').format(Markup("").join(parts))


def instant(when: datetime | str | None, kind: str = "full") -> Markup:
    """A time, which the browser shows in its own zone.

    Args:
        when: A time, or RFC 3339 text.
        kind: `full`, `time` or `age` (how long ago, kept current).
    """
    if when is None:
        return escape(DASH)
    at = datetime.fromisoformat(when) if isinstance(when, str) else when
    stamp = at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    shown = f"{stamp[:10]} {stamp[11:16]}\u202fUTC"
    return Markup('<time datetime="{}" data-time="{}">{}</time>').format(stamp, kind, shown)


def bands(film: Mapping[str, object], elements: Sequence[str]) -> list[tuple[str, str, str]]:
    """A film as bands of its elements, as high as each one's share, from end A to end B; 100 wide and high.

    Args:
        film: As a proposal has it, with ends `a` and `b`.
        elements: Of the campaign.

    Returns:
        Element, colour and corners of the band of each element that the film has.
    """
    a, b = (_fractions(film[end]) for end in ("a", "b"))
    colours = element_colours(elements)
    found, top_a, top_b = [], 0.0, 0.0
    for element in elements:
        down_a, down_b = top_a + 100 * a.get(element, 0.0), top_b + 100 * b.get(element, 0.0)
        if max(down_a - top_a, down_b - top_b) > SHOWN:
            corners = f"0,{top_a:.2f} 100,{top_b:.2f} 100,{down_b:.2f} 0,{down_a:.2f}"
            found.append((element, colours[element], corners))
        top_a, top_b = down_a, down_b
    return found


def trade(film: Mapping[str, object]) -> Markup:
    """A film as from one end to the other."""
    a, b = (_fractions(film[end]) for end in ("a", "b"))
    return Markup('{}<span class="arrow" aria-hidden="true"> → </span>{}').format(formula(a), formula(b))


def pointer(token: str) -> str:
    """One reference token of a JSON Pointer (RFC 6901)."""
    return token.replace("~", "~0").replace("/", "~1")


def percent(share: float | None, digits: int = 0) -> str:
    """A share as a percentage; a dash for none."""
    return DASH if share is None else f"{100 * share:.{digits}f}\u202f%"


def short_id(name: str | None) -> Markup:
    """An id by its last letters, whole in the tooltip."""
    return escape(DASH) if name is None else Markup('<code class="id" title="{}">{}</code>').format(name, name[-6:])


def _fractions(end: object) -> Mapping[str, float]:
    if not isinstance(end, Mapping):
        raise TypeError(f"an end of a film is a composition, not {escape(type(end).__name__)}")
    return end
