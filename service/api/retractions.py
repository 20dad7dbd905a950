"""Where readings are retracted, and retractions taken back. Nothing is ever deleted."""

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Response
from sqlalchemy.orm import Session

from service.api.dependencies import (
    After,
    BellDependency,
    CampaignId,
    Limit,
    Once,
    OnceDependency,
    RetractionId,
    SessionsDependency,
)
from service.api.replies import answer_once, reply
from service.api.schemas.fields import Page
from service.api.schemas.measurements import DecisionRead
from service.api.schemas.retractions import (
    RetractedReadingRead,
    RetractionCreate,
    RetractionDone,
    RetractionRead,
    Reversal,
    ReversalRead,
    WhatRead,
)
from service.operations import retractions
from service.operations.idempotency import Body
from service.operations.retractions import Done, Retraction, What
from service.store.bell import Bell
from service.store.session import Sessions

router = APIRouter(tags=["researcher"])


@router.post("/campaigns/{campaign_id}/retractions", status_code=201, response_model=RetractionDone)
def retract_readings(
    campaign_id: CampaignId,
    said: RetractionCreate,
    once: OnceDependency,
    sessions: SessionsDependency,
    bell: BellDependency,
) -> Response:
    """Let readings no longer count, from a new revision on; past revisions stay as they were.

    Ready proposals that rest on them are superseded, a decision without them is asked for, and one that is being made
    from them will not come into force.
    """
    what = What(
        measurement_ids=None if said.ids is None else tuple(said.ids),
        film_id=said.film_id,
        instrument=said.instrument,
        measured_from=said.measured_from,
        measured_until=said.measured_until,
        calibration_id=said.calibration_id,
    )

    def effect(session: Session) -> tuple[int, Body]:
        done = retractions.retract(session, campaign_id, what, said.reason, also_later=said.also_later)
        return 201, _done(done, done.retraction.revision)

    return _answer(sessions, once, bell, effect)


@router.post("/retractions/{retraction_id}/reversal", response_model=RetractionDone)
def reverse_retraction(
    retraction_id: RetractionId,
    said: Reversal,
    once: OnceDependency,
    sessions: SessionsDependency,
    bell: BellDependency,
) -> Response:
    """Let the readings count again from a new revision on, unless another retraction covers them.

    A reversal is final; to retract the same readings once more, post another retraction.
    """

    def effect(session: Session) -> tuple[int, Body]:
        done = retractions.reverse(session, retraction_id, said.reason)
        return 200, _done(done, done.retraction.reversed_revision)

    return _answer(sessions, once, bell, effect)


@router.get("/campaigns/{campaign_id}/retractions")
def list_retractions(
    campaign_id: CampaignId, sessions: SessionsDependency, after: After = None, limit: Limit = 100
) -> Page[RetractionRead]:
    """Retractions of a campaign, reversed or not, oldest first."""
    with sessions() as session:
        found = retractions.page(session, campaign_id, after, limit + 1)
    shown = [RetractionRead(**_read(row)) for row in found[:limit]]
    return Page(items=shown, next=shown[-1].id if len(found) > limit else None)


@router.get("/retractions/{retraction_id}")
def read_retraction(retraction_id: RetractionId, sessions: SessionsDependency) -> RetractionRead:
    """One retraction."""
    with sessions() as session:
        return RetractionRead(**_read(retractions.get(session, retraction_id)))


@router.get("/retractions/{retraction_id}/readings")
def list_retracted_readings(
    retraction_id: RetractionId, sessions: SessionsDependency, after: After = None, limit: Limit = 100
) -> Page[RetractedReadingRead]:
    """Every reading that a retraction covers."""
    with sessions() as session:
        found = retractions.readings(session, retraction_id, after, limit + 1)
    shown = [RetractedReadingRead.model_validate(row) for row in found[:limit]]
    return Page(items=shown, next=shown[-1].id if len(found) > limit else None)


def _answer(sessions: Sessions, once: Once, bell: Bell, effect: Callable[[Session], tuple[int, Body]]) -> Response:
    answer = answer_once(sessions, once, effect)
    if answer.body["decision"]:
        bell.ring(answer.body["decision"]["job_id"])  # committed; a repeated request rings again, harmlessly
    return reply(answer)


def _done(done: Done, revision: int | None) -> Body:
    decision = None
    if done.job_id is not None:
        decision = DecisionRead(job_id=done.job_id, wanted_revision=revision or 0)
    told = RetractionDone(**_read(done.retraction), superseded=list(done.superseded), decision=decision)
    return told.model_dump(mode="json")


def _read(row: Retraction) -> dict[str, Any]:
    reversal = None
    if row.reversed_revision is not None and row.reversed_at is not None:
        reversal = ReversalRead(revision=row.reversed_revision, reason=row.reversal_reason or "", at=row.reversed_at)
    return {
        "id": row.id,
        "campaign_id": row.campaign_id,
        "state": "in_force" if reversal is None else "reversed",
        "what": WhatRead.model_validate({k: v for k, v in row.what.items() if k != "instrument_id"}),
        "reason": row.reason,
        "also_later": row.also_later,
        "revision": row.revision,
        "readings": row.readings,
        "compositions": row.compositions,
        "reversal": reversal,
        "created_at": row.created_at,
    }
