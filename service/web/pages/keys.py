"""Keys and the audit, for those who hand out keys."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from service.operations import keys, overview
from service.web.dependencies import AdminDependency, SessionsDependency
from service.web.rendering import render

router = APIRouter()

CHANGES = 100
"""Entries of the audit on one page."""
LARGEST_NUMBER = 2**63 - 1
KeyId = Annotated[str | None, Query(pattern=r"^[0-9a-z]{8}$")]
CampaignId = Annotated[str | None, Query(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


@router.get("/keys")
def show_keys(request: Request, sessions: SessionsDependency, visitor: AdminDependency) -> Response:
    """Every key, and what may be done with it."""
    with sessions() as session:
        found = keys.page(session, None, None)
        campaigns = overview.names(session)
    newest_first = sorted(found, key=lambda key: key.created_at, reverse=True)
    return render(
        request, "keys.html", keys=newest_first, roles=keys.ROLES, campaigns=campaigns, own_key=visitor.key_id
    )


@router.get("/audit")
def show_audit(
    *,
    request: Request,
    sessions: SessionsDependency,
    visitor: AdminDependency,  # noqa: ARG001 - it is what lets in
    before: Annotated[int, Query(ge=1, le=LARGEST_NUMBER)] = LARGEST_NUMBER,
    key: KeyId = None,
    campaign: CampaignId = None,
) -> Response:
    """Who changed what, newest first."""
    with sessions() as session:
        found = overview.last_changes(session, before, CHANGES + 1, key_id=key, campaign_id=campaign)
        names = {k.id: k.name for k in keys.page(session, None, None)}
    more = found[CHANGES - 1].number if len(found) > CHANGES else None
    return render(request, "audit.html", changes=found[:CHANGES], names=names, more=more, key=key, of_campaign=campaign)
