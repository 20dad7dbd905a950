"""Read model versions: lineage, metrics and the stored map of what the model believes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from service.errors import NotFound
from service.store import campaigns, models, retractions
from service.store.tables import ModelVersionRow


@dataclass(frozen=True)
class ModelVersion:
    """A trained model with its lineage."""

    id: str
    campaign_id: str
    kind: str
    name: str
    config_revision: int
    revision: int
    snapshot_hash: str
    seed: int
    started_from_id: str | None
    metrics: dict[str, Any]
    versions: dict[str, Any]
    artifact_sha256: str
    artifact_bytes: int
    created_at: datetime
    rests_on_retracted: bool
    """Whether it was trained on readings that are retracted now."""


def page(
    session: Session, campaign_id: str, after: str | None, limit: int, kind: str | None = None
) -> Sequence[ModelVersion]:
    """The first `limit` model versions after the id `after`, oldest first; those of one kind if it is given.

    Raises:
        NotFound: If there is no such campaign.
    """
    campaigns.get(session, campaign_id)
    rows = models.page(session, campaign_id, after, limit, kind)
    resting = retractions.resting_on_retracted(session, campaign_id, {row.revision for row, _ in rows})
    return [_version(row, size, rests_on_retracted=row.revision in resting) for row, size in rows]


def read(session: Session, model_version_id: str) -> ModelVersion:
    """One model version.

    Raises:
        NotFound: If there is no such version.
    """
    row, size = models.get(session, model_version_id)
    resting = retractions.resting_on_retracted(session, row.campaign_id, [row.revision])
    return _version(row, size, rests_on_retracted=bool(resting))


def posterior(session: Session, model_version_id: str) -> dict[str, Any]:
    """The map that was computed when the model was trained: nothing is computed here.

    Raises:
        NotFound: If there is no such version, or it was stored without a map.
    """
    found = models.posterior(session, model_version_id)
    if found is None:
        raise NotFound("posterior map of model version", model_version_id)
    return found


def _version(row: ModelVersionRow, size: int, *, rests_on_retracted: bool) -> ModelVersion:
    return ModelVersion(
        id=row.id,
        campaign_id=row.campaign_id,
        kind=row.kind,
        name=row.name,
        config_revision=row.config_revision,
        revision=row.revision,
        snapshot_hash=row.snapshot_hash,
        seed=row.seed,
        started_from_id=row.started_from_id,
        metrics=row.metrics,
        versions=row.versions,
        artifact_sha256=row.artifact_sha256,
        artifact_bytes=size,
        created_at=row.created_at,
        rests_on_retracted=rests_on_retracted,
    )
