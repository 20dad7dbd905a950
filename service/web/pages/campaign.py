"""One campaign: its progress, its films, its model, what needs a person; all of it live."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy.orm import Session

from service.operations import campaigns, events
from service.web.dependencies import CampaignId, SessionsDependency
from service.web.navigation import CAMPAIGN_TABS
from service.web.pages.progress import progress
from service.web.rendering import render

router = APIRouter()

Reader = Callable[[Session, str], Any]
PARTS: Mapping[str, Reader] = {"progress": progress}
"""Parts that live, in the order of the page: `templates/campaign/<name>.html` shows what the function reads under the
part's own name."""
_TEMPLATES = {name: f"campaign/{name}.html" for name in PARTS}
LARGEST_SEQ = 2**63 - 1


@router.get("/campaigns/{campaign_id}")
def show_campaign(request: Request, campaign_id: CampaignId, sessions: SessionsDependency) -> Response:
    """The campaign as it stands."""
    return render(request, "campaign.html", **_seen(sessions, campaign_id), tabs=CAMPAIGN_TABS, tab="overview")


@router.get("/campaigns/{campaign_id}/parts")
def show_parts(request: Request, campaign_id: CampaignId, sessions: SessionsDependency) -> Response:
    """Everything of it that lives, fetched again whenever something happened."""
    return render(request, "parts.html", **_seen(sessions, campaign_id))


@router.get("/campaigns/{campaign_id}/events")
async def follow_campaign(
    request: Request,
    campaign_id: CampaignId,
    after: Annotated[int, Query(ge=0, le=LARGEST_SEQ)] = 0,
) -> Response:
    """Events as they happen, for the page that is open."""
    seen = request.headers.get("last-event-id", "")
    stream: Response = await request.app.state.streams.open(campaign_id, int(seen) if seen.isdecimal() else after)
    return stream


def _seen(sessions: Callable[[], Session], campaign_id: str) -> dict[str, Any]:
    with sessions() as session:
        # The number first: what happens while the rest is read comes by the stream.
        newest = events.newest(session, campaign_id)
        found = {name: read(session, campaign_id) for name, read in PARTS.items()}
        return {"campaign": campaigns.get(session, campaign_id), "newest": newest, "parts": _TEMPLATES, **found}
