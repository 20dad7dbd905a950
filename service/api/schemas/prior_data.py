"""Prior data on the wire."""

from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field

from service.api.schemas.fields import Identifier, Incoming, Instant, Label, Note, Outgoing
from service.api.schemas.measurements import (
    A_SCATTER,
    A_VALUE,
    MAX_REPLICATES,
    MAX_ROWS,
    DecisionRead,
    Position,
    Uncertainty,
    Value,
)
from service.api.schemas.shapes import every
from service.operations.prior_data import Done, PriorData

LARGEST_REVISION = 2**31 - 1
MOST_NAMES = 100
Share = Annotated[float, Field(strict=True, ge=0.0, le=1.02, allow_inf_nan=False)]
Condition = Annotated[float, Field(strict=True, ge=-1e100, le=1e100, allow_inf_nan=False)] | Label


class PriorDataCreate(Incoming):
    """What another campaign has read on its own films, to be learned from."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"campaign_id": "cmp_01k9zq3v7e8m5r2t4w6y8a0b1c", "unfit": "leave_out"},
                {
                    "campaign_id": "cmp_01k9zq3v7e8m5r2t4w6y8a0b1c",
                    "revision": 12,
                    "name": "last spring",
                    "properties": {"rho_xy": "anomalous_hall"},
                    "process": {"anneal_c": 450.0},
                },
            ]
        },
    )

    campaign_id: Identifier
    """Whose readings they are. Retracted ones and those of dead devices are left out."""
    revision: Annotated[int, Field(strict=True, ge=0, le=LARGEST_REVISION)] | None = None
    """Of its dataset; the newest if left out."""
    name: Label | None = None
    """What people call the source; the campaign's id if left out."""
    properties: Annotated[dict[Label, Label], Field(max_length=MOST_NAMES)] = Field(default_factory=dict)
    """Property sought here by the name of the property read there, where the names differ. Readings of properties that
    are not sought here are left out."""
    process: Annotated[dict[Label, Condition], Field(max_length=MOST_NAMES)] = Field(default_factory=dict)
    """Values of process variables that films there do not have."""
    unfit: Literal["refuse", "leave_out"] = "refuse"
    """What becomes of readings with other elements, or with process conditions outside the ranges here."""


class PriorRowCreate(Incoming):
    """One reading from elsewhere."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra=every(A_VALUE, A_SCATTER))

    composition: Annotated[dict[Label, Share], Field(min_length=1, max_length=118)]
    """Atomic fractions by element; those that are left out are 0. They sum to 1 within 2 %."""
    property: Label
    unit: Label
    """Any unit of the dimension of the campaign's own."""
    value: Value | None = None
    """Null for a dead device only, whose row is left out."""
    status: Literal["ok", "dead", "above_limit", "below_limit"] = "ok"
    std_uncertainty: Uncertainty | None = None
    """Standard uncertainty in the same unit; null if it is not known."""
    replicates: Annotated[int, Field(strict=True, ge=2, le=MAX_REPLICATES)] | None = None
    """If `value` is a mean of this many raw readings and `std_uncertainty` was estimated from their scatter."""
    process: Annotated[dict[Label, Condition], Field(max_length=MOST_NAMES)] = Field(default_factory=dict)
    """Process conditions by variable, in the campaign's units. What the campaign does not vary is left out."""
    film: Label | None = None
    """Name of the film, wafer or batch there: its readings share an offset."""
    position: Position | None = None
    """Along that film."""


class PriorFileCreate(Incoming):
    """Readings from elsewhere; all of them or nothing is taken."""

    rows: Annotated[list[PriorRowCreate], Field(min_length=1, max_length=MAX_ROWS)]


class PriorFileEnvelope(Incoming):
    """The same, with rows that are checked one by one."""

    rows: Annotated[list[Any], Field(min_length=1, max_length=MAX_ROWS)]


class Reason(Incoming):
    """Why prior data are withdrawn or reinstated."""

    reason: Note


class OriginRead(Outgoing):
    """Where prior data come from; only what the kind has is given."""

    kind: Literal["campaign", "file"]
    campaign_id: str | None = None
    revision: int | None = None
    snapshot_hash: str | None = None
    """Of the campaign's dataset at that revision."""
    form: str | None = None
    """Media type of the file."""
    sha256: str | None = None
    """Of the file as it was sent, unpacked."""
    properties: dict[str, str]
    process: dict[str, float | str]
    unfit: Literal["refuse", "leave_out"]


class WithdrawalRead(Outgoing):
    """A time in which prior data do not count."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    revision: int
    """Revision of the dataset from which they do not count."""
    reason: str
    at: Instant
    ended_revision: int | None
    """Revision from which they count again."""
    end_reason: str | None
    ended_at: Instant | None


class PriorDataRead(Outgoing):
    """A source of prior data as it stands; its rows never change."""

    id: str
    campaign_id: str
    name: str
    state: Literal["in_force", "withdrawn"]
    source: OriginRead
    rows: int
    left_out: dict[str, int]
    """Numbers of rows that were not taken, by reason: `elements`, `process`, `property`, `dead`."""
    hash: str
    """SHA-256 over its rows."""
    revision: int
    """Revision of the dataset from which it counts."""
    withdrawals: list[WithdrawalRead]
    created_at: Instant

    @classmethod
    def of(cls, prior: PriorData) -> Self:
        """A source as it goes out."""
        return cls(
            id=prior.id,
            campaign_id=prior.campaign_id,
            name=prior.name,
            state="in_force" if prior.counts else "withdrawn",
            source=OriginRead.model_validate(prior.source),
            rows=prior.rows,
            left_out=prior.left_out,
            hash=prior.hash,
            revision=prior.revision,
            withdrawals=[WithdrawalRead.model_validate(w) for w in prior.withdrawals],
            created_at=prior.created_at,
        )


class PriorDataDone(Outgoing):
    """What became of a request about prior data."""

    prior_data: PriorDataRead | None
    """Null if a file was only to be checked: then nothing was stored."""
    revision: int
    """Revision of the dataset that heeds it."""
    rows: int
    left_out: dict[str, int]
    superseded: list[str]
    """Ready proposals that rested on what was withdrawn."""
    decision: DecisionRead | None
    """The decision that will heed it; null in a campaign that decides nothing now."""

    @classmethod
    def of(cls, done: Done) -> Self:
        """An outcome as it goes out."""
        decision = None
        if done.job_id is not None:
            decision = DecisionRead(job_id=done.job_id, wanted_revision=done.revision)
        return cls(
            prior_data=None if done.prior is None else PriorDataRead.of(done.prior),
            revision=done.revision,
            rows=done.rows,
            left_out=done.left_out,
            superseded=list(done.superseded),
            decision=decision,
        )


class PriorRowRead(Outgoing):
    """One reading from elsewhere."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    number: int
    """Of the row in its source, from 0."""
    composition: dict[str, float]
    process: dict[str, float | str]
    property: str
    unit: str
    value: float
    status: Literal["ok", "above_limit", "below_limit"]
    std_uncertainty: float | None
    replicates: int | None
    film: str | None
    position: float | None
    raw_property: str | None
    """Name of the property there, if it is another one."""
    raw_value: float | None
    """As delivered, if that was in another unit than the campaign's; like the two below."""
    raw_unit: str | None
    raw_std_uncertainty: float | None


class PriorInForceRead(Outgoing):
    """Prior data that are part of a dataset. Its rows are apart: `GET /v1/prior-data/{id}/rows`."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    id: str
    name: str
    rows: int
    hash: str
