"""Datasets on the wire."""

from typing import Literal

from pydantic import ConfigDict

from service.api.schemas.fields import Instant, Outgoing


class DatasetRowRead(Outgoing):
    """One reading as the model sees it."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    uid: str
    film_id: str
    device: int
    position: float
    """Of the device along its film, 0 at end A, 1 at end B."""
    composition: dict[str, float]
    """Atomic fraction by element: as measured if that was known at this revision, else as made, else as proposed."""
    process: dict[str, float | str]
    """Process conditions of the film in physical units."""
    property: str
    unit: str
    value: float | None
    std_uncertainty: float | None
    replicates: int | None
    """Raw readings behind the value, if its uncertainty was estimated from them."""
    raw_value: float | None
    """As delivered, if that was in another unit than the campaign's; like the two below."""
    raw_unit: str | None
    raw_std_uncertainty: float | None
    status: Literal["ok", "dead", "above_limit", "below_limit"]
    instrument: str
    measured_at: Instant
    revision: int
    """Revision from which the reading counts."""


class DatasetRead(Outgoing):
    """Active readings of a campaign at one revision; what a revision holds never changes."""

    campaign_id: str
    revision: int
    snapshot_hash: str
    """Of the whole dataset, also where this is a page of it."""
    columns: list[str]
    """Elements, then process variables."""
    rows: list[DatasetRowRead]
    next: str | None
    """Continues the dataset as `after`; null at its end."""
