"""Where campaigns are created, read and moved from state to state."""

import hashlib
import json
from typing import Annotated, Any

from fastapi import APIRouter, Header, Response
from fastapi.responses import JSONResponse
from sqlalchemy.orm import Session

from service.api.dependencies import After, BellDependency, CampaignId, Limit, OnceDependency, SessionsDependency
from service.api.replies import answer_once, reply
from service.api.schemas.campaigns import CampaignAct, CampaignCreate, CampaignRead
from service.api.schemas.fields import Page
from service.operations import campaigns
from service.operations.idempotency import Body

router = APIRouter(tags=["researcher"])


@router.post("/campaigns", status_code=201, response_model=CampaignRead)
def create_campaign(campaign: CampaignCreate, once: OnceDependency, sessions: SessionsDependency) -> Response:
    """Create a draft campaign. Nothing is proposed before it is activated."""

    def effect(session: Session) -> tuple[int, Body]:
        created = campaigns.create(
            session,
            campaign.name,
            campaign.problem,
            queue_depth=campaign.queue_depth,
            budget_films=campaign.budget.films,
            budget_devices=campaign.budget.devices,
            budget_hours=campaign.budget.hours,
            lease_ttl_s=campaign.lease.ttl_s,
            lease_overdue_s=campaign.lease.overdue_s,
        )
        return 201, CampaignRead.of(created).model_dump(mode="json")

    answer = answer_once(sessions, once, effect)
    response = reply(answer)
    response.headers["ETag"] = _etag(answer.body)
    response.headers["Location"] = f"/v1/campaigns/{answer.body['id']}"
    return response


@router.get("/campaigns")
def list_campaigns(sessions: SessionsDependency, after: After = None, limit: Limit = 100) -> Page[CampaignRead]:
    """Campaigns, oldest first."""
    with sessions() as session:
        found = [CampaignRead.of(c) for c in campaigns.page(session, after, limit + 1)]
    return Page(items=found[:limit], next=found[limit - 1].id if len(found) > limit else None)


@router.get("/campaigns/{campaign_id}", response_model=CampaignRead)
def read_campaign(
    campaign_id: CampaignId,
    sessions: SessionsDependency,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """One campaign, with an `ETag` that changes whenever it does."""
    with sessions() as session:
        body = CampaignRead.of(campaigns.get(session, campaign_id)).model_dump(mode="json")
    etag = _etag(body)
    if if_none_match is not None and etag in {tag.strip() for tag in if_none_match.split(",")}:
        return Response(status_code=304, headers={"ETag": etag})
    return JSONResponse(body, headers={"ETag": etag})


@router.post("/campaigns/{campaign_id}/actions", response_model=CampaignRead)
def act_on_campaign(
    campaign_id: CampaignId,
    wanted: CampaignAct,
    once: OnceDependency,
    sessions: SessionsDependency,
    bell: BellDependency,
) -> Response:
    """Activate, pause, resume, drain, complete or abort a campaign.

    A draining campaign offers no more films and is completed by itself when its last film was measured or given up.
    """
    to_ring: list[str | None] = []

    def effect(session: Session) -> tuple[int, Body]:
        campaign, job_id = campaigns.act(session, campaign_id, wanted.action)
        to_ring.append(job_id)
        return 200, CampaignRead.of(campaign).model_dump(mode="json")

    answer = answer_once(sessions, once, effect)
    for job_id in to_ring:
        bell.ring(job_id)
    return reply(answer)


def _etag(body: dict[str, Any]) -> str:
    return f'"{hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:32]}"'
