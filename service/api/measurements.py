"""Where instruments hand in what they measured."""

from fastapi import APIRouter, Response
from sqlalchemy.orm import Session

from service.api.dependencies import BellDependency, CampaignId, OnceDependency, SessionsDependency
from service.api.replies import answer_once, reply
from service.api.schemas.measurements import DecisionRead, MeasurementBatchCreate, MeasurementBatchRead
from service.operations import measurements
from service.operations.idempotency import Body
from service.operations.measurements import Reading, Recorded

router = APIRouter(tags=["instrument"])


@router.post("/campaigns/{campaign_id}/measurement-batches", status_code=201, response_model=MeasurementBatchRead)
def record_measurements(
    campaign_id: CampaignId,
    batch: MeasurementBatchCreate,
    once: OnceDependency,
    sessions: SessionsDependency,
    bell: BellDependency,
) -> Response:
    """Store a batch of readings, all or nothing, and ask for the decision that takes them into account."""
    readings = [Reading(**dict(row)) for row in batch.measurements]

    def effect(session: Session) -> tuple[int, Body]:
        recorded = measurements.record(session, campaign_id, batch.instrument, readings)
        return 201, _receipt(recorded).model_dump(mode="json")

    answer = answer_once(sessions, once, effect)
    if answer.body["decision"]:
        bell.ring(answer.body["decision"]["job_id"])  # committed; a repeated request rings again, harmlessly
    return reply(answer)


def _receipt(recorded: Recorded) -> MeasurementBatchRead:
    decision = None
    if recorded.job_id is not None:
        decision = DecisionRead(job_id=recorded.job_id, wanted_revision=recorded.revision)
    return MeasurementBatchRead(
        id=recorded.id,
        campaign_id=recorded.campaign_id,
        instrument=recorded.instrument,
        revision=recorded.revision,
        accepted=recorded.accepted,
        duplicates=recorded.duplicates,
        measurement_ids=list(recorded.measurement_ids),
        decision=decision,
    )
