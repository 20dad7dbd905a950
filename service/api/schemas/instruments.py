"""Instruments and calibrations on the wire."""

from typing import Annotated

from pydantic import ConfigDict, Field

from service.api.schemas.fields import Incoming, Instant, InstantIn, Label, Note, Outgoing


class InstrumentCreate(Incoming):
    """An instrument as a person describes it."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={"examples": [{"name": "squid", "kind": "SQUID magnetometer", "owner": "M. Curie, room 12"}]},
    )

    name: Label
    """As it names itself in its batches."""
    kind: Label | None = None
    """What it is, in the lab's words."""
    owner: Label | None = None
    """Whom to ask."""
    notes: Note | None = None


class InstrumentRead(Outgoing):
    """An instrument of a campaign; what nobody has said yet is null."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    id: str
    campaign_id: str
    name: str
    kind: str | None
    owner: str | None
    notes: str | None
    created_at: Instant


class CalibrationCreate(Incoming):
    """A calibration of an instrument and the time for which it holds."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={
            "examples": [{"method": "Pd reference sphere, SRM 2854", "valid_from": "2026-03-01T08:00:00Z"}]
        },
    )

    method: Annotated[Note, Field(max_length=500)]
    """How it was calibrated, against what."""
    property: Label | None = None
    """The property that it is of; left out, everything that the instrument reads."""
    valid_from: InstantIn
    valid_until: InstantIn | None = None
    """The first instant at which it holds no longer; left out, it holds until the next one of the same begins."""
    notes: Note | None = None


class CalibrationRead(Outgoing):
    """A calibration of an instrument."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    id: str
    campaign_id: str
    instrument_id: str
    property: str | None
    method: str
    valid_from: Instant
    valid_until: Instant | None
    notes: str | None
    created_at: Instant
