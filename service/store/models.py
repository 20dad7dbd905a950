"""Queries on model versions. "Model" always means a statistical model."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from service.errors import NotFound
from service.store.tables import ArtifactRow, ModelVersionRow


def page(session: Session, campaign_id: str, after: str | None, limit: int) -> Sequence[tuple[ModelVersionRow, int]]:
    """The first `limit` model versions of a campaign after the id `after`, oldest first, with their size in bytes."""
    query = (
        select(ModelVersionRow, ArtifactRow.size)
        .join(ArtifactRow, ArtifactRow.sha256 == ModelVersionRow.artifact_sha256)
        .where(ModelVersionRow.campaign_id == campaign_id)
        .order_by(ModelVersionRow.id)
        .limit(limit)
    )
    if after is not None:
        query = query.where(ModelVersionRow.id > after)
    return [(row[0], row[1]) for row in session.execute(query)]


def get(session: Session, model_version_id: str) -> tuple[ModelVersionRow, int]:
    """One model version with its size in bytes.

    Raises:
        NotFound: If there is none of this id.
    """
    query = (
        select(ModelVersionRow, ArtifactRow.size)
        .join(ArtifactRow, ArtifactRow.sha256 == ModelVersionRow.artifact_sha256)
        .where(ModelVersionRow.id == model_version_id)
    )
    row = session.execute(query).one_or_none()
    if row is None:
        raise NotFound("model version", model_version_id)
    return row[0], row[1]


def posterior(session: Session, model_version_id: str) -> dict[str, Any] | None:
    """The stored posterior map; none if there is no such version or it has no map."""
    query = select(ModelVersionRow.posterior).where(ModelVersionRow.id == model_version_id)
    return session.execute(query).scalar_one_or_none()


def insights(session: Session, model_version_id: str) -> dict[str, Any] | None:
    """What a researcher asks of a model, as the worker stored it; none if it stored nothing."""
    query = select(ModelVersionRow.insights).where(ModelVersionRow.id == model_version_id)
    return session.execute(query).scalar_one_or_none()


def newest(session: Session, campaign_id: str) -> ModelVersionRow | None:
    """The model version that has seen most of the campaign's data."""
    query = (
        select(ModelVersionRow)
        .where(ModelVersionRow.campaign_id == campaign_id)
        .order_by(ModelVersionRow.revision.desc(), ModelVersionRow.id.desc())
        .limit(1)
    )
    return session.scalars(query).one_or_none()


def store(session: Session, values: dict[str, Any]) -> None:
    """Insert one model version; its artifact is recorded already."""
    session.execute(insert(ModelVersionRow).values(values))
