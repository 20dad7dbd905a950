"""All campaigns: state, best so far, films made, what needs a person."""

from fastapi import APIRouter, Request, Response

from service.operations import overview
from service.web.dependencies import SessionsDependency, VisitorDependency
from service.web.rendering import render

router = APIRouter()

SHOWN = 300
"""Campaigns on the page, the newest ones."""


@router.get("/")
def show_campaigns(request: Request, sessions: SessionsDependency, visitor: VisitorDependency) -> Response:
    """The first page."""
    with sessions() as session:
        found = overview.page(session, SHOWN, visitor.campaigns)
    return render(request, "campaigns.html", campaigns=found)
