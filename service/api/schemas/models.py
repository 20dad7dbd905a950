"""Model versions on the wire."""

from typing import Any

from pydantic import Field

from service.api.schemas.fields import Instant, Outgoing


class ArtifactRead(Outgoing):
    """The file that holds a trained model."""

    sha256: str
    bytes: int


class ModelVersionRead(Outgoing):
    """A trained model with its lineage."""

    id: str
    campaign_id: str
    kind: str
    name: str
    config_revision: int
    """Configuration whose problem it was trained for."""
    revision: int
    """Revision of the dataset it was trained on."""
    snapshot_hash: str
    seed: int
    started_from_id: str | None
    """Model version from which the search of its hyperparameters began; null if it began cold."""
    metrics: dict[str, Any]
    versions: dict[str, Any]
    """Versions of the libraries it was trained with."""
    artifact: ArtifactRead
    rests_on_retracted: bool
    """Whether readings that it was trained on were retracted since."""
    created_at: Instant


class BestRead(Outgoing):
    """The composition that the model believes best, in physical units."""

    composition: dict[str, float]
    mean: float
    sd: float


class PropertyMapRead(Outgoing):
    """One property at every point of a map, in its own unit."""

    mean: list[float]
    sd: list[float]


class PosteriorRead(Outgoing):
    """What the model believes over the search space, in physical units."""

    points: list[dict[str, float]]
    mean: list[float]
    """Of the first objective."""
    sd: list[float]
    properties: dict[str, PropertyMapRead] = Field(default_factory=dict)
    """The same of every objective and outcome; empty in maps that an older version drew."""
    best: BestRead
