"""When a campaign needs a decision, and how much room its budget leaves. Asked by everything that changes the queue."""

from sqlalchemy.orm import Session

from service.operations.budgets import films_left
from service.store import campaigns, events, jobs, proposals
from service.store.jobs import DECIDING
from service.store.session import lock_campaign
from service.store.tables import OUTSTANDING, CampaignConfigRow, CampaignRow


def request_decision(session: Session, campaign_id: str, wanted_revision: int) -> str | None:
    """Want a decision that has seen `wanted_revision`; wishes that wait become one job.

    Returns:
        Id of the pending job, to be rung for after the commit; None if the campaign does not decide now.
    """
    lock_campaign(session, campaign_id)
    wish = jobs.request(session, campaign_id, wanted_revision)
    if wish is None:
        return None
    if wish.campaign_state == "draining":
        _as_it_is(session, campaign_id)
    return wish.job_id


def refill(session: Session, campaign_id: str, *, pending_changed: bool = False) -> str | None:
    """Want a decision if the campaign is behind its data, or if another film could and should be proposed.

    Args:
        session: The open transaction.
        campaign_id: The campaign.
        pending_changed: Whether films in flight are other ones now, so that what is ready was chosen beside the truth.

    Returns:
        Id of the pending job, to be rung for after the commit; None if none is needed.
    """
    lock_campaign(session, campaign_id)
    campaign = _as_it_is(session, campaign_id)
    if campaign.state not in DECIDING:
        return None
    if campaign.state != "active":
        behind = (campaign.decided_revision or 0) < campaign.revision
        return _wanted(session, campaign) if behind else None
    if campaign.decided_revision is None or campaign.decided_revision < campaign.revision:
        return _wanted(session, campaign)
    config = campaigns.config(session, campaign_id, campaign.config_revision)
    wanted = wanted_films(session, config)
    if wanted > 0 and (pending_changed or proposals.count(session, campaign_id, ["ready"]) < wanted):
        return _wanted(session, campaign)
    return None


def _wanted(session: Session, campaign: CampaignRow) -> str | None:
    wish = jobs.request(session, campaign.id, campaign.revision)
    return None if wish is None else wish.job_id


def wanted_films(session: Session, config: CampaignConfigRow) -> int:
    """How many proposals should be ready: the queue's depth, or what the budget leaves if that is less."""
    left = films_left(session, config)
    return config.queue_depth if left is None else min(config.queue_depth, left)


def _as_it_is(session: Session, campaign_id: str) -> CampaignRow:
    """The campaign; one that is draining is completed when its last film was measured or given up."""
    campaign = campaigns.get(session, campaign_id)
    if campaign.state != "draining" or proposals.count(session, campaign_id, OUTSTANDING) > 0:
        return campaign
    campaigns.move(session, campaign_id, ["draining"], "completed")
    events.append(session, campaign_id, "campaign.completed", {"action": "drain"})
    return campaigns.get(session, campaign_id)
