"""Leases: which robot may move which proposal, until when. Every time is the database's."""

import secrets
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from service.store.campaigns import FRESH
from service.store.ids import new_id
from service.store.rows import current
from service.store.tables import LeaseRow, ProposalRow


def get(session: Session, lease_id: str) -> LeaseRow:
    """One lease as it is now.

    Raises:
        NotFound: If there is none of this id.
    """
    return current(session, LeaseRow, lease_id, "lease")


def live_of(session: Session, campaign_id: str, robot: str) -> LeaseRow | None:
    """The robot's live lease in a campaign, lapsed or not."""
    here = (LeaseRow.campaign_id == campaign_id) & (LeaseRow.robot == robot) & (LeaseRow.state == "live")
    return session.scalars(select(LeaseRow).where(here).execution_options(populate_existing=True)).one_or_none()


def live_for(session: Session, proposal_id: str) -> LeaseRow | None:
    """The live lease of a proposal, lapsed or not."""
    here = (LeaseRow.proposal_id == proposal_id) & (LeaseRow.state == "live")
    return session.scalars(select(LeaseRow).where(here).execution_options(populate_existing=True)).one_or_none()


def grant(session: Session, proposal: ProposalRow, robot: str, ttl_s: int) -> LeaseRow:
    """Give a robot the lease of a proposal that was just taken off the queue, under the proposal's new fence."""
    granted = (
        insert(LeaseRow)
        .values(
            id=new_id("lse"),
            campaign_id=proposal.campaign_id,
            proposal_id=proposal.id,
            robot=robot,
            fence=proposal.fence,
            token=secrets.token_urlsafe(24),
            expires_at=func.now() + timedelta(seconds=ttl_s),
        )
        .returning(LeaseRow)
    )
    return session.scalars(granted).one()


def extend(session: Session, lease_id: str, seconds: int) -> LeaseRow:
    """Let a lease run for `seconds` from now."""
    change = (
        update(LeaseRow)
        .where(LeaseRow.id == lease_id)
        .values(expires_at=func.now() + timedelta(seconds=seconds))
        .returning(LeaseRow)
    )
    return session.scalars(change, execution_options=FRESH).one()


def end(session: Session, lease_ids: Sequence[str], state: str) -> None:
    """End live leases."""
    change = update(LeaseRow).where(LeaseRow.id.in_(lease_ids), LeaseRow.state == "live")
    session.execute(change.values(state=state, ended_at=func.now()), execution_options=FRESH)


def lapsed(session: Session, campaign_id: str, proposal_state: str) -> Sequence[tuple[LeaseRow, ProposalRow]]:
    """Live leases of a campaign whose time is over, of proposals in one state."""
    query = (
        select(LeaseRow, ProposalRow)
        .join(ProposalRow, ProposalRow.id == LeaseRow.proposal_id)
        .where(LeaseRow.campaign_id == campaign_id, LeaseRow.state == "live", LeaseRow.expires_at < func.now())
        .where(ProposalRow.state == proposal_state)
        .execution_options(populate_existing=True)
    )
    return [(row[0], row[1]) for row in session.execute(query)]


def campaigns_with_lapsed(session: Session) -> list[str]:
    """Campaigns in which some lease's time is over and nobody has said so yet."""
    query = (
        select(LeaseRow.campaign_id)
        .join(ProposalRow, ProposalRow.id == LeaseRow.proposal_id)
        .where(LeaseRow.state == "live", LeaseRow.expires_at < func.now())
        .where(ProposalRow.state.in_(("leased", "running")))
        .distinct()
    )
    return list(session.scalars(query))


def live_in(session: Session, campaign_id: str, proposal_state: str) -> Sequence[tuple[LeaseRow, ProposalRow]]:
    """Live leases of a campaign, of proposals in one state."""
    query = (
        select(LeaseRow, ProposalRow)
        .join(ProposalRow, ProposalRow.id == LeaseRow.proposal_id)
        .where(LeaseRow.campaign_id == campaign_id, LeaseRow.state == "live", ProposalRow.state == proposal_state)
        .execution_options(populate_existing=True)
    )
    return [(row[0], row[1]) for row in session.execute(query)]


def is_over(session: Session, lease_id: str) -> bool:
    """Whether a lease's time is over, by the database's clock."""
    return session.execute(select(LeaseRow.expires_at < func.now()).where(LeaseRow.id == lease_id)).scalar_one()
