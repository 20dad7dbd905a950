"""What every reader makes: rows of named fields; and the check of their shape."""

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from service.api.problems import field_problem
from service.api.schemas.measurements import MeasurementCreate
from service.errors import InvalidInput, Violation

MAX_ROWS = 50_000
"""Most rows of one batch that is not JSON."""
FIELDS = tuple(MeasurementCreate.model_fields)
INTEGERS = frozenset({"device", "replicates"})
NUMBERS = frozenset({"position", "position_mm", "value", "std_uncertainty"}) | INTEGERS

MOST_COLUMNS = 200
"""Of a table whose columns are named by what they are of."""


@dataclass(frozen=True)
class Form:
    """Which columns a table may have."""

    fields: tuple[str, ...]
    numbers: frozenset[str]
    """Of the fields, those that are numbers."""
    integers: frozenset[str]
    """Of the numbers, those that are whole."""
    fractions: str | None = None
    """How columns begin that are named by an element and hold its fraction."""
    conditions: str | None = None
    """How columns begin that are named by a process variable and hold a number or a choice."""
    ignored: frozenset[str] = frozenset()
    """Columns that may be there and are not looked at."""

    def knows(self, name: str) -> bool:
        """Whether there may be such a column."""
        return name in self.fields or name in self.ignored or self.is_fraction(name) or self.is_condition(name)

    def is_fraction(self, name: str) -> bool:
        """Whether a column holds the fraction of an element."""
        return self.fractions is not None and name.startswith(self.fractions)

    def is_condition(self, name: str) -> bool:
        """Whether a column holds a process variable: a number, or text."""
        return self.conditions is not None and name.startswith(self.conditions)

    def is_number(self, name: str) -> bool:
        """Whether a column may hold numbers."""
        return name in self.numbers or self.is_fraction(name) or self.is_condition(name)


MEASUREMENTS = Form(FIELDS, NUMBERS, INTEGERS)

Row = Mapping[str, Any] | list[Violation]
"""Fields by name, or why the row cannot be read."""
Line = TypeVar("Line")
Shape = TypeVar("Shape")
_HEADER = re.compile(r"(value|std_uncertainty)\s*\[(.+)\]")
_ROWS = TypeAdapter(list[MeasurementCreate])


@dataclass(frozen=True)
class Sheet:
    """A batch as it was read."""

    instrument: str
    rows: Sequence[Row]
    said: bytes
    """The same bytes for the same content, so far as the format allows: what makes a repeated request known."""


@dataclass(frozen=True)
class Columns:
    """The columns of a table."""

    fields: tuple[str, ...]
    """Field of each column."""
    unit: str | None
    """Of every row, where the header gives it."""


def columns_of(header: Sequence[str], form: Form = MEASUREMENTS) -> Columns:
    """Understand a header: names of fields, `value [mV]` for a value and its unit.

    Raises:
        InvalidInput: If a name is unknown or there twice, or if the unit is.
    """
    most = MOST_COLUMNS if form.fractions else 2 * len(form.fields)
    if len(header) > most:
        raise InvalidInput(f"the header has {len(header)} columns; there are only {len(form.fields)} fields")
    names = [name.strip() for name in header]
    with_unit = [_HEADER.fullmatch(name) for name in names]
    fields = [found[1] if found else name for name, found in zip(names, with_unit, strict=True)]
    units = {found[2].strip() for found in with_unit if found}
    named = [*form.fields, *(f"{start}…" for start in (form.fractions, form.conditions) if start)]
    wrong = [f"column {name!r} is not one of {', '.join(named)}" for name in fields if not form.knows(name)]
    wrong += [f"column {name!r} is there twice" for name in sorted({n for n in fields if fields.count(n) > 1})]
    if len(units) > 1:
        wrong.append(f"value and std_uncertainty have one unit, the header gives {' and '.join(sorted(units))}")
    if units and "unit" in fields:
        wrong.append("the unit is in the header and in a column of its own; give it once")
    if wrong:
        raise InvalidInput(f"the header cannot be understood: {'; '.join(wrong)}"[:2000])
    return Columns(tuple(fields), next(iter(units), None))


def counted(rows: Iterable[Line]) -> list[Line]:
    """The rows as a list, without ever holding many more than a batch may have.

    Raises:
        InvalidInput: Naming the bound.
    """
    found = list(itertools.islice(rows, MAX_ROWS + 1))
    if len(found) > MAX_ROWS:
        raise InvalidInput(f"a batch has 1 to {MAX_ROWS} rows, this one more")
    check_count(len(found))
    return found


def check_count(rows: int) -> None:
    """Refuse more rows, or fewer, than a batch may have.

    Raises:
        InvalidInput: Naming the number and the bound.
    """
    if not 1 <= rows <= MAX_ROWS:
        raise InvalidInput(f"a batch has 1 to {MAX_ROWS} rows, this one {rows}")


def unreadable(row: int, message: str) -> list[Violation]:
    """A row of which not even the fields could be told."""
    return [Violation(pointer=f"/measurements/{row}", message=message, row=row)]


def shaped(rows: Sequence[Row]) -> tuple[list[MeasurementCreate], dict[int, list[Violation]]]:
    """The rows of good shape as readings, and what is wrong with the others, by row number."""
    refused = {row: found for row, found in enumerate(rows) if isinstance(found, list)}
    return of_shape(_ROWS, rows, refused, "measurements"), refused


def of_shape(
    shape: TypeAdapter[list[Shape]], rows: Sequence[Row], refused: dict[int, list[Violation]], held: str
) -> list[Shape]:
    """The rows of good shape; what is wrong with others is added to `refused`.

    Args:
        shape: Of all rows.
        rows: As they were read.
        refused: Rows that could not be read, by number.
        held: Name of the field that holds the rows, for the pointers.
    """
    good = _parsed(shape, rows, refused, held)
    if good is None:  # the faults are known now, so the others are without
        good = _parsed(shape, rows, refused, held) or []
    return good


def _parsed(
    shape: TypeAdapter[list[Shape]], rows: Sequence[Row], refused: dict[int, list[Violation]], held: str
) -> list[Shape] | None:
    """Every row that is not refused; none if some are to be, which are added to `refused`."""
    numbers = [row for row in range(len(rows)) if row not in refused]
    try:
        return shape.validate_python([rows[row] for row in numbers])
    except ValidationError as error:
        body = {held: rows}
        for fault in error.errors(include_url=False):
            at, *inside = fault["loc"]
            row = numbers[int(at)]
            problem = field_problem({**fault, "loc": ("body", held, row, *inside)}, body)
            refused.setdefault(row, []).append(Violation(problem.pointer or "", problem.message, row))
        return None


def given(fields: Iterable[tuple[str, Any]], unit: str | None) -> dict[str, Any]:
    """A row without the fields that it leaves empty, with the unit that its header gives."""
    row = {name: value for name, value in fields if value is not None}
    return row if unit is None else row | {"unit": unit}
