"""Claims: a robot takes the next film to make. A short transaction that computes nothing."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from service.errors import IllegalTransition, NothingReady
from service.operations import leases as under_lease
from service.operations import proposals as reading
from service.operations.campaigns import allowed_actions
from service.operations.refill import refill
from service.store import campaigns, events, jobs, leases, proposals
from service.store.session import lock_campaign
from service.store.tables import CampaignRow


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
        NothingReady: If there is nothing to claim now; the transaction must be rolled back.
    """
    # Most looks of waiting robots end before the lock; what was seen then is looked at again under it.
    held = _look(session, campaign_id, robot, wait_for_decision=wait_for_decision)
    if held is None:
        lock_campaign(session, campaign_id)
        held = _look(session, campaign_id, robot, wait_for_decision=wait_for_decision)
    return _lease(session, campaign_id, robot) if held is None else held


def _look(session: Session, campaign_id: str, robot: str, *, wait_for_decision: bool) -> Claim | None:
    """The robot's own lease; None if there is something else to claim."""
    campaign = campaigns.get(session, campaign_id)
    # An expired lease goes back to the queue now, not at the next sweep: it may be what this robot gets.
    if leases.any_lapsed(session, campaign_id):
        under_lease.expire_lapsed(session, campaign_id)
    held = leases.live_of(session, campaign_id, robot)
    if held is not None:
        return Claim(under_lease.lease_seen(held), reading.get(session, held.proposal_id), fresh=False)
    if campaign.state != "active":
        raise IllegalTransition("campaign", campaign_id, campaign.state, "claim", allowed_actions(campaign.state))
    if wait_for_decision and _decision_under_way(session, campaign):
        raise NothingReady("a decision that has seen newer data is on its way")
    if proposals.first_ready(session, campaign_id, lock=False) is None:
        raise NothingReady("no proposal is ready")
    return None


def _lease(session: Session, campaign_id: str, robot: str) -> Claim:
    """Take the head of the queue. The campaign's lock is held."""
    # The lock keeps our own transactions apart; the row's lock also those of a person at the database's console.
    ready = proposals.first_ready(session, campaign_id, lock=True)
    proposal = None if ready is None else proposals.move(session, ready.id, ["ready"], "leased", raise_fence=True)
    if proposal is None:
        raise NothingReady("no proposal is ready")
    campaign = campaigns.get(session, campaign_id)
    ttl_s = campaigns.config(session, campaign_id, campaign.config_revision).lease_ttl_s
    lease = leases.grant(session, proposal, robot, ttl_s)
    told = {"lease_id": lease.id, "proposal_id": proposal.id, "robot": robot, "fence": lease.fence}
    events.append(session, campaign_id, "proposal.leased", told)
    job_id = refill(session, campaign_id)
    seen = reading.seen(proposal, None, campaign.revision)
    return Claim(under_lease.lease_seen(lease), seen, fresh=True, job_id=job_id)


def _decision_under_way(session: Session, campaign: CampaignRow) -> bool:
    decided = -1 if campaign.decided_revision is None else campaign.decided_revision
    return decided < campaign.revision and bool(jobs.live(session, campaign.id))
