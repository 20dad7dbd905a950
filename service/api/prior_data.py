"""Where a campaign is told what was read elsewhere: by another campaign, or in a file."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse
from sqlalchemy.orm import Session

from service.api.dependencies import (
    After,
    BellDependency,
    CampaignId,
    Key,
    Limit,
    Once,
    OnceDependency,
    PriorDataId,
    SessionsDependency,
    door_of,
)
from service.api.media import CSV, NDJSON, PARQUET, body_of, media_type_of
from service.api.readers import prior
from service.api.replies import answer_once, reply
from service.api.schemas.fields import Label, Page
from service.api.schemas.prior_data import (
    PriorDataCreate,
    PriorDataDone,
    PriorDataRead,
    PriorFileCreate,
    PriorRowRead,
    Reason,
)
from service.operations import prior_data
from service.operations.idempotency import Body, Door
from service.operations.keys import Caller
from service.operations.prior_data import Done, Reading, Unfit
from service.store.bell import Bell
from service.store.session import Sessions

router = APIRouter(tags=["researcher"])

BODIES = (PriorFileCreate,)
"""Schemas of what a route reads itself."""
_ROWS_AS = {
    NDJSON: "One `PriorRowCreate` per line.",
    CSV: "A header of field names, `x_Fe` for a fraction, `process_...` for a process variable; a row per reading.",
    PARQUET: "A column per field, named as in a table of text.",
}
_BODY = body_of(PriorFileCreate.__name__, _ROWS_AS)
_PAIR = r"^[^:\x00-\x1f\x7f]{1,128}:[^:\x00-\x1f\x7f]{1,128}$"
Pair = Annotated[str, Query(pattern=_PAIR)]


@dataclass(frozen=True)
class Upload:
    """A file as it came."""

    door: Door
    key: str
    media_type: str
    body: bytes
    how: Reading
    validate_only: bool

    def once(self) -> Once:
        """What makes sending it again harmless."""
        how = (self.how.name, sorted(self.how.properties.items()), sorted(self.how.process.items()), self.how.unfit)
        digest = hashlib.sha256(f"{self.media_type} {how} ".encode() + self.body)
        return Once(door=self.door, key=self.key, request_hash=digest.hexdigest())


async def _upload(
    *,
    request: Request,
    key: Key,
    name: Annotated[Label | None, Query(description="What people call the source.")] = None,
    rename: Annotated[
        Sequence[Pair], Query(max_length=100, description="`there:here`, where a property has another name there.")
    ] = (),
    process: Annotated[
        Sequence[Pair], Query(max_length=100, description="`variable:value`, where rows do not give a variable.")
    ] = (),
    unfit: Annotated[
        Unfit, Query(description="`leave_out`: leave rows of other elements, conditions or properties out.")
    ] = "refuse",
    validate_only: Annotated[bool, Query(description="True: check everything, store nothing.")] = False,
) -> Upload:
    return Upload(
        door=door_of(request),
        key=key,
        media_type=media_type_of(request),
        body=await request.body(),
        how=Reading(name, _pairs(rename), {k: _number_or_text(v) for k, v in _pairs(process).items()}, unfit),
        validate_only=validate_only,
    )


@router.post("/campaigns/{campaign_id}/prior-data", status_code=201, response_model=PriorDataDone)
def take_prior_data(
    campaign_id: CampaignId,
    said: PriorDataCreate,
    once: OnceDependency,
    sessions: SessionsDependency,
    bell: BellDependency,
) -> Response:
    """Learn from what another campaign has read; the source gets an offset of its own.

    The readings are copied, as they count there at a revision. They are no films of this campaign: none of its budget,
    none of its best. A decision that heeds them is asked for.
    """
    return _answer(
        sessions, once, bell, lambda session: taken(session, campaign_id, said, once.door.caller), status=201
    )


@router.post(
    "/campaigns/{campaign_id}/prior-data/files",
    status_code=201,
    response_model=PriorDataDone,
    responses={200: {"description": "The file was only checked", "model": PriorDataDone}},
    openapi_extra={"requestBody": _BODY},
)
def take_prior_file(
    campaign_id: CampaignId,
    upload: Annotated[Upload, Depends(_upload)],
    sessions: SessionsDependency,
    bell: BellDependency,
) -> Response:
    """Learn from a table of readings; it gets an offset of its own.

    JSON takes 1,000 rows, anything else 50,000. One bad row refuses the file. Every body may be packed
    (`Content-Encoding: gzip`).
    """
    readings, refused = prior.read(upload.media_type, upload.body)
    told = {"form": upload.media_type, "sha256": hashlib.sha256(upload.body).hexdigest()}

    def effect(session: Session) -> Done:
        return prior_data.take_from_file(
            session,
            campaign_id,
            readings,
            refused=refused,
            how=upload.how,
            told=told,
            dry_run=upload.validate_only,
        )

    if upload.validate_only:
        with sessions() as session:
            return JSONResponse(PriorDataDone.of(effect(session)).model_dump(mode="json"))
    return _answer(sessions, upload.once(), bell, effect, status=201)


@router.get("/campaigns/{campaign_id}/prior-data")
def list_prior_data(
    campaign_id: CampaignId, sessions: SessionsDependency, after: After = None, limit: Limit = 100
) -> Page[PriorDataRead]:
    """Sources of prior data of a campaign, withdrawn or not, oldest first."""
    with sessions() as session:
        found = [PriorDataRead.of(row) for row in prior_data.page(session, campaign_id, after, limit + 1)]
    return Page(items=found[:limit], next=found[limit - 1].id if len(found) > limit else None)


@router.get("/prior-data/{prior_data_id}")
def read_prior_data(prior_data_id: PriorDataId, sessions: SessionsDependency) -> PriorDataRead:
    """One source of prior data."""
    with sessions() as session:
        return PriorDataRead.of(prior_data.get(session, prior_data_id))


@router.get("/prior-data/{prior_data_id}/rows")
def list_prior_rows(
    prior_data_id: PriorDataId,
    sessions: SessionsDependency,
    after: Annotated[int | None, Query(ge=0, le=2**31 - 1, description="`next` of the page before.")] = None,
    limit: Limit = 100,
) -> Page[PriorRowRead]:
    """The readings of a source, in the campaign's units; they never change."""
    with sessions() as session:
        found = prior_data.rows(session, prior_data_id, after, limit + 1)
        shown = [PriorRowRead.model_validate(row) for row in found[:limit]]
    return Page(items=shown, next=str(shown[-1].number) if len(found) > limit else None)


@router.post("/prior-data/{prior_data_id}/withdrawal", response_model=PriorDataDone)
def withdraw_prior_data(
    prior_data_id: PriorDataId,
    said: Reason,
    once: OnceDependency,
    sessions: SessionsDependency,
    bell: BellDependency,
) -> Response:
    """Let prior data no longer count, from a new revision on; past revisions stay as they were.

    Ready proposals that rest on them are superseded, a decision without them is asked for, and one that is being made
    from them will not come into force.
    """
    return _answer(sessions, once, bell, lambda session: prior_data.withdraw(session, prior_data_id, said.reason))


@router.post("/prior-data/{prior_data_id}/reinstatement", response_model=PriorDataDone)
def reinstate_prior_data(
    prior_data_id: PriorDataId,
    said: Reason,
    once: OnceDependency,
    sessions: SessionsDependency,
    bell: BellDependency,
) -> Response:
    """Let withdrawn prior data count again, from a new revision on."""
    return _answer(sessions, once, bell, lambda session: prior_data.reinstate(session, prior_data_id, said.reason))


def taken(session: Session, campaign_id: str, said: PriorDataCreate, caller: Caller) -> Done:
    """Take what another campaign has read, as it was asked by somebody who may see that one, too."""
    how = Reading(said.name, said.properties, said.process, said.unfit)
    return prior_data.take_from_campaign(session, campaign_id, said.campaign_id, said.revision, how, sees=caller.sees)


def _answer(
    sessions: Sessions, once: Once, bell: Bell, effect: Callable[[Session], Done], *, status: int = 200
) -> Response:
    def done(session: Session) -> tuple[int, Body]:
        return status, PriorDataDone.of(effect(session)).model_dump(mode="json")

    answer = answer_once(sessions, once, done)
    if answer.body["decision"]:
        bell.ring(answer.body["decision"]["job_id"])  # committed; a repeated request rings again, harmlessly
    return reply(answer)


def _pairs(said: Sequence[str]) -> dict[str, str]:
    return dict(pair.split(":", 1) for pair in said)


def _number_or_text(said: str) -> float | str:
    try:
        number = float(said)
    except ValueError:
        return said
    return number if abs(number) <= 1e100 else said
