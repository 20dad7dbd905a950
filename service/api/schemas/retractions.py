"""Retractions on the wire."""

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from service.api.schemas.fields import Identifier, Incoming, Instant, InstantIn, Label, Note, Outgoing
from service.api.schemas.measurements import DecisionRead
from service.api.schemas.shapes import absent, either, every, exactly_one, given

MOST_IDS = 10_000
"""Most readings that are named one by one; a description may fit any number."""


class RetractionCreate(Incoming):
    """Readings that shall no longer count: by their ids, of a film, of an instrument, or under a calibration."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "instrument": "squid",
                    "measured_from": "2026-03-01T00:00:00Z",
                    "measured_until": "2026-03-02T00:00:00Z",
                    "reason": "the magnet was quenched that day",
                },
                {"calibration_id": "cal_01k9zq3v7e8m5r2t4w6y8a0b1c", "reason": "wrong reference sphere"},
            ],
            **every(
                exactly_one(ids="array", film_id="string", instrument="string", calibration_id="string"),
                either(given(instrument="string"), absent("measured_from", "measured_until")),
            ),
        },
    )

    ids: Annotated[list[Identifier], Field(min_length=1, max_length=MOST_IDS)] | None = None
    """Ids of readings."""
    film_id: Identifier | None = None
    """Every reading of this film."""
    instrument: Label | None = None
    """Name of an instrument: what it read in the window, or ever."""
    measured_from: InstantIn | None = None
    measured_until: InstantIn | None = None
    """The first instant that is not covered."""
    calibration_id: Identifier | None = None
    """What was read while this calibration was in force."""
    also_later: Annotated[bool, Field(strict=True)] = True
    """Whether the description covers readings, too, that arrive later; ids cover only themselves."""
    reason: Note

    @model_validator(mode="after")
    def _names_one_thing(self) -> Self:
        given = [name for name in ("ids", "film_id", "instrument", "calibration_id") if getattr(self, name) is not None]
        if len(given) != 1:
            named = ", ".join(given) or "none"
            raise ValueError(f"exactly one of ids, film_id, instrument and calibration_id must be given, got {named}")
        if (self.measured_from or self.measured_until) and self.instrument is None:
            raise ValueError("a window is of an instrument: measured_from and measured_until need it")
        if self.measured_from and self.measured_until and self.measured_until <= self.measured_from:
            raise ValueError("measured_until must be after measured_from")
        return self


class Reversal(Incoming):
    """Why a retraction is taken back."""

    reason: Note


class WhatRead(Outgoing):
    """What was retracted; only what the kind has is given."""

    kind: Literal["ids", "film", "instrument", "calibration"]
    measurement_ids: list[str] | None = None
    film_id: str | None = None
    instrument: str | None = None
    measured_from: Instant | None = None
    measured_until: Instant | None = None
    calibration_id: str | None = None


class ReversalRead(Outgoing):
    """The end of a retraction."""

    revision: int
    """Revision of the dataset from which the readings count again, unless another retraction covers them."""
    reason: str
    at: Instant


class RetractionRead(Outgoing):
    """A retraction as it stands."""

    id: str
    campaign_id: str
    state: Literal["in_force", "reversed"]
    what: WhatRead
    reason: str
    also_later: bool
    revision: int
    """Revision of the dataset from which the readings do not count."""
    readings: int
    """That it covers, whether or not they count for another reason."""
    compositions: int
    """Compositions of devices as instruments measured them, that it covers."""
    reversal: ReversalRead | None
    created_at: Instant


class RetractionDone(RetractionRead):
    """A retraction that was just made or reversed, and what follows."""

    superseded: list[str]
    """Ready proposals that rested on the readings."""
    decision: DecisionRead | None
    """The decision that will heed it; null in a campaign that decides nothing now."""


class RetractedReadingRead(Outgoing):
    """A reading that a retraction covers."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    id: str
    uid: str
    instrument: str
    film_id: str | None
    device: int | None
    sample_id: str | None
    """Where a calibration sample was read."""
    property: str
    measured_at: Instant
    revision: int
    """Revision from which it counted."""
