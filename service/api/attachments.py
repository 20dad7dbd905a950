"""Where instruments hand in spectra, patterns and other arrays, and where they are read again."""

import base64
from typing import Annotated, Any

import numpy as np
import orjson
from fastapi import APIRouter, Query, Response
from sqlalchemy.orm import Session

from service.api.dependencies import After, AttachmentId, CampaignId, Limit, OnceDependency, SessionsDependency
from service.api.replies import answer_once, reply
from service.api.schemas.attachments import (
    AttachmentCreate,
    AttachmentRead,
    AttachmentsCreate,
    AttachmentsRead,
    AxisRead,
    Encoding,
    FullAttachmentRead,
    Kind,
)
from service.api.schemas.fields import Identifier, Page
from service.errors import InvalidInput
from service.operations import attachments
from service.operations.attachments import Attachment, Axis, Stored
from service.operations.idempotency import Body
from service.store.arrays import Numbers

router = APIRouter(tags=["instrument"])


@router.post("/campaigns/{campaign_id}/attachments", status_code=201, response_model=AttachmentsRead)
def attach(
    campaign_id: CampaignId, wanted: AttachmentsCreate, once: OnceDependency, sessions: SessionsDependency
) -> Response:
    """Attach arrays with their axes to devices or films. They are kept as sent and are no part of the dataset."""
    given = [_attachment(a) for a in wanted.attachments]

    def effect(session: Session) -> tuple[int, Body]:
        done = attachments.attach(session, campaign_id, wanted.instrument, given)
        answer = AttachmentsRead(
            campaign_id=done.campaign_id,
            instrument=done.instrument,
            accepted=done.accepted,
            duplicates=done.duplicates,
            attachment_ids=list(done.ids),
        )
        return 201, answer.model_dump(mode="json")

    return reply(answer_once(sessions, once, effect))


@router.get("/campaigns/{campaign_id}/attachments")
def list_attachments(
    campaign_id: CampaignId,
    sessions: SessionsDependency,
    *,
    film_id: Annotated[Identifier | None, Query(description="Only those of this film.")] = None,
    kind: Annotated[Kind | None, Query(description="Only those of this kind.")] = None,
    after: After = None,
    limit: Limit = 100,
) -> Page[AttachmentRead]:
    """Attachments of a campaign without their numbers, oldest first."""
    with sessions() as session:
        found = attachments.page(session, campaign_id, film_id=film_id, kind=kind, after=after, limit=limit + 1)
    shown = [AttachmentRead(**_described(a), axes=[AxisRead(**_axis(x)) for x in a.row.axes]) for a in found[:limit]]
    return Page(items=shown, next=shown[-1].id if len(found) > limit else None)


@router.get("/attachments/{attachment_id}", response_model=FullAttachmentRead)
def read_attachment(
    attachment_id: AttachmentId,
    sessions: SessionsDependency,
    encoding: Annotated[Encoding, Query(description="How numbers are written.")] = "numbers",
) -> Response:
    """One attachment, whole: every number as it was sent, to the last bit."""
    with sessions() as session:
        stored = attachments.get(session, attachment_id)
    whole = {**_described(stored), "measured_at": stored.row.measured_at, "created_at": stored.row.created_at}
    whole["axes"] = [{**_axis(x), **_array(stored.arrays[x["sha256"]], encoding)} for x in stored.row.axes]
    whole["data"] = _array(stored.arrays[stored.row.array_sha256], encoding)
    body = orjson.dumps(whole, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_UTC_Z)
    return Response(body, media_type="application/json")


def _attachment(given: AttachmentCreate) -> Attachment:
    return Attachment(
        film_id=given.film_id,
        kind=given.kind,
        label=given.label,
        unit=given.unit,
        axes=tuple(Axis(axis.name, axis.unit, axis.array()) for axis in given.axes),
        values=given.data.array(),
        measured_at=given.measured_at,
        device=given.device,
        position=given.position,
        position_mm=given.position_mm,
    )


def _described(stored: Stored) -> dict[str, Any]:
    names = ("id", "campaign_id", "film_id", "device", "kind", "label", "unit", "measured_at", "created_at")
    row = stored.row
    return {**{n: getattr(row, n) for n in names}, "instrument": stored.instrument, "sha256": row.array_sha256}


def _axis(axis: dict[str, Any]) -> dict[str, Any]:
    return {name: axis[name] for name in ("name", "unit", "points")}


def _array(array: Numbers, encoding: Encoding) -> dict[str, Any]:
    """Numbers as JSON can tell them.

    Raises:
        InvalidInput: If they are to be written out and JSON has no word for one of them.
    """
    if encoding == "base64":
        return {"dtype": array.dtype.name, "values": None, "base64": base64.b64encode(array.tobytes()).decode()}
    if not np.isfinite(array).all():
        raise InvalidInput("the array holds NaN or infinity, which JSON cannot write; ask with encoding=base64")
    return {"dtype": array.dtype.name, "values": array, "base64": None}
