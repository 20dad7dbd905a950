"""Where instruments hand in what films are made of."""

from collections.abc import Mapping

from fastapi import APIRouter, Response
from sqlalchemy.orm import Session

from service.api.dependencies import BellDependency, CampaignId, OnceDependency, SessionsDependency
from service.api.replies import answer_once, reply
from service.api.schemas.compositions import PERCENT, CompositionMapCreate, CompositionMapRead
from service.api.schemas.measurements import DecisionRead
from service.operations import compositions
from service.operations.compositions import CompositionReading
from service.operations.idempotency import Body

router = APIRouter(tags=["instrument"])


@router.post("/campaigns/{campaign_id}/composition-maps", status_code=201, response_model=CompositionMapRead)
def record_composition_map(
    campaign_id: CampaignId,
    wanted: CompositionMapCreate,
    once: OnceDependency,
    sessions: SessionsDependency,
    bell: BellDependency,
) -> Response:
    """Store compositions as measured (EDX, XRF). They count before those that the robot reported."""
    readings = _readings(wanted)

    def effect(session: Session) -> tuple[int, Body]:
        done = compositions.record(session, campaign_id, wanted.instrument, readings)
        decision = None
        if done.job_id is not None:
            decision = DecisionRead(job_id=done.job_id, wanted_revision=done.revision)
        answer = CompositionMapRead(
            id=done.id,
            campaign_id=done.campaign_id,
            instrument=done.instrument,
            revision=done.revision,
            accepted=done.accepted,
            duplicates=done.duplicates,
            decision=decision,
        )
        return 201, answer.model_dump(mode="json")

    answer = answer_once(sessions, once, effect)
    if answer.body["decision"]:
        bell.ring(answer.body["decision"]["job_id"])  # committed; a repeated request rings again, harmlessly
    return reply(answer)


def _readings(wanted: CompositionMapCreate) -> list[CompositionReading]:
    """The map in fractions."""
    whole = PERCENT if wanted.unit == "at.%" else 1.0

    def share(given: Mapping[str, float]) -> dict[str, float]:
        return {element: value / whole for element, value in given.items()}

    return [
        CompositionReading(
            film_id=c.film_id,
            fractions=share(c.fractions),
            measured_at=c.measured_at,
            device=c.device,
            position=c.position,
            position_mm=c.position_mm,
            std_uncertainty=None if c.std_uncertainty is None else share(c.std_uncertainty),
        )
        for c in wanted.compositions
    ]
