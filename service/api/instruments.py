"""Where instruments are described and calibrated."""

from fastapi import APIRouter, Response
from sqlalchemy.orm import Session

from service.api.dependencies import (
    After,
    CalibrationId,
    CampaignId,
    InstrumentId,
    Limit,
    OnceDependency,
    SessionsDependency,
)
from service.api.replies import answer_once, reply
from service.api.schemas.fields import Page
from service.api.schemas.instruments import CalibrationCreate, CalibrationRead, InstrumentCreate, InstrumentRead
from service.operations import instruments
from service.operations.idempotency import Body

router = APIRouter(tags=["instrument"])


@router.post(
    "/campaigns/{campaign_id}/instruments",
    status_code=201,
    response_model=InstrumentRead,
    responses={200: {"description": "It had reported already and is described now.", "model": InstrumentRead}},
)
def register_instrument(
    campaign_id: CampaignId, said: InstrumentCreate, once: OnceDependency, sessions: SessionsDependency
) -> Response:
    """Register an instrument, or describe one that has reported already: the first report registers it, too."""

    def effect(session: Session) -> tuple[int, Body]:
        found, new = instruments.register(
            session, campaign_id, said.name, kind=said.kind, owner=said.owner, notes=said.notes
        )
        return 201 if new else 200, InstrumentRead.model_validate(found).model_dump(mode="json")

    return reply(answer_once(sessions, once, effect))


@router.get("/campaigns/{campaign_id}/instruments")
def list_instruments(
    campaign_id: CampaignId, sessions: SessionsDependency, after: After = None, limit: Limit = 100
) -> Page[InstrumentRead]:
    """Instruments of a campaign, oldest first."""
    with sessions() as session:
        found = instruments.page(session, campaign_id, after, limit + 1)
    shown = [InstrumentRead.model_validate(row) for row in found[:limit]]
    return Page(items=shown, next=shown[-1].id if len(found) > limit else None)


@router.get("/instruments/{instrument_id}")
def read_instrument(instrument_id: InstrumentId, sessions: SessionsDependency) -> InstrumentRead:
    """One instrument."""
    with sessions() as session:
        return InstrumentRead.model_validate(instruments.get(session, instrument_id))


@router.post("/instruments/{instrument_id}/calibrations", status_code=201, response_model=CalibrationRead)
def calibrate_instrument(
    instrument_id: InstrumentId, said: CalibrationCreate, once: OnceDependency, sessions: SessionsDependency
) -> Response:
    """Register a calibration. A reading is under the one that began last before it, if that has not ended.

    Without an end it holds until the next one of the same property begins. One that has an end must not overlap the
    next, and no two begin at the same time.
    """

    def effect(session: Session) -> tuple[int, Body]:
        made = instruments.calibrate(
            session,
            instrument_id,
            method=said.method,
            property_name=said.property,
            valid_from=said.valid_from,
            valid_until=said.valid_until,
            notes=said.notes,
        )
        return 201, CalibrationRead.model_validate(made).model_dump(mode="json")

    return reply(answer_once(sessions, once, effect))


@router.get("/instruments/{instrument_id}/calibrations")
def list_instrument_calibrations(
    instrument_id: InstrumentId, sessions: SessionsDependency, after: After = None, limit: Limit = 100
) -> Page[CalibrationRead]:
    """Calibrations of an instrument, in the order in which they were registered."""
    with sessions() as session:
        found = instruments.calibration_page(session, instrument_id, after, limit + 1)
    shown = [CalibrationRead.model_validate(row) for row in found[:limit]]
    return Page(items=shown, next=shown[-1].id if len(found) > limit else None)


@router.get("/calibrations/{calibration_id}")
def read_calibration(calibration_id: CalibrationId, sessions: SessionsDependency) -> CalibrationRead:
    """One calibration."""
    with sessions() as session:
        return CalibrationRead.model_validate(instruments.calibration(session, calibration_id))
