"""An instrument: posts what it measured, in batches that are stored once, whole or not at all."""

import gzip
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from filmloop_client.answers import Batch
from filmloop_client.transport import Transport

Kind = Literal["csv", "ndjson", "parquet"]
_MEDIA_TYPES = {"csv": "text/csv", "ndjson": "application/x-ndjson", "parquet": "application/vnd.apache.parquet"}
_LARGE_S = 60.0
"""How much longer than a usual request a large table may take."""


class Reading(BaseModel):
    """One reading of one property at one device of a film."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    film_id: str
    device: int | None = None
    """Number of the device along the film, from 0. Give this or one of the two positions."""
    position: FiniteFloat | None = None
    """Position of the device along the film, 0 at end A and 1 at end B."""
    position_mm: FiniteFloat | None = None
    """Place of the device in mm from end A, where the campaign knows how long its films are."""
    property: str
    unit: str
    """Any unit of the dimension of the campaign's own."""
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
        if sum(way is not None for way in (self.device, self.position, self.position_mm)) != 1:
            raise ValueError("give exactly one of device, position and position_mm")
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

    def measure(self, readings: Iterable[Reading], *, atomic: bool = True, validate_only: bool = False) -> Batch:
        """Post one batch of at most 1,000 readings. When this returns, they are stored for good.

        Args:
            readings: The batch.
            atomic: If False, bad rows are left out and the others stored; `results` tells what became of each.
            validate_only: Check everything and store nothing.

        Raises:
            Invalid: If a reading is refused; `errors` names each. Then none of the batch was stored.
            Conflict: If a uid was already used for other content.
        """
        rows = [row_of(reading) for reading in readings]
        body = {"instrument": self.name, "measurements": rows}
        answer = self._transport.post(self._path, body, params=_options(atomic, validate_only))
        return Batch.model_validate(answer.json())

    def upload(
        self, table: bytes | Path, kind: Kind | None = None, *, atomic: bool = True, validate_only: bool = False
    ) -> Batch:
        """Post a table of at most 50,000 readings as an instrument's software wrote it; it travels packed.

        Args:
            table: A file, or its bytes.
            kind: `csv`, `ndjson` or `parquet`; told by the file's name if it is not given.
            atomic: If False, bad rows are left out and the others stored; `results` tells what became of them.
            validate_only: Check everything and store nothing.

        Raises:
            ValueError: If it cannot be told what kind of table it is.
            Invalid: If a row or the header is refused; `errors` names each. Then none of the table was stored.
            Conflict: If a uid was already used for other content.
        """
        name = kind or (table.suffix.removeprefix(".").lower() if isinstance(table, Path) else "")
        if name not in _MEDIA_TYPES:
            raise ValueError(f"the table must be one of {', '.join(_MEDIA_TYPES)}, got {name!r}")
        content = gzip.compress(table.read_bytes() if isinstance(table, Path) else table, 1)
        headers = {"Content-Type": _MEDIA_TYPES[name], "Content-Encoding": "gzip"}
        params = {"instrument": self.name, **_options(atomic, validate_only)}
        answer = self._transport.post_content(self._path, content, headers=headers, params=params, wait_s=_LARGE_S)
        return Batch.model_validate(answer.json())

    @property
    def _path(self) -> str:
        return batch_path(self.campaign_id)


def batch_path(campaign_id: str) -> str:
    """Where batches of a campaign are posted."""
    return f"/v1/campaigns/{campaign_id}/measurement-batches"


def row_of(reading: Reading) -> dict[str, Any]:
    """A reading as it is sent."""
    return reading.model_dump(mode="json", exclude=_not_given(reading))


def _options(atomic: bool, validate_only: bool) -> dict[str, str]:
    """What differs from the usual."""
    options = {} if atomic else {"atomic": "false"}
    return options | ({"validate_only": "true"} if validate_only else {})


def _not_given(reading: Reading) -> set[str]:
    """What must be absent from the request if it was not given; an uncertainty that is not known is told as null."""
    return {k for k in ("device", "position", "position_mm", "uid", "replicates") if getattr(reading, k) is None}
