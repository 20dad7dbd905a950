"""One campaign: its progress, its films, its model, what needs a person; all of it live."""

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import APIRouter, Request, Response
from sqlalchemy.orm import Session

from models.stopping import Stopping
from service.errors import NotFound
from service.operations import campaigns, events, insights, overview
from service.web.dependencies import CampaignId, SessionsDependency
from service.web.navigation import CAMPAIGN_TABS
from service.web.pages.progress import progress
from service.web.rendering import render

router = APIRouter()

LISTED = 40
"""Films in each list."""
EVENTS = 14
DECISIONS = 200
"""Decisions that the stop advice looks at."""


def _standing(session: Session, campaign_id: str) -> dict[str, Any]:
    found = overview.get(session, campaign_id)
    return {"seen": found, "actions": campaigns.allowed_actions(found.state)}


def _queue(session: Session, campaign_id: str) -> list[Any]:
    return list(overview.queue(session, campaign_id, LISTED))


def _flight(session: Session, campaign_id: str) -> list[overview.Flight]:
    return overview.flights(session, campaign_id, LISTED)


def _model(session: Session, campaign_id: str) -> dict[str, Any]:
    """The newest model, how far it can be trusted, and what it recommends."""
    version = overview.newest_model(session, campaign_id)
    found: dict[str, Any] = {"version": version, "calibration": None, "recommendation": None}
    if version is None:
        return found
    found["calibration"] = insights.calibration_of(session, version)
    try:
        found["recommendation"] = insights.recommendation(session, campaign_id)
    except NotFound:  # of several objectives, or not explained yet
        found["recommendation"] = None
    return found


def _advice(session: Session, campaign_id: str) -> insights.StopAdvice:
    return insights.stop_advice(session, campaign_id, Stopping(), DECISIONS)


def _events(session: Session, campaign_id: str) -> list[events.Event]:
    return overview.last_events(session, campaign_id, EVENTS)


Reader = Callable[[Session, str], Any]
PARTS: Mapping[str, Reader] = {
    "standing": _standing,
    "progress": progress,
    "queue": _queue,
    "flight": _flight,
    "model": _model,
    "advice": _advice,
    "events": _events,
}
"""Parts that live: `templates/campaign/<name>.html` shows what the function reads, under the part's own name."""
_TEMPLATES = {name: f"campaign/{name}.html" for name in PARTS}


@router.get("/campaigns/{campaign_id}")
def show_campaign(request: Request, campaign_id: CampaignId, sessions: SessionsDependency) -> Response:
    """The campaign as it stands."""
    return render(request, "campaign.html", **_seen(sessions, campaign_id), tabs=CAMPAIGN_TABS, tab="overview")


@router.get("/campaigns/{campaign_id}/parts")
def show_parts(request: Request, campaign_id: CampaignId, sessions: SessionsDependency) -> Response:
    """Everything of it that lives, fetched again whenever something happened."""
    return render(request, "parts.html", **_seen(sessions, campaign_id))


def _seen(sessions: Callable[[], Session], campaign_id: str) -> dict[str, Any]:
    with sessions() as session:
        # The number first: what happens while the rest is read comes by the stream.
        newest = events.newest(session, campaign_id)
        found = {name: read(session, campaign_id) for name, read in PARTS.items()}
        return {"campaign": campaigns.get(session, campaign_id), "newest": newest, "parts": _TEMPLATES, **found}
