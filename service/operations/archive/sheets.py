"""Tables as CSV and Parquet, written row by row, each column with its unit and meaning."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import IO, Any, Literal

Kind = Literal["text", "number", "integer", "time"]
Row = Sequence[Any]

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""Beginnings of a cell that spreadsheets take for a formula. Source: OWASP, CSV injection."""
_AT_ONCE = 10_000


@dataclass(frozen=True)
class Column:
    """One column of a table."""

    name: str
    kind: Kind
    meaning: str
    unit: str = ""
    """Empty if it has none; `see column unit` where each row has its own."""


@dataclass(frozen=True)
class Sheet:
    """A table: its columns, and rows that are read while they are written."""

    name: str
    title: str
    columns: Sequence[Column]
    rows: Iterable[Row]


def guarded(cell: str) -> str:
    """Text that no spreadsheet runs: what looks like a formula gets an apostrophe before it."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def write_csv(sheet: Sheet, file: IO[bytes]) -> None:
    """Write a table as CSV (RFC 4180, UTF-8): text guarded against formulas, numbers to the last digit, UTC."""
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text)
    writer.writerow([guarded(column.name) for column in sheet.columns])
    for row in sheet.rows:
        writer.writerow([_cell(value) for value in row])
    text.flush()
    text.detach()


def write_parquet(sheet: Sheet, file: IO[bytes]) -> None:
    """Write a table as Parquet; units and meanings are in the metadata of each column."""
    import pyarrow as pa  # noqa: PLC0415  (only exports pay for its start)
    import pyarrow.parquet as pq  # noqa: PLC0415

    types = {"text": pa.string(), "number": pa.float64(), "integer": pa.int64(), "time": pa.timestamp("us", tz="UTC")}
    schema = pa.schema(
        [pa.field(c.name, types[c.kind], metadata={"unit": c.unit, "meaning": c.meaning}) for c in sheet.columns]
    )
    rows = iter(sheet.rows)
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        while chunk := list(islice(rows, _AT_ONCE)):
            arrays = [
                pa.array(values, field.type) for values, field in zip(zip(*chunk, strict=True), schema, strict=True)
            ]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return guarded(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return repr(value)
