"""What happened in a campaign, to be read on from any point."""

from dataclasses import asdict

from fastapi import APIRouter

from service.api.dependencies import AfterSeq, CampaignId, Limit, SessionsDependency
from service.api.schemas.events import EventPage, EventRead
from service.operations import events

router = APIRouter(tags=["researcher"])


@router.get("/campaigns/{campaign_id}/events")
def list_events(
    campaign_id: CampaignId, sessions: SessionsDependency, after: AfterSeq = 0, limit: Limit = 100
) -> EventPage:
    """Events after a number, oldest first."""
    with sessions() as session:
        found = [EventRead(**asdict(e)) for e in events.page(session, campaign_id, after, limit)]
    return EventPage(items=found, next=found[-1].seq if found else after)
