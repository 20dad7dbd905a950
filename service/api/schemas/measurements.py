"""Measurement batches on the wire."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from service.api.schemas.fields import Identifier, Incoming, InstantIn, Label, Outgoing

MAX_ROWS = 1000
"""Most rows of one JSON batch."""
LARGEST = 1e100
"""Largest magnitude of a reading, and of an uncertainty, in any unit; its square is still a finite double."""
LARGEST_DEVICE = 2**31 - 1
MAX_REPLICATES = 1_000_000


def _not_vanishing(value: float) -> float:
    if value < 1 / LARGEST:
        raise ValueError(f"a standard uncertainty must be at least {1 / LARGEST:g}")
    return value


Value = Annotated[float, Field(strict=True, ge=-LARGEST, le=LARGEST, allow_inf_nan=False)]
Uncertainty = Annotated[
    float, Field(strict=True, gt=0.0, le=LARGEST, allow_inf_nan=False), AfterValidator(_not_vanishing)
]
Position = Annotated[float, Field(strict=True, ge=0.0, le=1.0, allow_inf_nan=False)]
Device = Annotated[int, Field(strict=True, ge=0, le=LARGEST_DEVICE)]


class MeasurementCreate(Incoming):
    """One reading of one property at one device of a film."""

    uid: Label | None = None
    """Permanent name, unique per campaign and instrument; one is made if it is left out."""
    film_id: Identifier
    device: Device | None = None
    """Index of the device, from 0. Either this or `position`."""
    position: Position | None = None
    """Position of the device along the gradient, 0 at end A, 1 at end B. Either this or `device`."""
    property: Label
    unit: Label
    value: Value | None = None
    """Null for a dead device only. Where the instrument is saturated, the limit that it reached."""
    status: Literal["ok", "dead", "above_limit", "below_limit"] = "ok"
    """`above_limit`: the true value is at least `value`; `below_limit`: at most."""
    std_uncertainty: Uncertainty | None = None
    """Standard uncertainty in the same unit; null if the instrument gives none."""
    replicates: Annotated[int, Field(strict=True, ge=2, le=MAX_REPLICATES)] | None = None
    """If `value` is a mean of this many raw readings and `std_uncertainty` was estimated from their scatter."""
    measured_at: InstantIn


class MeasurementBatchCreate(Incoming):
    """What an instrument sends at once; all of it or nothing is stored."""

    instrument: Label
    """Its name; it is registered when it first reports."""
    measurements: Annotated[list[MeasurementCreate], Field(min_length=1, max_length=MAX_ROWS)]


class DecisionRead(Outgoing):
    """The decision that will take a batch into account."""

    job_id: str
    wanted_revision: int


class MeasurementBatchRead(Outgoing):
    """Receipt: the readings are stored, whatever happens next."""

    id: str
    campaign_id: str
    instrument: str
    revision: int
    """Revision of the dataset that holds the batch."""
    accepted: int
    duplicates: int
    """Rows that were stored before with the same content."""
    measurement_ids: list[str]
    """In the order of the rows that were sent."""
    decision: DecisionRead | None
