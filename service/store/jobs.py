"""Jobs: one pending and one running decision per campaign, each with a lease by the database's clock and a fence."""

from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import (
    Exists,
    Integer,
    Interval,
    Text,
    any_,
    bindparam,
    cast,
    func,
    literal,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import array, insert
from sqlalchemy.orm import Session, aliased
from sqlalchemy.sql.dml import ReturningInsert

from service.store.campaigns import FRESH
from service.store.ids import new_id
from service.store.statements import Statement
from service.store.tables import CampaignConfigRow, CampaignRow, JobRow, ProposalRow, table_of

DECIDING = ("active", "draining", "completed")
"""States of a campaign in which new data are learned from. Only an active campaign proposes films as well."""
LIVE = ("pending", "leased")
DECIDE, TRAIN = "decide", "train"
"""Kinds of work: to choose films, and to train the campaign's generator. Neither waits for the other."""
LEASE_S = 30
"""Seconds that a worker may be silent before its job is given to another."""
MAX_ATTEMPTS = 5
"""Attempts after which a job is dead."""
DEAD_PAUSE_S = 600
"""Seconds after a job's death in which the sweep does not ask for the same decision again; news does at once."""


class Wish(NamedTuple):
    """What became of the wish for a decision."""

    job_id: str
    """The pending job."""
    campaign_state: str


def request(session: Session, campaign_id: str, wanted_revision: int, kind: str = DECIDE) -> Wish | None:
    """Want work of a kind: insert the campaign's one pending job of it, or let the one that waits cover this wish too.

    Returns:
        None if the campaign is in a state in which nothing is decided.
    """
    wish = {"id": new_id("job"), "campaign_id": campaign_id, "wanted_revision": wanted_revision, "kind": kind}
    found = _REQUEST.first(session, wish)
    return None if found is None else Wish(*found)


def _requesting() -> ReturningInsert[str, str]:
    job, campaign = table_of(JobRow), table_of(CampaignRow)
    here = campaign.c.id == bindparam("campaign_id")
    wish = select(
        bindparam("id", type_=Text),
        campaign.c.id,
        bindparam("kind", type_=Text),
        bindparam("wanted_revision", type_=Integer),
    ).where(here, campaign.c.state == any_(array(DECIDING)))
    row = insert(job).from_select(["id", "campaign_id", "kind", "wanted_revision"], wish)
    latest = func.greatest(job.c.wanted_revision, row.excluded.wanted_revision)
    return row.on_conflict_do_update(
        index_elements=["campaign_id", "kind"],
        index_where=text("state = 'pending'"),  # written out: a bound value does not match the index in a generic plan
        set_={"wanted_revision": latest, "updated_at": func.now()},
    ).returning(job.c.id, select(campaign.c.state).where(here).scalar_subquery())


_REQUEST = Statement(_requesting())


def get(session: Session, job_id: str) -> JobRow | None:
    """One job as it is now."""
    return session.scalars(
        select(JobRow).where(JobRow.id == job_id).execution_options(populate_existing=True)
    ).one_or_none()


def live(session: Session, campaign_id: str, kind: str = DECIDE) -> Sequence[JobRow]:
    """The pending and the running job of a kind of a campaign, as far as there are any."""
    query = select(JobRow).where(JobRow.campaign_id == campaign_id, JobRow.kind == kind, JobRow.state.in_(LIVE))
    return session.scalars(query.execution_options(populate_existing=True)).all()


def lease(session: Session, job_id: str, worker: str) -> JobRow | None:
    """Take a pending job that is due, unless another of its campaign and kind runs; None if it cannot be taken."""
    running = _running()
    change = (
        update(JobRow)
        .where(JobRow.id == job_id, JobRow.state == "pending", JobRow.run_after <= func.now(), ~running)
        .values(
            state="leased",
            fence=JobRow.fence + 1,
            attempt=JobRow.attempt + 1,
            lease_until=func.now() + timedelta(seconds=LEASE_S),
            worker=worker,
            updated_at=func.now(),
        )
        .returning(JobRow)
    )
    return session.scalars(change, execution_options=FRESH).one_or_none()


def renew(session: Session, job_id: str, fence: int) -> bool:
    """Let a running job's lease start anew; False if the fence no longer holds."""
    change = (
        update(JobRow)
        .where(JobRow.id == job_id, JobRow.fence == fence, JobRow.state == "leased", JobRow.lease_until >= func.now())
        .values(lease_until=func.now() + timedelta(seconds=LEASE_S), updated_at=func.now())
        .returning(JobRow.id)
    )
    return session.execute(change, execution_options=FRESH).one_or_none() is not None


def finish(session: Session, job_id: str, fence: int, state: str, error: str | None = None) -> bool:
    """End a running job; False if the fence no longer holds."""
    change = (
        update(JobRow)
        .where(JobRow.id == job_id, JobRow.fence == fence, JobRow.state == "leased")
        .values(state=state, error=error, lease_until=None, updated_at=func.now())
        .returning(JobRow.id)
    )
    return session.execute(change, execution_options=FRESH).one_or_none() is not None


def put_back(session: Session, job: JobRow, delay_s: float, error: str) -> str:
    """Let a running job wait for another attempt. If the campaign has a pending job already, that one carries on.

    Returns:
        Id of the job that is pending now.
    """
    later = func.now() + cast(literal(timedelta(seconds=delay_s)), Interval)
    waiting = (
        update(JobRow)
        .where(JobRow.campaign_id == job.campaign_id, JobRow.kind == job.kind, JobRow.state == "pending")
        .values(
            attempt=func.greatest(JobRow.attempt, job.attempt),
            wanted_revision=func.greatest(JobRow.wanted_revision, job.wanted_revision),
            run_after=func.greatest(JobRow.run_after, later),
            updated_at=func.now(),
        )
        .returning(JobRow.id)
    )
    carried_on: str | None = session.execute(waiting, execution_options=FRESH).scalar_one_or_none()
    state = "pending" if carried_on is None else "failed"
    back = update(JobRow).where(JobRow.id == job.id, JobRow.state == "leased", JobRow.fence == job.fence)
    values = {"state": state, "run_after": later, "lease_until": None, "error": error, "updated_at": func.now()}
    session.execute(back.values(values), execution_options=FRESH)
    return carried_on or job.id


def expired(session: Session, campaign_id: str | None = None) -> Sequence[JobRow]:
    """Running jobs whose worker has been silent too long."""
    query = select(JobRow).where(JobRow.state == "leased", JobRow.lease_until < func.now())
    if campaign_id is not None:
        query = query.where(JobRow.campaign_id == campaign_id)
    return session.scalars(query.execution_options(populate_existing=True)).all()


def leased_by(session: Session, worker: str) -> Sequence[JobRow]:
    """Running jobs of one worker."""
    return session.scalars(select(JobRow).where(JobRow.state == "leased", JobRow.worker == worker)).all()


def due(session: Session, kind: str = DECIDE) -> list[str]:
    """Pending jobs of a kind that a worker could take now."""
    query = select(JobRow.id).where(JobRow.kind == kind, JobRow.state == "pending", JobRow.run_after <= func.now())
    return list(session.scalars(query.where(~_running()).order_by(JobRow.id)))


def _running() -> Exists:
    """Whether another job of the same campaign and kind runs."""
    other = aliased(JobRow)
    same = (other.campaign_id == JobRow.campaign_id) & (other.kind == JobRow.kind)
    return select(other.id).where(same, other.state == "leased").exists()


def campaigns_to_decide(session: Session) -> list[str]:
    """Campaigns behind their data or short of ready proposals, for which no job waits, runs or just died."""
    jobs = select(JobRow.id).where(JobRow.campaign_id == CampaignRow.id, JobRow.kind == DECIDE)
    in_work = jobs.where(JobRow.state.in_(LIVE)).exists()
    pause = func.now() - timedelta(seconds=DEAD_PAUSE_S)
    given_up = jobs.where(JobRow.state == "dead", JobRow.wanted_revision >= CampaignRow.revision)
    ready = (
        select(func.count())
        .where(ProposalRow.campaign_id == CampaignRow.id, ProposalRow.state == "ready")
        .scalar_subquery()
    )
    in_force = (CampaignConfigRow.campaign_id == CampaignRow.id) & (
        CampaignConfigRow.number == CampaignRow.config_revision
    )
    behind = func.coalesce(CampaignRow.decided_revision, -1) < CampaignRow.revision
    late = func.coalesce(CampaignRow.decided_revision, 0) < CampaignRow.revision
    active, ending = CampaignRow.state == "active", CampaignRow.state.in_(("draining", "completed"))
    query = (
        select(CampaignRow.id)
        .join(CampaignConfigRow, in_force)
        .where(or_(active & (behind | (ready < CampaignConfigRow.queue_depth)), ending & late), ~in_work)
        .where(~given_up.where(JobRow.updated_at > pause).exists())
    )
    return list(session.scalars(query))
