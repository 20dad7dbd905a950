"""Replays on the wire."""

from typing import Any, Literal

from pydantic import ConfigDict, Field

from service.api.schemas.fields import Instant, Outgoing


class DifferenceRead(Outgoing):
    """One figure that came out otherwise."""

    field: str
    """JSON Pointer into the proposal, e.g. `/film/devices/3/predicted/mean`; or `/model/...`, `/provenance/...`."""
    recorded: Any
    recomputed: Any
    difference: float | None
    """In the figure's own unit; null where it is no number."""
    tolerance: float | None
    """Null where the figure has none: if it is `within`, it is judged by other figures."""
    within: bool


class OtherRead(Outgoing):
    """Something that was otherwise when the proposal was made."""

    recorded: str
    now: str | None


class ReportRead(Outgoing):
    """What was found when the proposal was computed again."""

    differing: int
    """Figures that are not the same to the last digit."""
    model_identical: bool | None
    """Whether the model that was fitted again is the one that is kept, bit by bit; null if the proposal had none."""
    differences: list[DifferenceRead]
    """The worst of them."""
    versions: dict[str, OtherRead]
    """Libraries, and the `code` of the science, that are of another version now; empty if none is."""
    environment: dict[str, OtherRead]
    """Device, threads and processor that are others now."""
    seconds: float


class ReplayRead(Outgoing):
    """A proposal computed again from its revision, configuration, seed, films in flight and first model."""

    model_config = ConfigDict(
        frozen=True,
        from_attributes=True,
    )

    id: str
    campaign_id: str
    proposal_id: str
    state: Literal["pending", "leased", "succeeded", "dead"]
    verdict: Literal["identical", "within_tolerance", "differs"] | None
    """Null until the state is `succeeded`."""
    report: ReportRead | None
    error: str | None = Field(description="Why there is no verdict, or why the last attempt failed.")
    created_at: Instant
    finished_at: Instant | None
