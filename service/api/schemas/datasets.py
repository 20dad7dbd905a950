"""Datasets on the wire."""

from typing import Literal

from pydantic import ConfigDict

from service.api.schemas.fields import Instant, Outgoing
from service.api.schemas.prior_data import PriorInForceRead


class DatasetRowRead(Outgoing):
    """One reading as the model sees it."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    id: str
    """Of the measurement: what a retraction names."""
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
    calibration_id: str | None
    """Calibration of the instrument under which it was read, as far as that was known when it arrived."""
    measured_at: Instant
    revision: int
    """Revision from which the reading counts."""


class SampleRowRead(Outgoing):
    """One reading of a calibration sample that counts at a revision."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    id: str
    uid: str
    sample_id: str
    sample: str
    """Name of the sample."""
    property: str
    unit: str
    value: float
    std_uncertainty: float | None
    replicates: int | None
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
    retracted: int
    """Readings that would be in this dataset, had they not been retracted; those of calibration samples included."""
    prior_data: list[PriorInForceRead]
    """Readings from elsewhere that are part of it, source by source; the rows here are the campaign's own."""
    rows: list[DatasetRowRead]
    next: str | None
    """Continues the dataset as `after`; null at its end."""
