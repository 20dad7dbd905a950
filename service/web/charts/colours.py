"""Colours that stand for values: even to the eye, readable without colour vision, and in grey.

The maps are viridis (Smith, van der Walt and Firing; CC0) and cividis (Nunez, Anderton and Renslow 2018,
doi 10.1371/journal.pone.0199239), each by 32 of its colours.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from service.web.charts.scales import Scale, fitted, multiples, round_step

_VIRIDIS = (
    "440154 470d60 48186a 482374 472e7c 453882 424186 3e4a89 3a548c 365d8d 32658e 2e6d8e 2b758e 287d8e 25848e 228c8d "
    "1f948c 1e9c89 20a386 25ab82 2eb37c 3aba76 48c16e 58c765 6ccd5a 7fd34e 93d741 a8db34 c0df25 d5e21a eae51a fde725"
)
_CIVIDIS = (
    "00224e 00285b 002e6a 053371 1c396f 293f6e 33446d 3c4a6c 45506c 4d556c 555b6d 5c616e 646770 6b6d72 727274 787877 "
    "807f78 888578 908b78 979177 a09875 a89e73 b0a571 b9ab6d c2b369 cbb965 d3c05f dcc859 e6d051 efd748 f8df3c fee838"
)
Colour = tuple[float, float, float]
"""Red, green and blue, 0 to 255."""


def _parsed(listed: str) -> tuple[Colour, ...]:
    return tuple((int(c[:2], 16), int(c[2:4], 16), int(c[4:], 16)) for c in listed.split())


MAPS = {"viridis": _parsed(_VIRIDIS), "cividis": _parsed(_CIVIDIS)}


def colour(share: float, name: str = "viridis") -> str:
    """The colour at a share of a map, 0 its dark end, 1 its light one; beyond them that end's."""
    stops = MAPS[name]
    at = min(max(share, 0.0), 1.0) * (len(stops) - 1)
    k = min(int(at), len(stops) - 2)
    mixed = (round(a + (at - k) * (b - a)) for a, b in zip(stops[k], stops[k + 1], strict=True))
    return "#" + "".join(f"{part:02x}" for part in mixed)


@dataclass(frozen=True)
class Bands:
    """Values cut into bands between round levels, a colour for each."""

    levels: tuple[float, ...]
    """Borders, the lowest and the highest of all included: one more than there are bands."""
    scale: Scale
    """With the ticks of the legend."""
    map: str

    @classmethod
    def over(cls, values: Sequence[float], *, map_name: str = "viridis", count: int = 12) -> "Bands":
        """Bands that hold all values, between round levels, about `count` of them."""
        around = fitted(values, count, padding=0.0)
        step = round_step((around.upper - around.lower) / count)
        inside = multiples(around.lower, around.upper, step)
        low = inside[0] if inside and abs(inside[0] - around.lower) < 1e-9 * step else _below(around.lower, step)
        high = (
            inside[-1] if inside and abs(inside[-1] - around.upper) < 1e-9 * step else _below(around.upper, step) + step
        )
        levels = multiples(low, high, step)
        ends = Scale(low, high, (), step)
        wide = round_step((high - low) / 5)
        exponent = fitted([low, high], padding=0.0).exponent
        return cls(levels, Scale(ends.lower, ends.upper, multiples(low, high, wide), wide, exponent), map_name)

    def fill(self, band: int) -> str:
        """Colour of a band."""
        return colour(band / max(len(self.levels) - 2, 1), self.map)

    def of(self, value: float) -> str:
        """Colour of the band that a value lies in."""
        return self.fill(min(max(bisect_right(self.levels, value) - 1, 0), len(self.levels) - 2))


def _below(value: float, step: float) -> float:
    """The multiple of `step` at or below a value."""
    return multiples(value - step, value, step)[-1]
