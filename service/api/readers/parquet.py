"""Tables as Parquet: columns are fields, null is what is left out, times have a time zone."""

import io
from typing import TYPE_CHECKING

from service.api.readers.sheet import MEASUREMENTS, Form, Row, check_count, columns_of, given
from service.errors import InvalidInput, MalformedRequest

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

MAX_BYTES = 64 * 1024 * 1024
"""Largest size of the columns once they are decompressed."""
MAX_TEXT = 1000
"""Longest text of a column, however short a field of it may have to be."""
_STEP = 5_000
"""Rows that are held as Python objects at once, beside the result."""


def read(body: bytes, form: Form = MEASUREMENTS) -> list[Row]:
    """The rows of a Parquet file.

    Raises:
        InvalidInput: If a column is unknown or of a type that no field has, or if there are too many rows.
        MalformedRequest: If it is no Parquet file.
    """
    import pyarrow as pa  # noqa: PLC0415 - the API starts without it
    import pyarrow.parquet as pq  # noqa: PLC0415 - as above

    try:
        file = pq.ParquetFile(io.BytesIO(body), memory_map=False)
        check_count(file.metadata.num_rows)
        _check_size(file.metadata)
        columns = columns_of(file.schema_arrow.names, form)
        looked_at = [(k, name) for k, name in enumerate(columns.fields) if name not in form.ignored]
        text = [column.path for column in file.schema if column.physical_type == "BYTE_ARRAY"]
        # Text that repeats stays a number and a dictionary: a small file cannot swell.
        table = pq.read_table(io.BytesIO(body), use_threads=False, read_dictionary=text)
        plain = [_plain(table.column(k), name, form) for k, name in looked_at]
    except pa.ArrowException as error:
        raise MalformedRequest(f"the body is not a Parquet file that can be read: {str(error)[:200]}") from error
    return [
        given(zip((name for _, name in looked_at), cells, strict=True), columns.unit)
        for start in range(0, table.num_rows, _STEP)
        for cells in zip(*(column.slice(start, _STEP).to_pylist() for column in plain), strict=True)
    ]


def _check_size(metadata: "pq.FileMetaData") -> None:
    groups = [metadata.row_group(k) for k in range(metadata.num_row_groups)]
    size = sum(group.column(k).total_uncompressed_size for group in groups for k in range(group.num_columns))
    if size > MAX_BYTES:
        raise InvalidInput(f"the columns have {size} bytes when they are decompressed; the bound is {MAX_BYTES}")


def _plain(column: "pa.ChunkedArray", name: str, form: Form) -> "pa.ChunkedArray":
    """A column as text, numbers or whole numbers."""
    import pyarrow as pa  # noqa: PLC0415 - as above

    kind = column.type
    value = kind.value_type if pa.types.is_dictionary(kind) else kind
    if pa.types.is_dictionary(kind):
        longest = max((len(text) for chunk in column.chunks for text in chunk.dictionary.to_pylist()), default=0)
        if longest > MAX_TEXT:
            raise InvalidInput(f"column {name!r} has a text of {longest} characters; the bound is {MAX_TEXT}")
    is_text = pa.types.is_string(value) or pa.types.is_large_string(value)
    if pa.types.is_null(value) or (is_text and (form.is_condition(name) or not form.is_number(name))):
        return column
    if pa.types.is_timestamp(kind) and name == "measured_at":
        if kind.tz is None:
            raise InvalidInput("column 'measured_at' has no time zone; say which one, e.g. UTC")
        return column.cast(pa.timestamp("us", "UTC"), safe=False).cast(pa.string())
    if pa.types.is_integer(kind) and form.is_number(name):
        return column
    if (pa.types.is_floating(kind) or pa.types.is_decimal(kind)) and form.is_number(name):
        wanted = pa.int64() if name in form.integers else pa.float64()
        try:
            return column.cast(wanted)  # a table with gaps keeps whole numbers as floats
        except pa.ArrowInvalid:
            return column.cast(pa.float64())
    raise InvalidInput(f"column {name!r} is of type {value}, which is none that the field may have")
