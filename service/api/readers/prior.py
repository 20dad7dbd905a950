"""Readings from elsewhere as a file: the same forms as a batch of measurements, with compositions in the rows.

In a table the fractions stand in columns `x_Fe`, `x_Co` ..., process variables in `process_...`. The table of
measurements that an export writes can be handed in as it is.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import TypeAdapter, ValidationError

from service.api.media import CSV, JSON, NDJSON, PARQUET
from service.api.readers import delimited, parquet
from service.api.readers.sheet import Form, Row, of_shape
from service.api.readers.sources import lines, parsed_json
from service.api.schemas.prior_data import PriorFileEnvelope, PriorRowCreate
from service.errors import Violation
from service.operations.prior_rows import PriorReading

FRACTION, CONDITION = "x_", "process_"
FORM = Form(
    fields=(*(name for name in PriorRowCreate.model_fields if name not in {"composition", "process"}), "film_id"),
    numbers=frozenset({"value", "std_uncertainty", "replicates", "position"}),
    integers=frozenset({"replicates"}),
    fractions=FRACTION,
    conditions=CONDITION,
    ignored=frozenset(
        {"uid", "instrument", "device", "measured_at", "revision", "raw_value", "raw_unit", "raw_std_uncertainty"}
    ),
)
_ROWS = TypeAdapter(list[PriorRowCreate])


def read(media_type: str, body: bytes) -> tuple[list[PriorReading], dict[int, list[Violation]]]:
    """The rows of good shape, and what is wrong with the others by row number.

    Raises:
        InvalidInput: If the rows cannot be found, or if there are too many.
        MalformedRequest: If the body is not of the media type.
        RequestValidationError: If a JSON body has no rows.
    """
    rows = _READERS[media_type](body)
    refused = {row: _moved(found) for row, found in enumerate(rows) if isinstance(found, list)}
    good = of_shape(_ROWS, rows, refused, "rows")
    return [PriorReading(**{name: getattr(row, name) for name in PriorRowCreate.model_fields}) for row in good], refused


def _moved(found: Sequence[Violation]) -> list[Violation]:
    """Faults that a reader of batches found, where this body has them."""
    return [Violation(v.pointer.replace("/measurements/", "/rows/", 1), v.message, v.row) for v in found]


def _object(body: bytes) -> list[Row]:
    if not body:
        raise RequestValidationError([{"type": "missing", "loc": ("body",), "msg": "Field required", "input": None}])
    parsed = parsed_json(body)
    try:
        rows = PriorFileEnvelope.model_validate(parsed).rows
    except ValidationError as error:
        faults = [{**fault, "loc": ("body", *fault["loc"])} for fault in error.errors(include_url=False)]
        raise RequestValidationError(faults, body=parsed) from error
    return [
        row
        if isinstance(row, dict)
        else [Violation(f"/rows/{k}", "a row is an object with the fields of a reading", k)]
        for k, row in enumerate(rows)
    ]


def _nested(row: Row) -> Row:
    """A row of a table as it would be in JSON."""
    if isinstance(row, list):
        return row
    nested: dict[str, Any] = {"composition": _under(row, FRACTION), "process": _under(row, CONDITION)}
    plain = {name: value for name, value in row.items() if name in FORM.fields}
    if "film_id" in plain:
        plain.setdefault("film", plain.pop("film_id"))
    return plain | nested


def _under(row: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): value for name, value in row.items() if name.startswith(prefix)}


_READERS: dict[str, Callable[[bytes], list[Row]]] = {
    JSON: _object,
    NDJSON: lines,
    CSV: lambda body: [_nested(row) for row in delimited.read(body, FORM)],
    PARQUET: lambda body: [_nested(row) for row in parquet.read(body, FORM)],
}
