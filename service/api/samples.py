"""Where calibration samples are registered and read."""

from fastapi import APIRouter, Response
from sqlalchemy.orm import Session

from service.api.dependencies import (
    After,
    BellDependency,
    CampaignId,
    Limit,
    OnceDependency,
    SampleId,
    SessionsDependency,
)
from service.api.replies import answer_once, reply
from service.api.schemas.fields import Page
from service.api.schemas.measurements import DecisionRead
from service.api.schemas.samples import (
    SampleBatchRead,
    SampleCreate,
    SampleRead,
    SampleReadingRead,
    SampleReadingsCreate,
)
from service.operations import samples
from service.operations.idempotency import Body
from service.operations.samples import Recorded, SampleReading

router = APIRouter(tags=["instrument"])


@router.post("/campaigns/{campaign_id}/samples", status_code=201, response_model=SampleRead)
def register_sample(
    campaign_id: CampaignId, said: SampleCreate, once: OnceDependency, sessions: SessionsDependency
) -> Response:
    """Register a calibration sample: something stable that instruments read again and again."""

    def effect(session: Session) -> tuple[int, Body]:
        made = samples.register(
            session,
            campaign_id,
            name=said.name,
            property_name=said.property,
            unit=said.unit,
            assigned_value=said.assigned_value,
            std_uncertainty=said.std_uncertainty,
            notes=said.notes,
        )
        return 201, SampleRead.model_validate(made).model_dump(mode="json")

    return reply(answer_once(sessions, once, effect))


@router.get("/campaigns/{campaign_id}/samples")
def list_samples(
    campaign_id: CampaignId, sessions: SessionsDependency, after: After = None, limit: Limit = 100
) -> Page[SampleRead]:
    """Calibration samples of a campaign, oldest first."""
    with sessions() as session:
        found = samples.page(session, campaign_id, after, limit + 1)
    shown = [SampleRead.model_validate(row) for row in found[:limit]]
    return Page(items=shown, next=shown[-1].id if len(found) > limit else None)


@router.get("/samples/{sample_id}")
def read_sample(sample_id: SampleId, sessions: SessionsDependency) -> SampleRead:
    """One calibration sample."""
    with sessions() as session:
        return SampleRead.model_validate(samples.get(session, sample_id))


@router.post("/samples/{sample_id}/readings", status_code=201, response_model=SampleBatchRead)
def record_sample_readings(
    sample_id: SampleId,
    said: SampleReadingsCreate,
    once: OnceDependency,
    sessions: SessionsDependency,
    bell: BellDependency,
) -> Response:
    """Store what an instrument read of a sample, all or nothing. From two times on, its drift is told from films."""
    sent = [SampleReading(**dict(row)) for row in said.readings]

    def effect(session: Session) -> tuple[int, Body]:
        return 201, _receipt(samples.record(session, sample_id, said.instrument, sent)).model_dump(mode="json")

    answer = answer_once(sessions, once, effect)
    if answer.body["decision"]:
        bell.ring(answer.body["decision"]["job_id"])  # committed; a repeated request rings again, harmlessly
    return reply(answer)


@router.get("/samples/{sample_id}/readings")
def list_sample_readings(
    sample_id: SampleId, sessions: SessionsDependency, after: After = None, limit: Limit = 100
) -> Page[SampleReadingRead]:
    """Everything that was read of a sample, as it arrived, with its distance to what it should be."""
    with sessions() as session:
        found = samples.readings(session, sample_id, after, limit + 1)
    shown = [SampleReadingRead.model_validate(row) for row in found[:limit]]
    return Page(items=shown, next=shown[-1].id if len(found) > limit else None)


def _receipt(recorded: Recorded) -> SampleBatchRead:
    decision = None
    if recorded.job_id is not None:
        decision = DecisionRead(job_id=recorded.job_id, wanted_revision=recorded.revision)
    return SampleBatchRead(
        id=recorded.id,
        campaign_id=recorded.campaign_id,
        sample_id=recorded.sample_id,
        instrument=recorded.instrument,
        revision=recorded.revision,
        accepted=recorded.accepted,
        duplicates=recorded.duplicates,
        measurement_ids=list(recorded.measurement_ids),
        decision=decision,
    )
