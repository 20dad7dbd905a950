"""Tables as text. A header names the fields, a comma, semicolon or tab separates them (RFC 4180).

With commas between fields a number has a decimal point. With semicolons or tabs it may have a decimal comma instead, as
spreadsheets of half the world write it, but in one file all numbers have the same mark: where 1,5 is one and a half,
1.500 may be meant as one thousand five hundred.
"""

import csv
import io
import re
from collections.abc import Sequence

from service.api.readers.sheet import MEASUREMENTS, Columns, Form, Row, columns_of, counted, given, unreadable
from service.errors import InvalidInput, MalformedRequest

_NUMBER = re.compile(r"[+-]?(?:\d+(?P<mark>[.,])?\d*|(?P<first>[.,])\d+)(?:[eE][+-]?\d{1,4})?", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d{1,18}", re.ASCII)


def read(body: bytes, form: Form = MEASUREMENTS) -> list[Row]:
    """The rows under the header; wholly empty lines do not count.

    Raises:
        InvalidInput: If the header cannot be understood, or if there are too many rows.
        MalformedRequest: If it is no text.
    """
    text = _text(body)
    separator = _separator(text)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        header = next(lines, [])
        rows = counted(line for line in lines if any(cell.strip() for cell in line))
    except csv.Error as error:
        raise MalformedRequest(f"line {lines.line_num} of the table cannot be read: {error}") from error
    columns = columns_of(header, form)
    numbers = _Numbers(form, decimal_comma=separator != ",")
    return [_row(k, line, columns, numbers) for k, line in enumerate(rows)]


def _text(body: bytes) -> str:
    if body[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        raise MalformedRequest("the table is UTF-16; write it as UTF-8")
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MalformedRequest(f"the table is not UTF-8: byte {error.start} is {body[error.start]:#04x}") from error
    if "\x00" in text:
        raise MalformedRequest("the table holds the character NUL")
    return text


def _separator(text: str) -> str:
    """What separates the fields of the header; names of fields hold none of the three."""
    header = text.lstrip().split("\n", 1)[0]
    found = [mark for mark in ";\t," if mark in header]
    if len(found) > 1:
        named = ", ".join(map(repr, found))
        raise InvalidInput(f"the header has more than one separator ({named}); use one of comma, semicolon, tab")
    return found[0] if found else ","


class _Numbers:
    """Reads the numbers of one table, which all have the same decimal mark."""

    def __init__(self, form: Form, *, decimal_comma: bool) -> None:
        self.form = form
        self._decimal_comma = decimal_comma
        self._mark: tuple[str, int] | None = None
        """The first decimal mark and its row."""

    def parsed(self, row: int, field: str, cell: str) -> float | int | str:
        """A number; as text, for the check of its shape to refuse, if it is none.

        Raises:
            ValueError: If its decimal mark is not that of the table.
        """
        if field in self.form.integers:
            return int(cell) if _WHOLE.fullmatch(cell) else cell
        found = _NUMBER.fullmatch(cell)
        if found is None:
            return cell
        mark = found["mark"] or found["first"]
        if mark == "," and not self._decimal_comma:
            raise ValueError(f"{cell!r} has a decimal comma; then fields must be separated by semicolons")
        if mark is not None:
            first, there = self._mark = self._mark or (mark, row)
            if first != mark:
                raise ValueError(f"{cell!r} has the decimal mark {mark!r}, row {there} has {first!r}: use one of them")
        return float(cell.replace(",", "."))


def _row(row: int, cells: Sequence[str], columns: Columns, numbers: _Numbers) -> Row:
    if len(cells) != len(columns.fields):
        return unreadable(row, f"the row has {len(cells)} fields, the header {len(columns.fields)}")
    stripped = [cell.strip() for cell in cells]
    try:
        fields = [
            (name, numbers.parsed(row, name, cell) if numbers.form.is_number(name) and cell else cell or None)
            for name, cell in zip(columns.fields, stripped, strict=True)
        ]
    except ValueError as error:
        return unreadable(row, str(error))
    return given(fields, columns.unit)
