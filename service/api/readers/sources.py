"""Each media type and its reader."""

import io
import json
from collections.abc import Callable

import orjson
from fastapi.exceptions import RequestValidationError
from pydantic import TypeAdapter, ValidationError

from service.api.limits import NOTHING
from service.api.media import CSV, JSON, NDJSON, PARQUET
from service.api.readers import delimited, parquet
from service.api.readers.sheet import Row, Sheet, counted, unreadable
from service.api.schemas.fields import Label
from service.api.schemas.measurements import MeasurementBatchEnvelope
from service.errors import InvalidInput, MalformedRequest

_LABEL = TypeAdapter(Label)


def read(media_type: str, body: bytes, instrument: str | None, parsed: object = NOTHING) -> Sheet:
    """Find the rows of a batch.

    Args:
        media_type: JSON, or one of `BATCH_TYPES`.
        body: Unpacked.
        instrument: Its name, where the body has no place for it.
        parsed: What a JSON body says, if it was parsed before.

    Raises:
        InvalidInput: If the rows cannot be found, or if there are too many.
        MalformedRequest: If the body is not of the media type.
        RequestValidationError: If a JSON body is not a batch.
    """
    if media_type == JSON:
        if instrument is not None:
            raise InvalidInput("a JSON body names the instrument itself; leave the parameter 'instrument' out")
        return _batch(body, parsed)
    if instrument is None:
        raise InvalidInput(f"the parameter 'instrument' is missing: {media_type} has no place for its name")
    return Sheet(instrument, _READERS[media_type](body), body)


def _batch(body: bytes, parsed: object) -> Sheet:
    """A JSON object with the instrument and its measurements."""
    if not body:
        raise RequestValidationError([{"type": "missing", "loc": ("body",), "msg": "Field required", "input": None}])
    if parsed is NOTHING:
        parsed = parsed_json(body)
    if not isinstance(parsed, dict):
        message = "a batch is an object with the fields instrument and measurements"
        raise RequestValidationError([{"type": "dict_type", "loc": ("body",), "msg": message, "input": None}])
    try:
        batch = MeasurementBatchEnvelope.model_validate(parsed)
    except ValidationError as error:
        faults = [{**fault, "loc": ("body", *fault["loc"])} for fault in error.errors(include_url=False)]
        raise RequestValidationError(faults, body=parsed) from error
    rows: list[Row] = [
        row if isinstance(row, dict) else unreadable(k, "a measurement is an object with the fields of a reading")
        for k, row in enumerate(batch.measurements)
    ]
    return Sheet(batch.instrument, rows, canonical_json(parsed))


def parsed_json(body: bytes) -> object:
    """What a JSON text says.

    Raises:
        MalformedRequest: If it is none.
    """
    try:
        return _json(body)
    except (ValueError, RecursionError) as error:
        raise MalformedRequest(f"the body is not JSON: {error}") from error


def _json(body: bytes) -> object:
    try:
        return orjson.loads(body)
    except ValueError:  # the standard library says better what is wrong, and reads what only a careless writer writes
        return json.loads(body)


def canonical_json(parsed: object) -> bytes:
    """The same bytes however the fields were ordered and spaced."""
    try:
        return orjson.dumps(parsed, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # a whole number beyond 64 bits, or half a surrogate pair
        return json.dumps(parsed, sort_keys=True).encode()


def lines(body: bytes) -> list[Row]:
    """One JSON object per line; blank lines do not count."""
    lines = counted(line for line in io.BytesIO(body.removeprefix(b"\xef\xbb\xbf")) if line.strip())
    return [_line(row, line) for row, line in enumerate(lines)]


def _line(row: int, line: bytes) -> Row:
    try:
        fields = parsed_json(line)
    except MalformedRequest as error:
        return unreadable(row, str(error).replace("the body", "the line"))
    return (
        fields if isinstance(fields, dict) else unreadable(row, "a line is a JSON object with the fields of a reading")
    )


_READERS: dict[str, Callable[[bytes], list[Row]]] = {
    NDJSON: lines,
    CSV: delimited.read,
    PARQUET: parquet.read,
}
