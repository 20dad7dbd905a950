"""One colour per element, mixed as the elements are: the same composition looks the same on every page."""

from collections.abc import Mapping, Sequence

PALETTE = (
    *("#2f5d9e", "#e0892b", "#2b9b84", "#b5406b", "#8c9a2f", "#6b55a8", "#3fa7c9", "#c9583a", "#5f7f5b", "#a87c3f"),
    *("#7a6f9b", "#4d8076", "#d06fa0", "#94713d", "#5a86d6", "#a3b34a", "#8a4f4f", "#46a36b", "#c7a13a", "#6a6a6a"),
)
"""Of a campaign's elements in its own order; the first ones can be told apart by eyes of every kind."""


def element_colours(elements: Sequence[str]) -> dict[str, str]:
    """Colour of each element of a campaign."""
    return {element: PALETTE[k % len(PALETTE)] for k, element in enumerate(elements)}


def mixed(composition: Mapping[str, float], elements: Sequence[str]) -> str:
    """Colour of a composition: the elements' colours, mixed as light by atomic fraction.

    Args:
        composition: Atomic fraction by element; elements left out are absent.
        elements: Of the campaign, in its order.
    """
    colours = element_colours(elements)
    total = sum(composition.values()) or 1.0
    channels = [
        sum(_linear(colours[e])[k] * share / total for e, share in composition.items() if e in colours)
        for k in range(3)
    ]
    return "#" + "".join(f"{_encoded(channel):02x}" for channel in channels)


def _linear(colour: str) -> tuple[float, float, float]:
    """Linear light of an sRGB colour (IEC 61966-2-1)."""
    red, green, blue = (int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5))
    return _light(red), _light(green), _light(blue)


def _light(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)


def _encoded(light: float) -> int:
    value = 12.92 * light if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055
    return round(255 * min(max(value, 0.0), 1.0))
