"""Films on the wire."""

from typing import Literal

from pydantic import ConfigDict

from service.api.schemas.fields import Instant, Outgoing

FilmState = Literal["running", "made", "measured", "failed", "overdue"]


class MeasuredCompositionRead(Outgoing):
    """What an instrument found a device to be made of."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    composition: dict[str, float]
    """Atomic fraction by element, made to sum to 1."""
    std_uncertainty: dict[str, float] | None
    measured_at: Instant
    revision: int
    """Revision of the dataset from which it counts."""


class DeviceRead(Outgoing):
    """One measurable spot of a film."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    index: int
    position: float
    """Along the gradient, 0 at end A, 1 at end B."""
    proposed: dict[str, float]
    """Atomic fraction by element, as proposed."""
    as_made: dict[str, float] | None
    """As the robot reported; null if it is not known."""
    measured: MeasuredCompositionRead | None
    """As an instrument found, most recently; null if it is not known."""
    readings: int
    """That count."""
    retracted: int
    """Readings that were retracted."""
    dead: bool


class FilmRead(Outgoing):
    """A film whose making was started: proposed and as made side by side."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    id: str
    campaign_id: str
    proposal_id: str
    robot: str
    state: FilmState
    outcome: Literal["ok", "partial", "infeasible", "equipment", "operator"] | None
    note: str | None
    process: dict[str, float | str]
    """Process conditions in physical units, by variable."""
    devices: list[DeviceRead]
    attachments: dict[str, int]
    """How many spectra, patterns and other arrays there are, by kind."""
    started_at: Instant
    completed_at: Instant | None
