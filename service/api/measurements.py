"""Where instruments hand in what they measured."""

from fastapi import APIRouter, Response

from service.api.dependencies import BellDependency, CampaignId, OnceDependency, SessionsDependency
from service.api.replies import reply
from service.api.schemas.measurements import MeasurementBatchCreate, MeasurementBatchRead
from service.operations import measurements
from service.operations.measurements import Reading

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
    answer = measurements.record_once(
        sessions,
        scope=once.scope,
        key=once.key,
        request_hash=once.request_hash,
        campaign_id=campaign_id,
        instrument=batch.instrument,
        readings=readings,
    )
    if answer.body["decision"]:
        bell.ring(answer.body["decision"]["job_id"])  # the job is committed; a repeated request rings again, harmlessly
    return reply(answer)
