"""Calibration samples on the wire."""

from typing import Annotated, Self

from pydantic import ConfigDict, Field, model_validator

from service.api.schemas.fields import Incoming, Instant, InstantIn, Label, Note, Outgoing
from service.api.schemas.measurements import A_SCATTER, MAX_REPLICATES, DecisionRead, Uncertainty, Value
from service.api.schemas.shapes import absent, either, given

MOST_READINGS = 1000


class SampleCreate(Incoming):
    """A calibration sample: it is read again and again and tells how the instruments drift."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={
            "examples": [{"name": "coupon 7", "property": "magnetisation", "unit": "emu/cm3"}],
            **either(absent("std_uncertainty"), given(assigned_value="number")),
        },
    )

    name: Label
    property: Label
    """One of the campaign's."""
    unit: Label
    """Of the numbers here; any unit of the property's dimension."""
    assigned_value: Value | None = None
    """What it is known or agreed to have; left out, it only has to stay what it is."""
    std_uncertainty: Uncertainty | None = None
    """Of the assigned value."""
    notes: Note | None = None

    @model_validator(mode="after")
    def _is_of_a_value(self) -> Self:
        if self.std_uncertainty is not None and self.assigned_value is None:
            raise ValueError("std_uncertainty is that of assigned_value, which is not given")
        return self


class SampleRead(Outgoing):
    """A calibration sample."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    id: str
    campaign_id: str
    name: str
    property: str
    unit: str
    """The campaign's unit of the property."""
    assigned_value: float | None
    std_uncertainty: float | None
    notes: str | None
    created_at: Instant


class SampleReadingCreate(Incoming):
    """One reading of a calibration sample."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra=A_SCATTER)

    uid: Label | None = None
    """Permanent name, unique per campaign and instrument; one is made if it is left out."""
    unit: Label
    value: Value
    std_uncertainty: Uncertainty | None = None
    """Standard uncertainty in the same unit; null if the instrument gives none."""
    replicates: Annotated[int, Field(strict=True, ge=2, le=MAX_REPLICATES)] | None = None
    """If `value` is a mean of this many raw readings and `std_uncertainty` was estimated from their scatter."""
    measured_at: InstantIn


class SampleReadingsCreate(Incoming):
    """What an instrument read of a sample; all of it or nothing is stored."""

    instrument: Label
    readings: Annotated[list[SampleReadingCreate], Field(min_length=1, max_length=MOST_READINGS)]


class SampleBatchRead(Outgoing):
    """Receipt: the readings are stored."""

    id: str
    campaign_id: str
    sample_id: str
    instrument: str
    revision: int
    """Revision of the dataset that holds them."""
    accepted: int
    duplicates: int
    """Readings that were stored before with the same content."""
    measurement_ids: list[str]
    """In the order in which they were sent."""
    decision: DecisionRead | None


class SampleReadingRead(Outgoing):
    """One reading of a calibration sample."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    id: str
    uid: str
    instrument: str
    value: float
    """In the sample's unit."""
    deviation: float | None
    """From the assigned value; null if none was assigned."""
    std_uncertainty: float | None
    replicates: int | None
    calibration_id: str | None
    """Calibration that was in force when it was read, as far as that was known when it arrived."""
    measured_at: Instant
    revision: int
    """Revision from which it counts."""
    retracted: bool
