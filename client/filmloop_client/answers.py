"""What Filmloop answers, typed. Fields that a newer service adds are kept, not refused."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

Composition = dict[str, float]
"""Atomic fraction of each element; they sum to 1."""


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow", protected_namespaces=())


class Predicted(_Answer):
    """What the model expects at a device, in the objective's unit; `sd` is of the property, without reading noise."""

    mean: float
    sd: float


class ProposedDevice(_Answer):
    """One measurable spot of a film that was proposed."""

    index: int
    position: float
    composition: Composition
    predicted: Predicted | None = None


class ProposedFilm(_Answer):
    """A film to be made: end compositions `a` and `b`, process conditions, devices along the gradient."""

    a: Composition
    b: Composition
    process: dict[str, float | str] = {}
    positions: list[float] = []
    devices: list[ProposedDevice]


class Proposal(_Answer):
    """A film that Filmloop promises to a robot, why, and from which data it was decided."""

    id: str
    campaign_id: str
    state: str
    film: ProposedFilm
    rank: int = 0
    fence: int = 0
    gain: float | None = None
    reason: str = ""
    source: str = ""
    alternatives: list[dict[str, Any]] = []
    provenance: dict[str, Any] = {}
    film_id: str | None = None
    stale: bool = False
    created_at: datetime | None = None


class Lease(_Answer):
    """A robot's right to a proposal, until `expires_at` unless it is renewed."""

    id: str
    fence: int
    robot: str
    expires_at: datetime
    token: str = ""


class FilmDevice(_Answer):
    """One measurable spot of a film: proposed and, once known, as made."""

    index: int
    position: float
    proposed: Composition
    as_made: Composition | None = None
    readings: int = 0
    dead: bool = False

    @property
    def composition(self) -> Composition:
        """As made if that is known, else as proposed."""
        return self.as_made or self.proposed


class Film(_Answer):
    """A film that is being made or was made."""

    id: str
    campaign_id: str
    state: str
    devices: list[FilmDevice]
    proposal_id: str | None = None
    robot: str | None = None
    outcome: str | None = None
    process: dict[str, float | str] = {}
    started_at: datetime | None = None
    completed_at: datetime | None = None


class CampaignState(_Answer):
    """A campaign as it stood when it was read."""

    id: str
    name: str
    state: str
    problem: dict[str, Any]
    revision: int = 0
    films_made: int = 0
    queue_depth: int = 1


class Batch(_Answer):
    """Receipt for measurements: they are stored, whatever happens next."""

    id: str
    campaign_id: str
    instrument: str
    revision: int
    accepted: int
    duplicates: int = 0
    measurement_ids: list[str] = []


class DatasetRow(_Answer):
    """One reading as the model sees it."""

    uid: str
    film_id: str
    device: int
    composition: Composition
    property: str
    value: float | None = None
    std_uncertainty: float | None = None
    status: str = "ok"


class Dataset(_Answer):
    """Every active reading of a campaign at one revision; the same revision always has the same `snapshot_hash`."""

    campaign_id: str
    revision: int
    snapshot_hash: str
    rows: list[DatasetRow]


class ModelVersion(_Answer):
    """A trained model with its lineage."""

    id: str
    campaign_id: str
    revision: int
    kind: str = ""
    name: str = ""
    metrics: dict[str, Any] = {}
    created_at: datetime | None = None


class BestComposition(_Answer):
    """Where the model expects the best value, in the objective's unit."""

    composition: Composition
    mean: float
    sd: float


class Posterior(_Answer):
    """The model's belief about the property on a set of compositions: mean and standard deviation."""

    points: list[Composition]
    mean: list[float]
    sd: list[float]
    best: BestComposition


class Event(_Answer):
    """Something that happened in a campaign."""

    seq: int
    type: str
    at: datetime
    data: dict[str, Any] = {}
