"""Figures of the whole record for those who watch it: small queries, whatever the record's size."""

from datetime import timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, column, extract, func, select, true
from sqlalchemy.dialects.postgresql import JSONB, distinct_on
from sqlalchemy.orm import Session

from service.store.jobs import DECIDE
from service.store.tables import (
    LEASE_STATES,
    OUTSTANDING,
    CampaignRow,
    JobRow,
    LeaseRow,
    MeasurementBatchRow,
    ModelVersionRow,
    ProposalRow,
)

RECENT = timedelta(hours=1)
"""How far back decisions and deaths of jobs are looked at."""


class Jobs(NamedTuple):
    """The queue of decisions."""

    pending: int
    leased: int
    oldest_due_s: float
    """How long the oldest job that could be done has waited; 0 if none waits."""
    silent_s: float
    """How long the lease of a job has been over without anybody taking the job; 0 if none has."""
    dead: int
    """Jobs that died within `RECENT`."""


class Decisions(NamedTuple):
    """Decisions that ended well within `RECENT`."""

    published: int
    median_s: float | None
    """From the wish to the proposal."""
    p95_s: float | None


def _age_s(earliest: ColumnElement[Any]) -> ColumnElement[float]:
    """Seconds since a time; 0 if there is none or if it is to come."""
    return func.greatest(func.coalesce(extract("epoch", func.now() - earliest), 0.0), 0.0)


def jobs(session: Session) -> Jobs:
    """How the queue of decisions stands."""
    row = JobRow
    pending, leased = row.state == "pending", row.state == "leased"
    query = select(
        func.count().filter(pending),
        func.count().filter(leased),
        _age_s(func.min(row.run_after).filter(pending)),
        _age_s(func.min(row.lease_until).filter(leased)),
        func.count().filter(row.state == "dead", row.updated_at > func.now() - RECENT),
    ).where(row.kind == DECIDE)
    found = session.execute(query).one()
    return Jobs(found[0], found[1], float(found[2]), float(found[3]), found[4])


def decisions(session: Session) -> Decisions:
    """How long recent decisions took."""
    took = extract("epoch", JobRow.updated_at - JobRow.created_at)
    query = select(
        func.count(), func.percentile_cont(0.5).within_group(took), func.percentile_cont(0.95).within_group(took)
    ).where(JobRow.kind == DECIDE, JobRow.state == "succeeded", JobRow.updated_at > func.now() - RECENT)
    found = session.execute(query).one()
    return Decisions(*found)


def proposals(session: Session) -> dict[str, int]:
    """Films that wait or are on their way, by state."""
    wanted = ("ready", *OUTSTANDING)
    query = select(ProposalRow.state, func.count()).where(ProposalRow.state.in_(wanted)).group_by(ProposalRow.state)
    counted = {row[0]: row[1] for row in session.execute(query)}
    return {state: counted.get(state, 0) for state in wanted}


def leases(session: Session) -> tuple[int, float]:
    """Leases that are held, and for how long one that is over has not been noticed, in seconds."""
    query = select(func.count(), _age_s(func.min(LeaseRow.expires_at))).where(LeaseRow.state == "live")
    held, over_s = session.execute(query).one()
    return held, float(over_s)


def leases_ended(session: Session) -> dict[str, int]:
    """How the leases ended that ended within `RECENT`."""
    recent = LeaseRow.ended_at > func.now() - RECENT
    query = select(LeaseRow.state, func.count()).where(recent).group_by(LeaseRow.state)
    counted = {row[0]: row[1] for row in session.execute(query)}
    return {state: counted.get(state, 0) for state in LEASE_STATES if state != "live"}


def campaigns(session: Session) -> dict[str, int]:
    """Campaigns by state."""
    return {
        row[0]: row[1] for row in session.execute(select(CampaignRow.state, func.count()).group_by(CampaignRow.state))
    }


def readings(session: Session) -> dict[str, int]:
    """Readings that were accepted, by campaign that is not over."""
    query = (
        select(CampaignRow.id, func.coalesce(func.sum(MeasurementBatchRow.accepted), 0))
        .outerjoin(MeasurementBatchRow, MeasurementBatchRow.campaign_id == CampaignRow.id)
        .where(CampaignRow.state.in_(("active", "paused", "draining")))
        .group_by(CampaignRow.id)
    )
    return {row[0]: int(row[1]) for row in session.execute(query)}


def behind(session: Session) -> dict[str, int]:
    """Revisions that the newest decision of each active campaign has not seen."""
    seen = func.coalesce(CampaignRow.decided_revision, 0)
    query = select(CampaignRow.id, CampaignRow.revision - seen).where(CampaignRow.state == "active")
    return {row[0]: row[1] for row in session.execute(query)}


def calibrations(session: Session) -> list[tuple[str, int, float, float]]:
    """How true the newest model of each active campaign is to films that it has not seen.

    Returns:
        Campaign, number of the property, share of readings within their 95 % intervals, mean log density.
    """
    newest = (
        select(ModelVersionRow.campaign_id, ModelVersionRow.metrics["objectives"].label("reports"))
        .join(CampaignRow, CampaignRow.id == ModelVersionRow.campaign_id)
        .where(CampaignRow.state == "active", ModelVersionRow.kind == "surrogate")
        .order_by(ModelVersionRow.campaign_id, ModelVersionRow.id.desc())
        .ext(distinct_on(ModelVersionRow.campaign_id))
        .subquery()
    )
    report = (
        func.jsonb_array_elements(newest.c.reports)
        .table_valued(column("value", JSONB), with_ordinality="number", name="report")
        .render_derived()
    )
    held_out = report.c.value["leave_film_out"]
    query = (
        select(
            newest.c.campaign_id,
            report.c.number - 1,
            held_out["coverage_95"].as_float(),
            held_out["log_density"].as_float(),
        )
        .select_from(newest.join(report, true()))
        .where(func.jsonb_typeof(held_out) == "object")
    )
    return [(row[0], row[1], row[2], row[3]) for row in session.execute(query)]
