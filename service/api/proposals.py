"""Where people and robots look at the queue, and people say what they want of it."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Query, Response
from sqlalchemy.orm import Session

from service.api.dependencies import (
    After,
    BellDependency,
    CampaignId,
    Limit,
    Once,
    OnceDependency,
    ProposalId,
    SessionsDependency,
)
from service.api.replies import answer_once, reply
from service.api.schemas.fields import Label, Page
from service.api.schemas.proposals import InputsRead, ProposalAct, ProposalCreate, ProposalRead, ProposalState
from service.operations import proposals, wishes
from service.operations.idempotency import Body
from service.operations.proposals import Proposal
from service.operations.wishes import WantedFilm
from service.store.bell import Bell
from service.store.session import Sessions

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


@router.get("/proposals/{proposal_id}/inputs")
def read_inputs(proposal_id: ProposalId, sessions: SessionsDependency) -> InputsRead:
    """What else than dataset, configuration and model a proposal was computed from, to the last digit."""
    with sessions() as session:
        return InputsRead.model_validate(proposals.inputs(session, proposal_id))


@router.post("/campaigns/{campaign_id}/proposals", status_code=201, response_model=ProposalRead)
def propose_film(
    *,
    campaign_id: CampaignId,
    wanted: ProposalCreate,
    once: OnceDependency,
    sessions: SessionsDependency,
    bell: BellDependency,
) -> Response:
    """Put a film of a person's own at the head of the queue. It obeys the campaign's rules and counts in its budget.

    No decision supersedes it, and the next ones are made knowing that it will be there.
    """
    commands = wanted.commands
    film = WantedFilm(
        a=wanted.a,
        b=wanted.b,
        commands_a=None if commands is None else commands.a,
        commands_b=None if commands is None else commands.b,
        process=wanted.process,
    )
    return _answer(sessions, once, bell, 201, lambda session: wishes.inject(session, campaign_id, film, wanted.reason))


@router.post("/proposals/{proposal_id}/actions", response_model=ProposalRead)
def act_on_proposal(
    *,
    proposal_id: ProposalId,
    wanted: ProposalAct,
    once: OnceDependency,
    sessions: SessionsDependency,
    bell: BellDependency,
) -> Response:
    """Cancel a film that nobody has begun, let one be the next, or say what came of one that is overdue."""

    def act(session: Session) -> tuple[Proposal, str | None]:
        match wanted.action:
            case "cancel":
                return wishes.cancel(session, proposal_id)
            case "prioritise":
                return wishes.prioritise(session, proposal_id)
        outcome = wanted.outcome or "running"  # given, as the schema sees to it
        return wishes.resolve(session, proposal_id, outcome, compositions=wanted.compositions, note=wanted.note)

    return _answer(sessions, once, bell, 200, act)


def _answer(
    sessions: Sessions, once: Once, bell: Bell, status: int, act: Callable[[Session], tuple[Proposal, str | None]]
) -> Response:
    to_ring: list[str | None] = []

    def effect(session: Session) -> tuple[int, Body]:
        proposal, job_id = act(session)
        to_ring.append(job_id)
        return status, ProposalRead.model_validate(proposal).model_dump(mode="json")

    answer = answer_once(sessions, once, effect)
    for job_id in to_ring:
        bell.ring(job_id)
    return reply(answer)
