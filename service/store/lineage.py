"""Queries on what came from what. Each gives plain rows; no reading is held, however many there are."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service.store.tables import (
    CampaignConfigRow,
    DecisionRow,
    FilmRow,
    InstrumentRow,
    MeasurementBatchRow,
    MeasurementRow,
    ModelVersionRow,
    ProposalRow,
    RevisionRow,
)


class Count(NamedTuple):
    """How large the graph of a campaign is."""

    revisions: int
    proposals: int
    batches: int


class ModelLine(NamedTuple):
    """Where a model version comes from."""

    id: str
    name: str
    config_revision: int
    revision: int
    started_from_id: str | None
    created_at: datetime


class ProposalLine(NamedTuple):
    """Where a proposal comes from, and what became of it."""

    id: str
    job_id: str | None
    source: str
    state: str
    config_revision: int
    revision: int
    model_version_id: str | None
    created_at: datetime
    film_id: str | None
    robot: str | None
    started_at: datetime | None


def count(session: Session, campaign_id: str) -> Count:
    """Sizes of the longest lists."""
    of = (RevisionRow, ProposalRow, MeasurementBatchRow)
    sizes = [
        session.execute(select(func.count()).select_from(table).where(table.campaign_id == campaign_id)).scalar_one()
        for table in of
    ]
    return Count(*sizes)


def configurations(session: Session, campaign_id: str) -> Sequence[tuple[int, datetime]]:
    """Number and time of each configuration."""
    row = CampaignConfigRow
    query = select(row.number, row.created_at).where(row.campaign_id == campaign_id).order_by(row.number)
    return [(found[0], found[1]) for found in session.execute(query)]


def revisions(session: Session, campaign_id: str) -> Sequence[tuple[int, str, str | None, datetime]]:
    """Number, cause, id of the cause and time of each revision of the dataset."""
    row = RevisionRow
    query = select(row.number, row.cause, row.cause_id, row.created_at).where(row.campaign_id == campaign_id)
    return [(f[0], f[1], f[2], f[3]) for f in session.execute(query.order_by(row.number))]


def models(session: Session, campaign_id: str) -> list[ModelLine]:
    """Every model version."""
    row = ModelVersionRow
    query = select(row.id, row.name, row.config_revision, row.revision, row.started_from_id, row.created_at)
    found = session.execute(query.where(row.campaign_id == campaign_id).order_by(row.id))
    return [ModelLine(*line) for line in found]


def proposals(session: Session, campaign_id: str) -> list[ProposalLine]:
    """Every proposal with its film."""
    row, film = ProposalRow, FilmRow
    query = (
        select(
            row.id,
            row.job_id,
            row.source,
            row.state,
            row.config_revision,
            row.revision,
            row.model_version_id,
            row.created_at,
            film.id,
            film.robot,
            film.started_at,
        )
        .outerjoin(film, film.proposal_id == row.id)
        .where(row.campaign_id == campaign_id)
        .order_by(row.id)
    )
    return [ProposalLine(*line) for line in session.execute(query)]


def beside(session: Session, campaign_id: str) -> dict[str, list[str]]:
    """Proposals whose films were in flight, by the decision that was made beside them."""
    row = DecisionRow
    query = select(row.job_id, row.inputs["pending"]).where(row.campaign_id == campaign_id, row.inputs.is_not(None))
    return {job_id: [film["proposal_id"] for film in pending or ()] for job_id, pending in session.execute(query)}


def batches(session: Session, campaign_id: str) -> Sequence[Any]:
    """Id, instrument's name, revision and time of every batch that brought something."""
    row = MeasurementBatchRow
    query = (
        select(row.id, InstrumentRow.name, row.revision, row.created_at)
        .join(InstrumentRow, InstrumentRow.id == row.instrument_id)
        .where(row.campaign_id == campaign_id, row.accepted > 0)
        .order_by(row.id)
    )
    return session.execute(query).all()


def read_films(session: Session, campaign_id: str) -> Sequence[tuple[str, str]]:
    """Batch and film wherever a batch has a reading of a film."""
    row = MeasurementRow
    query = select(row.batch_id, row.film_id).where(row.campaign_id == campaign_id, row.film_id.is_not(None)).distinct()
    return [(found[0], str(found[1])) for found in session.execute(query)]
