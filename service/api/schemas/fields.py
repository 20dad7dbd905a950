"""The plain values of the wire, each with its bounds: nothing that comes in is without limits or of a loose type."""

import re
from datetime import UTC, datetime
from typing import Annotated, Generic, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)

_DATE_AND_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}")

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


def _written_out(value: object) -> object:
    """Pydantic alone would also take seconds since 1970, as a number or as digits."""
    if not (isinstance(value, str) and _DATE_AND_TIME.match(value)):
        raise ValueError("a time is written as RFC 3339 text with an offset, e.g. 2026-01-31T12:00:00Z")
    return value


def _within_two_centuries(value: datetime) -> datetime:
    if not EARLIEST <= value <= LATEST:
        raise ValueError(f"the time must lie between {EARLIEST.isoformat()} and {LATEST.isoformat()}")
    return value.astimezone(UTC)


def _rfc3339(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


InstantIn = Annotated[
    AwareDatetime,
    BeforeValidator(_written_out),
    AfterValidator(_within_two_centuries),
    Field(json_schema_extra={"pattern": r"^(19|20|21)\d\d-"}),
]
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
