"""Where a robot takes its next film. It may wait here; while it does it holds neither a connection nor a thread."""

import asyncio
import time

from fastapi import APIRouter, Request, Response
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from service.api.access import StillKnownDependency
from service.api.dependencies import BellDependency, CampaignId, Once, OnceDependency, SessionsDependency
from service.api.replies import answer_once, reply
from service.api.schemas.claims import ClaimCreate, ClaimRead, LeaseRead
from service.api.schemas.proposals import ProposalRead
from service.errors import NothingReady, Unauthenticated
from service.operations import claims
from service.operations.idempotency import Answer, Body
from service.store.session import Sessions

router = APIRouter(tags=["robot"])

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 0.25
"""Bounds of the pause between two looks at the queue; it grows, so that many waiting robots stay cheap.

A robot loses half the longest pause on average once its film is ready, and one look is a millisecond's transaction.
"""


@router.post(
    "/campaigns/{campaign_id}/claims",
    status_code=201,
    response_model=ClaimRead,
    responses={
        200: {"description": "The robot's own lease, which it held already.", "model": ClaimRead},
        204: {"description": "Nothing is ready; ask again after `Retry-After` seconds."},
    },
)
async def claim_film(
    *,
    campaign_id: CampaignId,
    wanted: ClaimCreate,
    request: Request,
    once: OnceDependency,
    sessions: SessionsDependency,
    bell: BellDependency,
    still_known: StillKnownDependency,
) -> Response:
    """Lease the next film to a robot. A claim computes nothing.

    With `wait_s` it waits for a film, and for a decision on newer data that is on its way; when the time is over it
    takes what is there, marked as `stale`.
    """
    deadline, pause_s = time.monotonic() + wanted.wait_s, FIRST_PAUSE_S
    while True:
        left_s = deadline - time.monotonic()
        try:
            answer, job_id = await run_in_threadpool(
                _attempt, sessions, once, campaign_id, wanted.robot, wait_for_decision=left_s > 0
            )
        except NothingReady as nothing:
            await asyncio.sleep(max(0.0, min(pause_s, left_s)))
            # A robot that has hung up must not be given a film: asked after the pause, in which it may have done so.
            if left_s <= 0 or await request.is_disconnected():
                return Response(status_code=204, headers={"Retry-After": str(nothing.retry_after_s)})
            if (caller := await still_known()) is None or not caller.sees(campaign_id):
                raise Unauthenticated("the key was good when the waiting began, and is no longer") from None
            pause_s = min(1.5 * pause_s, LONGEST_PAUSE_S)
        else:
            bell.ring(job_id)
            return reply(answer)


def _attempt(
    sessions: Sessions, once: Once, campaign_id: str, robot: str, *, wait_for_decision: bool
) -> tuple[Answer, str | None]:
    """One look at the queue, one short transaction; without a film nothing is stored, not even the key."""
    to_ring: list[str | None] = []

    def effect(session: Session) -> tuple[int, Body]:
        claim = claims.claim(session, campaign_id, robot, wait_for_decision=wait_for_decision)
        to_ring.append(claim.job_id)
        body = ClaimRead(
            lease=LeaseRead.model_validate(claim.lease), proposal=ProposalRead.model_validate(claim.proposal)
        )
        return 201 if claim.fresh else 200, body.model_dump(mode="json")

    answer = answer_once(sessions, once, effect)
    return answer, to_ring[0] if to_ring else None
