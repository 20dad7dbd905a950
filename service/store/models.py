"""Queries on model versions. "Model" always means a statistical model."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, func, insert, select, update
from sqlalchemy.orm import Session

from service.errors import NotFound
from service.store.rows import after_id
from service.store.tables import ArtifactRow, ModelVersionRow

SURROGATE, GENERATOR = "surrogate", "generator"
"""Kinds of models."""


def page(
    session: Session, campaign_id: str, after: str | None, limit: int, kind: str | None = None
) -> Sequence[tuple[ModelVersionRow, int]]:
    """The first `limit` model versions of a campaign after the id `after`, oldest first, with their size in bytes."""
    query = (
        select(ModelVersionRow, ArtifactRow.size)
        .join(ArtifactRow, ArtifactRow.sha256 == ModelVersionRow.artifact_sha256)
        .where(ModelVersionRow.campaign_id == campaign_id)
    )
    if kind is not None:
        query = query.where(ModelVersionRow.kind == kind)
    return [(row[0], row[1]) for row in session.execute(after_id(query, ModelVersionRow.id, after, limit))]


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


def artifacts(session: Session, campaign_id: str) -> list[str]:
    """Hashes of the files that hold the campaign's models, each once."""
    query = select(ModelVersionRow.artifact_sha256).where(ModelVersionRow.campaign_id == campaign_id).distinct()
    return sorted(session.scalars(query))


def posterior(session: Session, model_version_id: str) -> dict[str, Any] | None:
    """The stored posterior map; none if there is no such version or it has no map."""
    query = select(ModelVersionRow.posterior).where(ModelVersionRow.id == model_version_id)
    return session.execute(query).scalar_one_or_none()


def insights(session: Session, model_version_id: str) -> dict[str, Any] | None:
    """What a researcher asks of a model, as the worker stored it; none if it stored nothing."""
    query = select(ModelVersionRow.insights).where(ModelVersionRow.id == model_version_id)
    return session.execute(query).scalar_one_or_none()


def explain(session: Session, model_version_id: str, insights: dict[str, Any]) -> bool:
    """Store what a researcher asks of a model; False if that was done before."""
    here = (ModelVersionRow.id == model_version_id) & ModelVersionRow.insights.is_(None)
    change = update(ModelVersionRow).where(here).values(insights=insights).returning(ModelVersionRow.id)
    return session.execute(change).one_or_none() is not None


def unexplained(session: Session, campaign_id: str, snapshot_hash: str, artifact_sha256: str) -> str | None:
    """Id of the version of this dataset and artifact, if nothing was stored yet of what a researcher asks of it."""
    query = (
        select(ModelVersionRow.id)
        .where(ModelVersionRow.campaign_id == campaign_id, ModelVersionRow.snapshot_hash == snapshot_hash)
        .where(ModelVersionRow.artifact_sha256 == artifact_sha256, ModelVersionRow.insights.is_(None))
        .order_by(ModelVersionRow.id.desc())
        .limit(1)
    )
    return session.scalars(query).one_or_none()


def newest_with(session: Session, campaign_id: str, insight: str) -> tuple[ModelVersionRow, dict[str, Any]] | None:
    """The model version with most data of those that say something of a kind, and what it says."""
    said = ModelVersionRow.insights[insight]
    query = (
        select(ModelVersionRow, said)
        .where(ModelVersionRow.campaign_id == campaign_id, func.jsonb_typeof(said) == "object")
        .order_by(ModelVersionRow.revision.desc(), ModelVersionRow.id.desc())
        .limit(1)
    )
    found = session.execute(query).one_or_none()
    return None if found is None else (found[0], found[1])


def newest(session: Session, campaign_id: str, kind: str = SURROGATE) -> ModelVersionRow | None:
    """The model version of a kind that has seen most of the campaign's data."""
    return session.scalars(_newest_first(campaign_id, kind).limit(1)).one_or_none()


def newest_healthy_generator(session: Session, campaign_id: str) -> ModelVersionRow | None:
    """The generator that has seen most of the campaign's data, of those that may be used."""
    verdict = ModelVersionRow.metrics["health"]["verdict"].astext
    return session.scalars(_newest_first(campaign_id, GENERATOR).where(verdict == "healthy").limit(1)).one_or_none()


def _newest_first(campaign_id: str, kind: str) -> Select[ModelVersionRow]:
    query = select(ModelVersionRow).where(ModelVersionRow.campaign_id == campaign_id, ModelVersionRow.kind == kind)
    return query.order_by(ModelVersionRow.revision.desc(), ModelVersionRow.id.desc())


def store(session: Session, values: dict[str, Any]) -> None:
    """Insert one model version; its artifact is recorded already."""
    session.execute(insert(ModelVersionRow).values(values))
