"""The plain values of the wire, each with its bounds: nothing that comes in is without limits or of a loose type."""

from datetime import UTC, datetime
from typing import Annotated, Generic, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    GetPydanticSchema,
    PlainSerializer,
    WithJsonSchema,
)
from pydantic_core import CoreSchema, core_schema

EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)

_DATE_AND_TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}"

Item = TypeVar("Item")


class Incoming(BaseModel):
    """Head of every request body: unknown fields are refused, numbers are numbers and text is text."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Outgoing(BaseModel):
    """Head of every response body."""

    model_config = ConfigDict(frozen=True)


class Page(Outgoing, Generic[Item]):
    """One page of a list; `next` continues it as `after`, null at the end."""

    items: list[Item]
    next: str | None


def _instant(*_: object) -> CoreSchema:
    """RFC 3339 with an offset, within two centuries, checked without a call into Python: a batch has a thousand.

    Pydantic's own time would also take seconds since 1970, as a number or as digits.
    """
    written = "a time is written as RFC 3339 text with an offset, e.g. 2026-01-31T12:00:00Z"
    within = f"the time must lie between {EARLIEST.isoformat()} and {LATEST.isoformat()}"
    text = core_schema.str_schema(strict=True, pattern=_DATE_AND_TIME)
    time = core_schema.datetime_schema(tz_constraint="aware")
    ranged = core_schema.datetime_schema(ge=EARLIEST, le=LATEST)
    return core_schema.chain_schema(
        [
            core_schema.custom_error_schema(text, "time_written", custom_error_message=written),
            time,
            core_schema.custom_error_schema(ranged, "time_range", custom_error_message=within),
        ]
    )


def _in_utc(value: datetime) -> datetime:
    return value.astimezone(UTC)


def _rfc3339(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


InstantAsSent = Annotated[
    datetime,
    GetPydanticSchema(_instant),
    WithJsonSchema({"type": "string", "format": "date-time", "pattern": r"^(19|20|21)\d\d-"}),
]
"""A time that comes in: RFC 3339 with an offset, which it keeps."""
InstantIn = Annotated[InstantAsSent, AfterValidator(_in_utc)]
"""A time that comes in: RFC 3339 with an offset, kept as UTC."""
Instant = Annotated[AwareDatetime, PlainSerializer(_rfc3339, return_type=str, when_used="json")]
"""A time that goes out: RFC 3339 in UTC."""
Identifier = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_-]+$")]
"""An opaque id that Filmloop gave."""
Label = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$")]
"""A name that a person or a program gave: one line of text."""
Note = Annotated[str, Field(min_length=1, max_length=4000, pattern=r"^[^\x00]+$")]
"""Free text."""
Fraction = Annotated[float, Field(strict=True, ge=0.0, le=1.0, allow_inf_nan=False)]
"""A number from 0 to 1; text and booleans are not numbers."""
MOST_ELEMENTS = 20
Composition = Annotated[dict[Label, Fraction], Field(min_length=1, max_length=MOST_ELEMENTS)]
"""Atomic fractions by element; elements left out are absent."""
