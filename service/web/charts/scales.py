"""Scales: where a value lies on the paper, which values are written beside an axis, and how."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
"""Mantissas of the distance between two ticks."""
MINUS = "\u2212"
_RAISED = str.maketrans("-0123456789", "\u207b\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079")


@dataclass(frozen=True)
class Scale:
    """Values from `lower` to `upper` along an axis, with the ticks between them."""

    lower: float
    upper: float
    ticks: tuple[float, ...]
    step: float
    exponent: int = 0
    """Power of ten that is written once in the axis' name and left out of its numbers; a multiple of three."""

    def share(self, value: float) -> float:
        """How far along the axis a value lies: 0 at the lower end, 1 at the upper one."""
        return (value - self.lower) / (self.upper - self.lower)

    def label(self, value: float) -> str:
        """A tick's number."""
        factor = 10.0**-self.exponent
        return written(value * factor, self.step * factor)

    def unit(self, unit: str) -> str:
        """The unit with the power of ten that the numbers leave out."""
        if self.exponent == 0:
            return unit
        power = f"10{str(self.exponent).translate(_RAISED)}"
        return f"{power} {unit}" if unit else power


def fitted(values: Iterable[float], count: int = 5, *, padding: float = 0.04, around: float | None = None) -> Scale:
    """A scale that holds all values, a little wider than they are, with about `count` round ticks.

    Args:
        values: Those that are not finite are left out.
        count: Ticks that are wished for.
        padding: Share of the span by which it is wider at either end.
        around: If given, the scale reaches as far below this value as above it.
    """
    finite = [v for v in values if math.isfinite(v)]
    low, high = (min(finite), max(finite)) if finite else (0.0, 1.0)
    if around is not None:
        reach = max(abs(high - around), abs(low - around))
        low, high = around - reach, around + reach
    if high - low <= 1e-12 * max(abs(low), abs(high)):
        room = 0.5 * abs(low) or 0.5
        low, high = low - room, high + room
    wider = padding * (high - low)
    return between(low - wider, high + wider, count)


def between(lower: float, upper: float, count: int = 5) -> Scale:
    """The scale from `lower` to `upper` with about `count` round ticks inside it."""
    step = round_step((upper - lower) / max(count, 1))
    ticks = multiples(lower, upper, step)
    return Scale(lower, upper, ticks, step, _exponent(max(abs(lower), abs(upper))))


def whole(upper: int, count: int = 6) -> Scale:
    """Counts from 0 to `upper`; ticks are whole numbers."""
    wish = max(upper, 1) / count
    step = max(1.0, round_step(wish))
    if step % 1.0:
        step = 2.0  # half a film is none
    high = max(float(upper), 1.0)
    return Scale(0.0, high, multiples(0.0, high, step), step)


def multiples(lower: float, upper: float, step: float) -> tuple[float, ...]:
    """Every multiple of `step` from `lower` to `upper`, both included but for rounding."""
    first, last = math.ceil(lower / step - 1e-9), math.floor(upper / step + 1e-9)
    return tuple(k * step for k in range(first, last + 1))


def round_step(wish: float) -> float:
    """The round number next to `wish`, by ratio."""
    power = 10.0 ** math.floor(math.log10(wish))
    return min((s * power for s in STEPS), key=lambda s: abs(math.log(s / wish)))


def written(value: float, step: float) -> str:
    """A number with the decimals that `step` needs, and a minus sign that is as wide as a plus."""
    decimals = max(0, -math.floor(math.log10(abs(step)) + 1e-9)) if step else 0
    if decimals < 6 and abs(step * 10**decimals - round(step * 10**decimals)) > 1e-6:
        decimals += 1
    text = f"{value:.{decimals}f}"
    return text.replace("-", MINUS) if float(text) else text.lstrip("-")


def significant(value: float, digits: int = 3) -> str:
    """A number for a sentence or a table, with so many digits that mean something."""
    if not math.isfinite(value):
        return "\u2013"
    if value == 0.0:
        return "0"
    size = math.floor(math.log10(abs(value)))
    if not -4 <= size <= 5:
        mantissa = value / 10.0**size
        return f"{written(mantissa, 10.0 ** (1 - digits))}\u00d710{str(size).translate(_RAISED)}"
    return written(value, 10.0 ** min(0, size - digits + 1))


def with_uncertainty(value: float, sd: float | None) -> str:
    """A value and its standard deviation, both to the second digit of the latter: `10.92 ± 0.12`."""
    if sd is None or not math.isfinite(sd) or sd <= 0.0:
        return significant(value, 4)
    step = 10.0 ** (math.floor(math.log10(sd)) - 1)
    if not 1e-5 < step < 1e4:
        return f"{significant(value, 4)} \u00b1 {significant(sd, 2)}"
    return f"{written(value, min(step, 1.0))} \u00b1 {written(sd, min(step, 1.0))}"


def _exponent(size: float) -> int:
    """Thousands or thousandths that are better written once."""
    if size == 0.0 or 1e-2 <= size < 1e5:
        return 0
    return 3 * math.floor(math.log10(size) / 3.0)
