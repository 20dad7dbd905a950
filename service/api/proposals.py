"""Where people and robots look at the queue. Nothing here changes anything."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from service.api.dependencies import After, CampaignId, Limit, ProposalId, SessionsDependency
from service.api.schemas.fields import Label, Page
from service.api.schemas.proposals import ProposalRead, ProposalState
from service.operations import proposals

router = APIRouter(tags=["robot"])


@router.get("/campaigns/{campaign_id}/proposals")
def list_proposals(
    campaign_id: CampaignId,
    sessions: SessionsDependency,
    state: Annotated[ProposalState | None, Query(description="Only proposals in this state.")] = None,
    after: After = None,
    limit: Limit = 100,
) -> Page[ProposalRead]:
    """Proposals of a campaign, oldest first."""
    with sessions() as session:
        found = proposals.page(session, campaign_id, state, after, limit + 1)
    shown = [ProposalRead.model_validate(p) for p in found[:limit]]
    return Page(items=shown, next=shown[-1].id if len(found) > limit else None)


@router.get(
    "/campaigns/{campaign_id}/proposals/next",
    response_model=ProposalRead,
    responses={204: {"description": "Nothing is ready."}},
)
def preview_next_proposal(
    campaign_id: CampaignId,
    sessions: SessionsDependency,
    robot: Annotated[Label | None, Query(description="Who asks; a robot with a lease sees its own film.")] = None,
) -> Response:
    """What the next claim would give; looking changes nothing."""
    with sessions() as session:
        found = proposals.upcoming(session, campaign_id, robot)
    if found is None:
        return Response(status_code=204)
    return Response(ProposalRead.model_validate(found).model_dump_json(), media_type="application/json")


@router.get("/proposals/{proposal_id}")
def read_proposal(proposal_id: ProposalId, sessions: SessionsDependency) -> ProposalRead:
    """One proposal."""
    with sessions() as session:
        return ProposalRead.model_validate(proposals.get(session, proposal_id))
