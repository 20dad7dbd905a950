"""Where compositions for wanted values are asked for, and what was drawn and expected."""

from fastapi import APIRouter, Response
from sqlalchemy.orm import Session

from models.wanted import Wanted
from service.api.dependencies import (
    After,
    BellDependency,
    CampaignId,
    GenerationId,
    Limit,
    OnceDependency,
    SessionsDependency,
)
from service.api.replies import answer_once, reply
from service.api.schemas.fields import Page
from service.api.schemas.generations import GenerationCreate, GenerationRead
from service.operations import generations
from service.operations.idempotency import Body
from service.store.bell import GENERATE_TASK

router = APIRouter(tags=["researcher"])


@router.post("/campaigns/{campaign_id}/generations", status_code=202, response_model=GenerationRead)
def generate_compositions(
    campaign_id: CampaignId,
    asked: GenerationCreate,
    once: OnceDependency,
    sessions: SessionsDependency,
    bell: BellDependency,
) -> Response:
    """Ask for compositions that should have some values. A worker answers after the decisions that robots wait for."""
    wanted: list[str] = []

    def effect(session: Session) -> tuple[int, Body]:
        made = generations.request(session, campaign_id, Wanted.model_validate(asked.model_dump()))
        wanted.append(made.id)
        return 202, GenerationRead.model_validate(made).model_dump(mode="json")

    answer = answer_once(sessions, once, effect)
    for generation_id in wanted:
        bell.ring(generation_id, GENERATE_TASK)
    response = reply(answer)
    response.headers["Location"] = f"/v1/generations/{answer.body['id']}"
    return response


@router.get("/campaigns/{campaign_id}/generations")
def list_generations(
    campaign_id: CampaignId, sessions: SessionsDependency, after: After = None, limit: Limit = 100
) -> Page[GenerationRead]:
    """What was asked of the campaign's generator, oldest first."""
    with sessions() as session:
        found = generations.page(session, campaign_id, after, limit + 1)
    shown = [GenerationRead.model_validate(g) for g in found[:limit]]
    return Page(items=shown, next=shown[-1].id if len(found) > limit else None)


@router.get("/generations/{generation_id}")
def read_generation(generation_id: GenerationId, sessions: SessionsDependency) -> GenerationRead:
    """One generation: compositions with what is expected of them, once a worker has answered."""
    with sessions() as session:
        return GenerationRead.model_validate(generations.get(session, generation_id))
