"""Where a campaign like another one is begun."""

from fastapi import APIRouter, Response
from sqlalchemy.orm import Session

from service.api.campaigns import etag
from service.api.dependencies import CallersDependency, CampaignId, OnceDependency, SessionsDependency
from service.api.prior_data import taken
from service.api.replies import answer_once, reply
from service.api.schemas.campaigns import CampaignClone, CampaignRead
from service.operations import campaigns, clones, keys
from service.operations.idempotency import Body

router = APIRouter(tags=["researcher"])


@router.post("/campaigns/{campaign_id}/clones", status_code=201, response_model=CampaignRead)
def clone_campaign(
    campaign_id: CampaignId,
    said: CampaignClone,
    once: OnceDependency,
    sessions: SessionsDependency,
    callers: CallersDependency,
) -> Response:
    """Create a draft campaign with the configuration that is in force in this one, but for what shall be otherwise.

    Films, readings and models stay where they are; the new campaign says in `cloned_from` where it began.
    """

    def effect(session: Session) -> tuple[int, Body]:
        cloned = clones.clone(session, campaign_id, said.name, said.changes.members(), said.changes.others())
        keys.grant(session, once.door.caller, cloned.id)
        for source in said.prior_data:
            taken(session, cloned.id, source, once.door.caller)
        return 201, CampaignRead.of(campaigns.get(session, cloned.id)).model_dump(mode="json")

    answer = answer_once(sessions, once, effect)
    callers.forget_if_granted(once.door.caller)
    response = reply(answer)
    response.headers["ETag"] = etag(answer.body)
    response.headers["Location"] = f"/v1/campaigns/{answer.body['id']}"
    return response
