"""All campaigns: state, best so far, films made, what needs a person."""

from fastapi import APIRouter, Request, Response

from service.operations import campaigns
from service.web.dependencies import SessionsDependency
from service.web.rendering import render

router = APIRouter()

SHOWN = 500
"""Campaigns on the page, the newest ones."""


@router.get("/")
def show_campaigns(request: Request, sessions: SessionsDependency) -> Response:
    """The first page."""
    with sessions() as session:
        found = campaigns.page(session, None, SHOWN)
    return render(request, "campaigns.html", campaigns=found)
