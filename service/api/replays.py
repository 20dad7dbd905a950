"""Where a proposal is asked to be computed again, and what came of it."""

from fastapi import APIRouter, Response
from sqlalchemy.orm import Session

from service.api.dependencies import (
    After,
    BellDependency,
    Limit,
    OnceDependency,
    ProposalId,
    ReplayId,
    SessionsDependency,
)
from service.api.replies import answer_once, reply
from service.api.schemas.fields import Page
from service.api.schemas.replays import ReplayRead
from service.operations import replays
from service.operations.idempotency import Body
from service.store.bell import REPLAY_TASK

router = APIRouter(tags=["researcher"])


@router.post("/proposals/{proposal_id}/replays", status_code=202, response_model=ReplayRead)
def replay_proposal(
    proposal_id: ProposalId, once: OnceDependency, sessions: SessionsDependency, bell: BellDependency
) -> Response:
    """Compute a proposal again from what was kept of it. Decisions that robots wait for come first."""
    wanted: list[str] = []

    def effect(session: Session) -> tuple[int, Body]:
        asked = replays.request(session, proposal_id)
        wanted.append(asked.id)
        return 202, ReplayRead.model_validate(asked).model_dump(mode="json")

    answer = answer_once(sessions, once, effect)
    for replay_id in wanted:
        bell.ring(replay_id, REPLAY_TASK)
    response = reply(answer)
    response.headers["Location"] = f"/v1/replays/{answer.body['id']}"
    return response


@router.get("/proposals/{proposal_id}/replays")
def list_replays(
    proposal_id: ProposalId, sessions: SessionsDependency, after: After = None, limit: Limit = 100
) -> Page[ReplayRead]:
    """Replays of a proposal, oldest first."""
    with sessions() as session:
        found = replays.page(session, proposal_id, after, limit + 1)
    shown = [ReplayRead.model_validate(r) for r in found[:limit]]
    return Page(items=shown, next=shown[-1].id if len(found) > limit else None)


@router.get("/replays/{replay_id}")
def read_replay(replay_id: ReplayId, sessions: SessionsDependency) -> ReplayRead:
    """One replay: its verdict, and what came out otherwise."""
    with sessions() as session:
        return ReplayRead.model_validate(replays.get(session, replay_id))
