"""Measurement batches on the wire."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, GetPydanticSchema, WithJsonSchema
from pydantic_core import CoreSchema, core_schema

from service.api.schemas.fields import Identifier, Incoming, InstantAsSent, Label, Outgoing
from service.api.schemas.shapes import Shape, absent, among, either, every, exactly_one, given

MAX_ROWS = 1000
"""Most rows of one JSON batch."""
LARGEST = 1e100
"""Largest magnitude of a reading, and of an uncertainty, in any unit; its square is still a finite double."""
LARGEST_DEVICE = 2**31 - 1
MAX_REPLICATES = 1_000_000


Value = Annotated[float, Field(strict=True, ge=-LARGEST, le=LARGEST, allow_inf_nan=False)]


def _uncertainty(*_: object) -> CoreSchema:
    """A positive number, checked without a call into Python. The core would write its smallest bound as 0.1."""
    positive = core_schema.float_schema(strict=True, gt=0.0, le=LARGEST, allow_inf_nan=False)
    not_vanishing = core_schema.custom_error_schema(
        core_schema.float_schema(ge=1 / LARGEST),
        "vanishing",
        custom_error_message=f"a standard uncertainty must be at least {1 / LARGEST:g}",
    )
    return core_schema.chain_schema([positive, not_vanishing])


Uncertainty = Annotated[
    float,
    GetPydanticSchema(_uncertainty),
    WithJsonSchema({"type": "number", "minimum": 1 / LARGEST, "maximum": LARGEST}),
]
Position = Annotated[float, Field(strict=True, ge=0.0, le=1.0, allow_inf_nan=False)]
PlaceMm = Annotated[float, Field(strict=True, ge=0.0, le=10_000.0, allow_inf_nan=False)]
Device = Annotated[int, Field(strict=True, ge=0, le=LARGEST_DEVICE)]
A_PLACE: Shape = exactly_one(device="integer", position="number", position_mm="number")
"""A device is told by its index or by one of its positions."""
A_VALUE: Shape = {
    "oneOf": [
        every(among("status", "dead"), absent("value")),
        every(given(value="number"), {"properties": {"status": {"not": {"const": "dead"}}}}),
    ]
}
"""A reading has a value, unless its device is dead."""
A_SCATTER: Shape = either(absent("replicates"), given(std_uncertainty="number"))
"""Replicates are told with their scatter."""


class MeasurementCreate(Incoming):
    """One reading of one property at one device of a film."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra=every(A_PLACE, A_VALUE, A_SCATTER))

    uid: Label | None = None
    """Permanent name, unique per campaign and instrument; one is made if it is left out."""
    film_id: Identifier
    device: Device | None = None
    """Index of the device, from 0. Either this or one of the two positions."""
    position: Position | None = None
    """Position of the device along the gradient, 0 at end A, 1 at end B."""
    position_mm: PlaceMm | None = None
    """Place of the device in mm from end A, where the campaign says how long its films are."""
    property: Label
    unit: Label
    """Any unit of the dimension of the campaign's own."""
    value: Value | None = None
    """Null for a dead device only. Where the instrument is saturated, the limit that it reached."""
    status: Literal["ok", "dead", "above_limit", "below_limit"] = "ok"
    """`above_limit`: the true value is at least `value`; `below_limit`: at most."""
    std_uncertainty: Uncertainty | None = None
    """Standard uncertainty in the same unit; null if the instrument gives none."""
    replicates: Annotated[int, Field(strict=True, ge=2, le=MAX_REPLICATES)] | None = None
    """If `value` is a mean of this many raw readings and `std_uncertainty` was estimated from their scatter."""
    measured_at: InstantAsSent
    calibration_id: Identifier | None = None
    """Calibration of the instrument that the reading was made under; refused if it was not the one in force then.
    Left out, the one that was in force is noted."""


class MeasurementBatchEnvelope(Incoming):
    """What an instrument sends at once, with rows that are checked one by one."""

    instrument: Label
    measurements: Annotated[list[Any], Field(min_length=1, max_length=MAX_ROWS)]


class MeasurementBatchCreate(Incoming):
    """What an instrument sends at once."""

    instrument: Label
    """Its name; it is registered when it first reports."""
    measurements: Annotated[list[MeasurementCreate], Field(min_length=1, max_length=MAX_ROWS)]


class DecisionRead(Outgoing):
    """The decision that will take a batch into account."""

    job_id: str
    wanted_revision: int


class FaultRead(Outgoing):
    """One thing that is wrong with a row."""

    pointer: str
    """JSON Pointer, as if the batch had been sent as JSON."""
    message: str


class RowResultRead(Outgoing):
    """What became of one row."""

    row: int
    """Its number, from 0; the header of a table does not count."""
    status: Literal["accepted", "duplicate", "refused"]
    measurement_id: str | None
    errors: list[FaultRead]
    """Why it was refused."""


class MeasurementBatchRead(Outgoing):
    """Receipt: the readings are stored, whatever happens next."""

    id: str | None
    """Null if the batch was only to be checked: then nothing was stored."""
    campaign_id: str
    instrument: str
    revision: int
    """Revision of the dataset that holds the batch."""
    accepted: int
    duplicates: int
    """Rows that were stored before with the same content."""
    refused: int
    """Rows that were left out; only with `atomic=false`."""
    measurement_ids: list[str | None]
    """In the order of the rows that were sent; empty for more than 1,000 rows."""
    results: list[RowResultRead] | None
    """With `atomic=false`: what became of each row; of more than 1,000 rows, of the first 1,000 not accepted."""
    decision: DecisionRead | None
