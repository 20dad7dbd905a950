"""What people look at first: every campaign in a few numbers; what waits and what is on its way in one of them."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import func, select, true
from sqlalchemy.orm import Session, aliased

from service.store.tables import (
    OUTSTANDING,
    AuditRow,
    CampaignConfigRow,
    CampaignRow,
    DecisionRow,
    EventRow,
    FilmRow,
    JobRow,
    LeaseRow,
    MeasurementBatchRow,
    ModelVersionRow,
    ProposalRow,
)


def newest_campaigns(
    session: Session, among: Collection[str] | None, limit: int
) -> Sequence[tuple[CampaignRow, CampaignConfigRow]]:
    """The last `limit` campaigns that were made, newest first, each with the configuration in force.

    Args:
        session: The open transaction.
        among: Ids of those that may be told of; None for all.
        limit: How many.
    """
    in_force = (CampaignConfigRow.campaign_id == CampaignRow.id) & (
        CampaignConfigRow.number == CampaignRow.config_revision
    )
    query = select(CampaignRow, CampaignConfigRow).join(CampaignConfigRow, in_force)
    if among is not None:
        query = query.where(CampaignRow.id.in_(among))
    found = session.execute(query.order_by(CampaignRow.id.desc()).limit(limit))
    return [(row[0], row[1]) for row in found]


def newest_decisions(session: Session, campaign_ids: Collection[str]) -> dict[str, DecisionRow]:
    """The last line of each campaign's history that says what is best, as far as there is one."""
    newest = (
        select(DecisionRow)
        .where(DecisionRow.campaign_id == CampaignRow.id, DecisionRow.best_mean.is_not(None))
        .order_by(DecisionRow.revision.desc(), DecisionRow.created_at.desc())
        .limit(1)
        .lateral()
    )
    decision = aliased(DecisionRow, newest)
    query = select(decision).select_from(CampaignRow).join(newest, true()).where(CampaignRow.id.in_(campaign_ids))
    return {row.campaign_id: row for row in session.scalars(query)}


def proposals_by_state(session: Session, campaign_ids: Collection[str]) -> dict[tuple[str, str], int]:
    """Films that wait or are on their way, by campaign and state."""
    query = (
        select(ProposalRow.campaign_id, ProposalRow.state, func.count())
        .where(ProposalRow.campaign_id.in_(campaign_ids), ProposalRow.state.in_(("ready", *OUTSTANDING)))
        .group_by(ProposalRow.campaign_id, ProposalRow.state)
    )
    return {(row[0], row[1]): row[2] for row in session.execute(query)}


def readings(session: Session, campaign_ids: Collection[str]) -> dict[str, int]:
    """Readings that were ever taken, by campaign."""
    query = (
        select(MeasurementBatchRow.campaign_id, func.sum(MeasurementBatchRow.accepted))
        .where(MeasurementBatchRow.campaign_id.in_(campaign_ids))
        .group_by(MeasurementBatchRow.campaign_id)
    )
    return {row[0]: int(row[1]) for row in session.execute(query)}


def undecided(session: Session, campaign_ids: Collection[str]) -> set[str]:
    """Campaigns whose last job is dead: no decision was made from their newest data."""
    last = (
        select(JobRow.campaign_id, JobRow.state)
        .where(JobRow.campaign_id == CampaignRow.id)
        .order_by(JobRow.id.desc())
        .limit(1)
        .lateral()
    )
    query = select(CampaignRow.id).join(last, true()).where(CampaignRow.id.in_(campaign_ids), last.c.state == "dead")
    return set(session.scalars(query))


def last_events(session: Session, campaign_id: str, limit: int) -> Sequence[EventRow]:
    """The last `limit` events of a campaign, newest first."""
    query = select(EventRow).where(EventRow.campaign_id == campaign_id).order_by(EventRow.seq.desc()).limit(limit)
    return session.scalars(query).all()


def queue(session: Session, campaign_id: str, limit: int) -> Sequence[ProposalRow]:
    """Films that are ready, in the order in which robots will get them."""
    query = (
        select(ProposalRow)
        .where(ProposalRow.campaign_id == campaign_id, ProposalRow.state == "ready")
        .order_by(ProposalRow.priority.desc(), ProposalRow.revision.desc(), ProposalRow.rank, ProposalRow.id)
        .limit(limit)
    )
    return session.scalars(query).all()


def newest_surrogate(session: Session, campaign_id: str) -> str | None:
    """Id of the model of the properties that has seen most of the campaign's data."""
    row = ModelVersionRow
    query = select(row.id).where(row.campaign_id == campaign_id, row.kind == "surrogate")
    return session.scalars(query.order_by(row.revision.desc(), row.id.desc()).limit(1)).one_or_none()


def names(session: Session) -> dict[str, str]:
    """Name of every campaign by its id, newest first."""
    query = select(CampaignRow.id, CampaignRow.name).order_by(CampaignRow.id.desc())
    return {row[0]: row[1] for row in session.execute(query)}


def last_changes(
    session: Session, before: int, limit: int, *, key_id: str | None, campaign_id: str | None
) -> Sequence[AuditRow]:
    """The last `limit` entries of the audit with a number below `before`, newest first."""
    query = select(AuditRow).where(AuditRow.number < before)
    if key_id is not None:
        query = query.where(AuditRow.key_id == key_id)
    if campaign_id is not None:
        query = query.where(AuditRow.campaign_id == campaign_id)
    return session.scalars(query.order_by(AuditRow.number.desc()).limit(limit)).all()


class Flight(NamedTuple):
    """A film on its way: promised, in the making, or made and not measured."""

    proposal: ProposalRow
    lease: LeaseRow | None
    film: FilmRow | None


def flights(session: Session, campaign_id: str, limit: int) -> list[Flight]:
    """Films on their way, those that were promised first before the others."""
    live = (LeaseRow.proposal_id == ProposalRow.id) & (LeaseRow.state == "live")
    query = (
        select(ProposalRow, LeaseRow, FilmRow)
        .outerjoin(LeaseRow, live)
        .outerjoin(FilmRow, FilmRow.proposal_id == ProposalRow.id)
        .where(ProposalRow.campaign_id == campaign_id, ProposalRow.state.in_(OUTSTANDING))
        .order_by(ProposalRow.updated_at, ProposalRow.id)
        .limit(limit)
    )
    return [Flight(*row) for row in session.execute(query)]
