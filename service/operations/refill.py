"""When a campaign needs a decision, and how much room its budget leaves. Asked by everything that changes the queue."""

from sqlalchemy.orm import Session

from service.store import campaigns, jobs, proposals
from service.store.session import lock_campaign
from service.store.tables import CampaignConfigRow


def request_decision(session: Session, campaign_id: str, wanted_revision: int) -> str | None:
    """Want a decision that has seen `wanted_revision`; wishes that wait become one job.

    Returns:
        Id of the pending job, to be rung for after the commit; None if the campaign is not active.
    """
    lock_campaign(session, campaign_id)
    if campaigns.get(session, campaign_id).state != "active":
        return None
    return jobs.request(session, campaign_id, wanted_revision)


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
    campaign = campaigns.get(session, campaign_id)
    if campaign.state != "active":
        return None
    if campaign.decided_revision is None or campaign.decided_revision < campaign.revision:
        return jobs.request(session, campaign_id, campaign.revision)
    config = campaigns.config(session, campaign_id, campaign.config_revision)
    wanted = wanted_films(session, config)
    if wanted > 0 and (pending_changed or proposals.count(session, campaign_id, ["ready"]) < wanted):
        return jobs.request(session, campaign_id, campaign.revision)
    return None


def wanted_films(session: Session, config: CampaignConfigRow) -> int:
    """How many proposals should be ready: the queue's depth, or what the budget leaves if that is less."""
    left = films_left(session, config)
    return config.queue_depth if left is None else min(config.queue_depth, left)


def films_left(session: Session, config: CampaignConfigRow) -> int | None:
    """How many films the budget leaves; None if there is no budget."""
    if config.budget_films is None:
        return None
    return max(0, config.budget_films - proposals.count(session, config.campaign_id, proposals.SPENT))
