"""Every film of a campaign that was begun, newest first."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from service.operations import campaigns, ledger
from service.web.dependencies import CampaignId, SessionsDependency
from service.web.navigation import CAMPAIGN_TABS
from service.web.rendering import render

router = APIRouter()

SHOWN = 60
"""Films on one page."""


@router.get("/campaigns/{campaign_id}/films")
def show_films(
    request: Request,
    campaign_id: CampaignId,
    sessions: SessionsDependency,
    before: Annotated[str | None, Query(max_length=64)] = None,
) -> Response:
    """The films, each with what was proposed and what came of it."""
    with sessions() as session:
        campaign = campaigns.get(session, campaign_id)
        found = ledger.film_page(session, campaign_id, before, SHOWN + 1)
    shown, more = found[:SHOWN], len(found) > SHOWN
    return render(
        request,
        "films.html",
        campaign=campaign,
        films=shown,
        more=shown[-1].id if more else None,
        first=before is None,
        tabs=CAMPAIGN_TABS,
        tab="films",
    )
