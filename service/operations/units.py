"""Units at the edge: what a unit means, and how a reading in one unit is said in another of the same dimension.

A unit is a product of named units with small exponents: `emu/cm3`, `uohm cm`, `J/(kg K)`, `cm^-1`, `1/s`, `%`, `°C`.
Only such text reaches pint, so nothing that a caller wrote is computed. Text in square brackets, `[HV10]`, and a few
words for scales of one's own, `a.u.`, are opaque: what is measured in them is stored in that very unit or not at all.
"""

import functools
import re
import sys
import threading
import unicodedata
from collections import deque
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from models.problem import Problem
from service.errors import InvalidInput, Violation

if TYPE_CHECKING:
    from pint import Unit, UnitRegistry

MAX_LENGTH = 64
"""Characters of a unit that are looked at."""
MAX_UNITS = 100
"""Different units of one property among readings that come together: each has to be understood."""

_ARBITRARY = {"a.u.", "a.u", "au", "arb", "arb.", "arb.u.", "arb.unit", "arb.units", "arbitraryunits"}
_SCALES = {"ph", "hv", "hrc", "at%", "at.%", "mol%", "mol.%", "wt%", "wt.%", "vol%", "vol.%"}
_OWN_SCALES = frozenset(_ARBITRARY | _SCALES)
"""Without blanks, in lower case. Some would be read as something else: `a.u.` as years times atomic mass units, `pH` as
picohenries, `at.%` as a hundredth of an atmosphere."""
_LOGARITHMIC = re.compile(r"dB|decibel|decade|octave|neper|Np\b")
"""A difference of these is a ratio, and so would be the uncertainty: taken as they are, never converted."""
_SPELLING = str.maketrans({"−": "-", "·": "*", "⋅": "*", "×": "*", "∙": "*"})
_NAMES = {"%": "percent", "‰": "permille", "°": "degree", "°C": "degC", "°F": "degF"}
_TOKEN = re.compile(
    r"\s*(?:(?P<name>°[CF]?|%|‰|[^\W\d]+)"
    r"(?:\s*(?:\^|\*\*)\s*(?P<raised>[+-]?\d|\([+-]?\d\))|(?P<exponent>-?\d))?"
    r"|(?P<one>1(?=\s*/|$))|(?P<times>[*.])|(?P<per>/)|(?P<open>\()|(?P<close>\)))"
)
_DEFINITIONS = (
    # Of their own dimension: counts are no percentages, and a revolution per second is no hertz.
    "count = [count]",
    "radian = [angle] = rad",
    # Gaussian units of magnetism as their SI equivalents, which is how they are quoted.
    "emu = 1e-3 * ampere * meter ** 2",
    "gauss = 1e-4 * tesla = G",
    "oersted = 250 / pi * ampere / meter = Oe",
    # Spellings of instruments.
    "@alias ohm = Ohm",
    "@alias torr = Torr",
    "sccm = [gas_flow]",
    "slm = 1000 * sccm",
    "sq = []",  # a square of film: its resistance is that of any other square
)
_HINT = "a scale of its own is written in square brackets, e.g. '[HV10]'"
_EXACT = 2**53
"""Whole numbers up to this are exact as doubles."""
GRAMMAR = """\
unit     = product / "1" [ "/" factor *( "/" factor ) ] / opaque
product  = factor *( [ "*" / "." ] factor ) *( "/" factor )
factor   = name [ power ] / "(" product ")"
power    = digit / "-" digit / ( "^" / "**" ) ( integer / "(" integer ")" )
integer  = [ "+" / "-" ] digit
opaque   = "[" text "]" / a scale of its own
"""
"""What `_expression` reads, in the notation of RFC 5234; blanks may stand between the parts."""
EXAMPLES = ("emu/cm3", "A m^-1", "uohm cm", "J/(kg K)", "1/s", "degC", "°F", "%", "a.u.", "[HV10]")
_using = threading.RLock()


@dataclass(frozen=True)
class Conversion:
    """From one unit to another, y = factor x + offset, in exact fractions that are rounded once."""

    factor: Fraction = Fraction(1)
    offset: Fraction = Fraction(0)

    def value(self, reading: float) -> float:
        """A reading in the other unit; infinite if it is beyond every double."""
        return self._scaled(reading, self.factor, self.offset)

    def uncertainty(self, standard: float) -> float:
        """A standard uncertainty in the other unit. It is a difference, so no offset counts: 1 degC of it is 1 K."""
        return self._scaled(standard, abs(self.factor), Fraction(0))

    @staticmethod
    def _scaled(number: float, factor: Fraction, offset: Fraction) -> float:
        if not offset and factor.denominator == 1 and factor.numerator <= _EXACT:
            return number * factor.numerator  # one operation on exact numbers rounds once, too, and a hundred times
        if not offset and factor.numerator == 1 and factor.denominator <= _EXACT:
            return number / factor.denominator  # as fast
        try:
            return float(Fraction(number) * factor + offset)
        except OverflowError:
            return float("inf")


def own_scales() -> tuple[str, ...]:
    """Words that are opaque without brackets, in lower case; blanks in them do not count."""
    return tuple(sorted(_OWN_SCALES))


SAME = Conversion()
"""Of readings that come in the very unit that is wanted."""


class Conversions(dict[tuple[str, str], Conversion | str]):
    """How readings that come together get into a campaign's units, by property and unit; a text says why one cannot.

    A unit is understood once, not once a row.
    """

    def __init__(self, problem: Problem) -> None:
        """Nothing is understood yet."""
        super().__init__()
        self.wanted = {p.property: p.unit for p in problem.properties}
        """The campaign's unit of each property."""

    def __missing__(self, words: tuple[str, str]) -> Conversion | str:
        found = self[words] = self._understood(*words)
        return found

    def _understood(self, name: str, unit: str) -> Conversion | str:
        if name not in self.wanted:
            return f"property {name!r} is not one of the campaign's: {', '.join(map(repr, self.wanted))}"
        if len(self) >= MAX_UNITS * len(self.wanted):
            return f"there are at most {MAX_UNITS} different units of a property; {unit!r} is one more"
        try:
            return conversion(unit, self.wanted[name])
        except InvalidInput as error:
            return f"{error}, the campaign's unit of {name!r}"


def check(unit: str) -> None:
    """Make sure that the unit of a campaign's property means something.

    Raises:
        InvalidInput: If it is neither a known unit nor says itself that it is opaque.
    """
    if not _is_opaque(unit):
        _parsed(unit)


def check_problem(problem: Problem) -> None:
    """Make sure that every property of a campaign is sought in a unit that means something.

    Raises:
        InvalidInput: Naming each that does not.
    """
    found = []
    sought = {f"/problem/objectives/{k}/unit": p.unit for k, p in enumerate(problem.objectives)}
    sought |= {f"/problem/outcomes/{k}/unit": p.unit for k, p in enumerate(problem.outcomes)}
    for pointer, unit in sought.items():
        try:
            check(unit)
        except InvalidInput as error:
            found.append(Violation(pointer, str(error)))
    if found:
        raise InvalidInput(f"{len(found)} unit(s) mean nothing; nothing was stored", found)


def conversion(unit: str, wanted: str) -> Conversion:
    """How readings in `unit` become readings in `wanted`.

    Raises:
        InvalidInput: If they are not of one dimension, or if one of them means nothing or is opaque.
    """
    if unit == wanted:  # said in the same words: nothing to understand, so every unit of an old campaign stays good
        return SAME
    for one in (wanted, unit):
        if _is_opaque(one):
            raise InvalidInput(f"unit {unit!r} cannot become {wanted!r}: {one!r} is a scale of its own")
    return _conversion(unit, wanted)


@functools.lru_cache(maxsize=1024)
def _conversion(unit: str, wanted: str) -> Conversion:
    given, to = _parsed(unit), _parsed(wanted)
    with _using:
        if given.dimensionality != to.dimensionality:
            raise InvalidInput(f"unit {unit!r} is not of the dimension of {wanted!r}")
        try:
            ends = [_registry().Quantity(Fraction(x), given).to(to).magnitude for x in (0, 1)]
        except ValueError as error:  # Python writes no number of more than 4,300 digits
            raise InvalidInput(f"unit {unit!r} and {wanted!r} are too far apart") from error
    zero, one = (Fraction(end) for end in ends)
    return Conversion(one - zero, zero)


def _is_opaque(unit: str) -> bool:
    in_brackets = len(unit) > 2 and unit.startswith("[") and unit.endswith("]")
    return in_brackets or "".join(unit.lower().split()) in _OWN_SCALES or _LOGARITHMIC.search(unit) is not None


@functools.lru_cache(maxsize=1024)
def _parsed(unit: str) -> "Unit":
    """The meaning of a unit.

    Raises:
        InvalidInput: If it has none.
    """
    if len(unit) > MAX_LENGTH:
        raise InvalidInput(f"a unit has at most {MAX_LENGTH} characters, got {len(unit)}")
    expression = _expression(unit)
    with _using:
        registry = _registry()
        try:
            return registry.parse_units(expression)
        except AttributeError as error:  # as pint's UndefinedUnitError is
            raise InvalidInput(f"unit {unit!r} is not known; {_HINT}") from error


def _expression(unit: str) -> str:
    """A unit in pint's words; whatever is not a product of powers of names is refused."""
    text, tokens, at = unicodedata.normalize("NFKC", unit).translate(_SPELLING).strip(), deque[re.Match[str]](), 0
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None:
            raise _unreadable(unit, text[at:])
        tokens.append(token)
        at = token.end()
    if tokens and tokens[0]["one"]:
        tokens.popleft()
        written = "1" + (_product(tokens, unit, divided=True) if tokens else "")
    else:
        written = _product(tokens, unit)
    if tokens:
        raise _unreadable(unit, tokens[0][0])
    return written


def _product(tokens: deque[re.Match[str]], unit: str, *, divided: bool = False) -> str:
    """Factors up to the end or a closing parenthesis; `divided` if a number before them is to be divided."""
    written = "" if divided else _factor(tokens, unit)
    while tokens and not tokens[0]["close"]:
        if tokens[0]["per"]:
            divided = True
            tokens.popleft()
            written += "/" + _factor(tokens, unit)
        elif divided:
            raise InvalidInput(f"unit {unit!r} has a product after '/': write J/(kg K) or J kg^-1 K^-1")
        else:
            if tokens[0]["times"]:
                tokens.popleft()
            written += "*" + _factor(tokens, unit)
    return written


def _factor(tokens: deque[re.Match[str]], unit: str) -> str:
    token = tokens.popleft() if tokens else None
    if token is not None and token["name"]:
        power = token["raised"] or token["exponent"]
        name = _NAMES.get(token["name"], token["name"])
        return f"{name}**({power.strip('()')})" if power else name
    if token is not None and token["open"]:
        inner = _product(tokens, unit)
        if tokens and tokens.popleft()["close"]:
            return f"({inner})"
    raise _unreadable(unit, "" if token is None else token[0])


def _unreadable(unit: str, rest: str) -> InvalidInput:
    return InvalidInput(f"unit {unit!r} cannot be read at {rest.strip()[:10] or 'its end'!r}; {_HINT}")


@functools.cache
def _registry() -> "UnitRegistry[Fraction]":
    """Pint's units in exact fractions. One per process, made when it is first needed: it takes a second."""
    from pint import UnitRegistry  # noqa: PLC0415 - the API starts without it

    registry: UnitRegistry[Fraction] = UnitRegistry(None, non_int_type=Fraction, on_redefinition="ignore")
    registry.load_definitions(Path(sys.modules["pint"].__file__ or "").parent / "default_en.txt")
    for definition in _DEFINITIONS:
        registry.define(definition)
    return registry
