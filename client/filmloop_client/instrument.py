"""An instrument: posts what it measured, in batches that are stored once, whole or not at all."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from filmloop_client.answers import Batch
from filmloop_client.transport import Transport


class Reading(BaseModel):
    """One reading of one property at one device of a film."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    film_id: str
    device: int | None = None
    """Number of the device along the film, from 0. Give this or `position`."""
    position: FiniteFloat | None = None
    """Position of the device along the film, 0 at end A and 1 at end B."""
    property: str
    unit: str
    value: FiniteFloat | None = None
    status: Literal["ok", "dead", "above_limit", "below_limit"] = "ok"
    """`dead`: the device gives no value; a missing value, not a zero. `above_limit`: the instrument is saturated, the
    true value is at least `value`; `below_limit`: at most."""
    std_uncertainty: FiniteFloat | None = Field(default=None, gt=0.0)
    """Standard uncertainty of `value`, in the same unit; None if it is not known, then the model infers the noise."""
    replicates: int | None = Field(default=None, ge=2)
    """If `value` is a mean of so many raw readings, and `std_uncertainty` was estimated from their scatter."""
    measured_at: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))
    uid: str | None = None
    """The reading's permanent name, if it has one: then a batch sent again by a restarted instrument is stored once.

    Give `measured_at` with it: other content under a known name, another time included, is refused as a contradiction.
    """

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.device is None) == (self.position is None):
            raise ValueError("give either device or position")
        if (self.value is None) != (self.status == "dead"):
            raise ValueError(f"a reading that is {self.status} has value {self.value}")
        if self.replicates is not None and self.std_uncertainty is None:
            raise ValueError(f"{self.replicates} replicates have a scatter: give std_uncertainty")
        return self


class Instrument:
    """An instrument of a campaign, known by its name; it is registered by its first batch."""

    def __init__(self, transport: Transport, campaign_id: str, name: str) -> None:
        """Name an instrument; nothing is sent yet."""
        self._transport = transport
        self.campaign_id = campaign_id
        self.name = name

    def measure(self, readings: Iterable[Reading]) -> Batch:
        """Post one batch of at most 1,000 readings. When this returns, they are stored for good.

        Raises:
            Invalid: If a reading is refused; `errors` names each. Then none of the batch was stored.
            Conflict: If a uid was already used for other content.
        """
        rows = [r.model_dump(mode="json", exclude=_not_given(r)) for r in readings]
        path = f"/v1/campaigns/{self.campaign_id}/measurement-batches"
        answer = self._transport.post(path, {"instrument": self.name, "measurements": rows})
        return Batch.model_validate(answer.json())


def _not_given(reading: Reading) -> set[str]:
    """What must be absent from the request if it was not given; an uncertainty that is not known is told as null."""
    return {k for k in ("device", "position", "uid", "replicates") if getattr(reading, k) is None}
