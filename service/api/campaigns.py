"""Where campaigns are created, read and moved from state to state."""

import hashlib
import json
import re
from typing import Annotated, Any

from fastapi import APIRouter, Header, Response
from fastapi.responses import JSONResponse
from sqlalchemy.orm import Session

from service.api.access import CallerDependency
from service.api.dependencies import (
    TAGS_PATTERN,
    After,
    AfterNumber,
    BellDependency,
    CallersDependency,
    CampaignId,
    ConfigurationNumber,
    Limit,
    OnceDependency,
    SessionsDependency,
)
from service.api.prior_data import taken
from service.api.problems import answers
from service.api.replies import answer_once, reply
from service.api.schemas.campaigns import (
    CampaignAct,
    CampaignChange,
    CampaignCreate,
    CampaignRead,
    ConfigurationRead,
)
from service.api.schemas.fields import Page
from service.errors import MalformedRequest, PreconditionMissing
from service.operations import campaigns, configurations, keys
from service.operations.idempotency import Body

router = APIRouter(tags=["researcher"])

_TAG = re.compile(r'"(\d{1,9})\.[0-9a-f]{32}"')
"""An entity tag of a campaign: the number of its configuration, and a hash of all that is told of it."""


@router.post("/campaigns", status_code=201, response_model=CampaignRead)
def create_campaign(
    campaign: CampaignCreate, once: OnceDependency, sessions: SessionsDependency, callers: CallersDependency
) -> Response:
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
        keys.grant(session, once.door.caller, created.id)
        for source in campaign.prior_data:
            taken(session, created.id, source, once.door.caller)
        if campaign.prior_data:
            created = campaigns.get(session, created.id)
        return 201, CampaignRead.of(created).model_dump(mode="json")

    answer = answer_once(sessions, once, effect)
    callers.forget_if_granted(once.door.caller)
    response = reply(answer)
    response.headers["ETag"] = etag(answer.body)
    response.headers["Location"] = f"/v1/campaigns/{answer.body['id']}"
    return response


@router.get("/campaigns")
def list_campaigns(
    caller: CallerDependency, sessions: SessionsDependency, after: After = None, limit: Limit = 100
) -> Page[CampaignRead]:
    """Campaigns that the key is good for, oldest first."""
    with sessions() as session:
        found = [CampaignRead.of(c) for c in campaigns.page(session, after, limit + 1, among=caller.campaigns)]
    return Page(items=found[:limit], next=found[limit - 1].id if len(found) > limit else None)


@router.get(
    "/campaigns/{campaign_id}",
    response_model=CampaignRead,
    responses={304: {"description": "The caller has the campaign as it is"}},
)
def read_campaign(
    campaign_id: CampaignId,
    sessions: SessionsDependency,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """One campaign, with an `ETag` that changes whenever it does."""
    with sessions() as session:
        body = CampaignRead.of(campaigns.get(session, campaign_id)).model_dump(mode="json")
    tag = etag(body)
    if if_none_match is not None and tag in {known.strip() for known in if_none_match.split(",")}:
        return Response(status_code=304, headers={"ETag": tag})
    return JSONResponse(body, headers={"ETag": tag})


@router.patch("/campaigns/{campaign_id}", response_model=CampaignRead, responses=answers(412, 428))
def change_campaign(
    *,
    campaign_id: CampaignId,
    wanted: CampaignChange,
    once: OnceDependency,
    sessions: SessionsDependency,
    bell: BellDependency,
    if_match: Annotated[
        str | None, Header(alias="If-Match", max_length=8192, description="`ETag` of what is to be changed.")
    ] = None,
) -> Response:
    """Put a new configuration in force: other bounds, another rule, another policy, budget or queue.

    `If-Match` must be an `ETag` of the campaign under the configuration that is in force; data that arrived since do
    not make it stale. Films that are ready are superseded if the problem changed, but for those that a person wants
    and that break no rule; films that were claimed are made as they were proposed.
    """
    seen = _configurations_seen(if_match)
    to_ring: list[str | None] = []

    def effect(session: Session) -> tuple[int, Body]:
        changed, job_id = configurations.change(session, campaign_id, seen, wanted.members(), wanted.others())
        to_ring.append(job_id)
        return 200, CampaignRead.of(changed).model_dump(mode="json")

    answer = answer_once(sessions, once, effect)
    for job_id in to_ring:
        bell.ring(job_id)
    response = reply(answer)
    response.headers["ETag"] = etag(answer.body)
    return response


@router.get("/campaigns/{campaign_id}/configurations")
def list_configurations(
    campaign_id: CampaignId, sessions: SessionsDependency, after: AfterNumber = 0, limit: Limit = 100
) -> Page[ConfigurationRead]:
    """Configurations of a campaign, in force or not, oldest first."""
    with sessions() as session:
        found = [ConfigurationRead.of(c) for c in configurations.page(session, campaign_id, after, limit + 1)]
    return Page(items=found[:limit], next=str(found[limit - 1].number) if len(found) > limit else None)


@router.get("/campaigns/{campaign_id}/configurations/{number}")
def read_configuration(
    campaign_id: CampaignId, number: ConfigurationNumber, sessions: SessionsDependency
) -> ConfigurationRead:
    """One numbered configuration: every proposal names the one that it was chosen under."""
    with sessions() as session:
        return ConfigurationRead.of(configurations.read(session, campaign_id, number))


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


def etag(body: dict[str, Any]) -> str:
    """The entity tag of a campaign, from all that is told of it."""
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:32]
    return f'"{body["config_revision"]}.{digest}"'


def _configurations_seen(if_match: str | None) -> set[int] | None:
    """Numbers of the configurations whose campaign the caller has read, by the entity tags of `etag`; None for all.

    Raises:
        PreconditionMissing: If the caller does not say.
        MalformedRequest: If the header is none.
    """
    if if_match is None:
        raise PreconditionMissing("the header If-Match is missing; read the campaign and send its ETag")
    if re.fullmatch(TAGS_PATTERN, if_match.strip()) is None:
        raise MalformedRequest("If-Match names entity tags in quotes, as in an ETag, or is *")
    tags = [tag.strip() for tag in if_match.split(",")]
    if tags == ["*"]:
        return None
    return {int(found[1]) for tag in tags if (found := _TAG.fullmatch(tag))}
