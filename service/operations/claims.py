"""Claims: a robot takes the next film to make. A short transaction that computes nothing."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from service.errors import IllegalTransition, NothingReady
from service.operations import leases as under_lease
from service.operations import proposals as reading
from service.operations.budgets import refuse_if_spent
from service.operations.campaigns import allowed_actions
from service.operations.refill import refill
from service.store import campaigns, events, leases, proposals
from service.store.claims import Standing, standing
from service.store.session import lock_campaign


@dataclass(frozen=True)
class Claim:
    """A film to make and the lease under which to make it."""

    lease: under_lease.Lease
    proposal: reading.Proposal
    fresh: bool
    """False if the robot had this lease already."""
    job_id: str | None = None
    """Job to ring for after the commit."""


def claim(session: Session, campaign_id: str, robot: str, *, wait_for_decision: bool) -> Claim:
    """Lease the head of the queue to a robot, or give it the lease it holds.

    Args:
        session: The open transaction.
        campaign_id: The campaign.
        robot: Name of the robot; it holds at most one lease in a campaign.
        wait_for_decision: Give nothing while a decision that will have seen newer data is on its way.

    Raises:
        NotFound: If there is no such campaign.
        IllegalTransition: If the campaign is not active.
        BudgetSpent: If the budget has no room for another film.
        NothingReady: If there is nothing to claim now; the transaction must be rolled back.
    """
    # Most looks of waiting robots end before the lock; what was seen then is looked at again under it.
    _check(session, campaign_id, standing(session, campaign_id, robot), wait_for_decision=wait_for_decision)
    lock_campaign(session, campaign_id)
    here = standing(session, campaign_id, robot)
    if here.lapsed:
        # An expired lease goes back to the queue now, not at the next sweep: it may be what this robot gets.
        under_lease.expire_lapsed(session, campaign_id)
        here = standing(session, campaign_id, robot)
    _check(session, campaign_id, here, wait_for_decision=wait_for_decision)
    if here.lease_id is not None:
        held = leases.get(session, here.lease_id)
        return Claim(under_lease.lease_seen(held), reading.get(session, held.proposal_id), fresh=False)
    return _lease(session, campaign_id, robot, here)


def _check(session: Session, campaign_id: str, here: Standing, *, wait_for_decision: bool) -> None:
    if here.lapsed or here.lease_id is not None:
        return
    if here.state != "active":
        raise IllegalTransition("campaign", campaign_id, here.state, "claim", allowed_actions(here.state))
    if wait_for_decision and here.behind and here.deciding:
        raise NothingReady("a decision that has seen newer data is on its way")
    if not here.ready:
        refuse_if_spent(session, campaigns.config(session, campaign_id, here.config_revision))
        raise NothingReady("no proposal is ready")


def _lease(session: Session, campaign_id: str, robot: str, here: Standing) -> Claim:
    """Take the head of the queue. The campaign's lock is held."""
    # The lock keeps our own transactions apart; the row's lock also those of a person at the database's console.
    config = campaigns.config(session, campaign_id, here.config_revision)  # held on to, so that refill reads it once
    ready = proposals.first_ready(session, campaign_id, lock=True)
    if ready is not None:
        refuse_if_spent(session, config, len(ready.film["devices"]))
    proposal = None if ready is None else proposals.move(session, ready.id, ["ready"], "leased", raise_fence=True)
    if proposal is None:
        raise NothingReady("no proposal is ready")
    lease = leases.grant(session, proposal, robot, config.lease_ttl_s)
    told = {"lease_id": lease.id, "proposal_id": proposal.id, "robot": robot, "fence": lease.fence}
    events.append(session, campaign_id, "proposal.leased", told)
    job_id = refill(session, campaign_id)
    seen = reading.seen(proposal, None, here.revision)
    return Claim(under_lease.lease_seen(lease), seen, fresh=True, job_id=job_id)
