"""Where instruments hand in what they measured."""

import functools
import hashlib
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse
from sqlalchemy.orm import Session

from service.api import readers
from service.api.dependencies import BellDependency, CampaignId, Key, Once, SessionsDependency, door_of
from service.api.limits import PARSED
from service.api.media import CSV, NDJSON, PARQUET, body_of, media_type_of
from service.api.replies import answer_once, reply
from service.api.schemas.fields import Label
from service.api.schemas.measurements import (
    MAX_ROWS,
    DecisionRead,
    FaultRead,
    MeasurementBatchCreate,
    MeasurementBatchRead,
    RowResultRead,
)
from service.errors import UidStored
from service.operations import measurements
from service.operations.idempotency import Body, Door
from service.operations.measurements import Recorded, RowResult

router = APIRouter(tags=["instrument"])

BODIES = (MeasurementBatchCreate,)
"""Schemas of what the route reads itself."""
_ROWS_AS = {
    NDJSON: "One `MeasurementCreate` per line.",
    CSV: "A header of field names, then a row per reading.",
    PARQUET: "A column per field.",
}
_BODY = body_of(MeasurementBatchCreate.__name__, _ROWS_AS)


@dataclass(frozen=True)
class Upload:
    """A batch as it came."""

    door: Door
    key: str
    media_type: str
    body: bytes
    parsed: object
    """What a JSON body says, if the bounds on bodies have parsed it."""
    instrument: str | None
    atomic: bool
    validate_only: bool

    def once(self, said: bytes) -> Once:
        """What makes sending it again harmless; `said` is what it says, however it was written."""
        digest = hashlib.sha256(f"{self.media_type} {self.instrument} {self.atomic} ".encode() + said)
        return Once(door=self.door, key=self.key, request_hash=digest.hexdigest())


async def _upload(
    *,
    request: Request,
    key: Key,
    instrument: Annotated[Label | None, Query(description="Name of the instrument; JSON has it in its body.")] = None,
    atomic: Annotated[bool, Query(description="False: leave bad rows out, store the others.")] = True,
    validate_only: Annotated[bool, Query(description="True: check everything, store nothing.")] = False,
) -> Upload:
    return Upload(
        door=door_of(request),
        key=key,
        media_type=media_type_of(request),
        body=await request.body(),
        parsed=getattr(request.state, PARSED),
        instrument=instrument,
        atomic=atomic,
        validate_only=validate_only,
    )


@router.post(
    "/campaigns/{campaign_id}/measurement-batches",
    status_code=201,
    response_model=MeasurementBatchRead,
    responses={200: {"description": "The batch was only checked", "model": MeasurementBatchRead}},
    openapi_extra={"requestBody": _BODY},
)
def record_measurements(
    campaign_id: CampaignId,
    upload: Annotated[Upload, Depends(_upload)],
    sessions: SessionsDependency,
    bell: BellDependency,
) -> Response:
    """Store a batch of readings and ask for the decision that takes them into account.

    JSON takes 1,000 rows, anything else 50,000. Every body may be packed (`Content-Encoding: gzip`). One bad row
    refuses the batch, unless `atomic=false`.
    """
    sheet = readers.read(upload.media_type, upload.body, upload.instrument, upload.parsed)
    readings, refused = readers.shaped(sheet.rows)

    def effect(session: Session, *, look_up: bool = True) -> tuple[int, Body]:
        recorded = measurements.record(
            session,
            campaign_id,
            sheet.instrument,
            readings,
            refused=refused,
            atomic=upload.atomic,
            dry_run=upload.validate_only,
            look_up=look_up,
        )
        return 201, _receipt(recorded, upload.atomic).model_dump(mode="json")

    if upload.validate_only:
        with sessions() as session:
            return JSONResponse(effect(session)[1])
    once = upload.once(sheet.said)
    try:
        answer = answer_once(sessions, once, functools.partial(effect, look_up=False))
    except UidStored:
        answer = answer_once(sessions, once, effect)
    if answer.body["decision"]:
        bell.ring(answer.body["decision"]["job_id"])  # committed; a repeated request rings again, harmlessly
    return reply(answer)


def _receipt(recorded: Recorded, atomic: bool) -> MeasurementBatchRead:
    decision = None
    if recorded.job_id is not None:
        decision = DecisionRead(job_id=recorded.job_id, wanted_revision=recorded.revision)
    listed, results = recorded.results, recorded.results
    if len(results) > MAX_ROWS:  # a receipt is kept under its key, so it must stay small
        listed, results = (), tuple(r for r in results if r.status != "accepted")[:MAX_ROWS]
    return MeasurementBatchRead(
        id=recorded.id,
        campaign_id=recorded.campaign_id,
        instrument=recorded.instrument,
        revision=recorded.revision,
        accepted=recorded.count("accepted"),
        duplicates=recorded.count("duplicate"),
        refused=recorded.count("refused"),
        measurement_ids=[r.measurement_id for r in listed],
        results=None if atomic else [_result(r) for r in results],
        decision=decision,
    )


def _result(result: RowResult) -> RowResultRead:
    return RowResultRead(
        row=result.row,
        status=result.status,
        measurement_id=result.measurement_id,
        errors=[FaultRead(pointer=v.pointer, message=v.message) for v in result.violations],
    )
