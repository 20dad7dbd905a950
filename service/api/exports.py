"""Where a campaign is taken away as files, and brought back."""

import hashlib
import io
import os
from collections.abc import Iterator
from typing import IO, Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import Field
from sqlalchemy.orm import Session

from service.api.dependencies import (
    AtRevision,
    CampaignId,
    Key,
    Once,
    ProposalId,
    SessionsDependency,
    SettingsDependency,
    door_of,
)
from service.api.media import CSV, PARQUET, ZIP
from service.api.replies import answer_once, reply
from service.api.schemas.campaigns import CampaignRead
from service.api.schemas.fields import MOST_ELEMENTS
from service.errors import InvalidInput, NotAllowed
from service.operations import exports, recipes
from service.operations.archive.unpack import unpack
from service.operations.exports import Format
from service.operations.idempotency import Body

router = APIRouter(tags=["researcher"])

_CHUNK = 256 * 1024
_RATE = r"^[^\x00-\x1f\x7f]{1,64}:(0\.\d{0,9}[1-9]|[1-9]\d{0,8}(\.\d{1,9})?)$"
"""How a rate is written, for the description; other ways to write a number are taken, too."""
_TYPES = {"csv": f"{CSV}; charset=utf-8", "parquet": PARQUET}
_TABLE: dict[int | str, dict[str, Any]] = {200: {"description": "The table.", "content": {CSV: {}, PARQUET: {}}}}
_CSV: dict[int | str, dict[str, Any]] = {200: {"description": "The table.", "content": {CSV: {}}}}
AsFormat = Annotated[Format, Query(alias="format", description="How the table is written.")]


@router.get("/campaigns/{campaign_id}/exports/dataset", response_class=Response, responses=_TABLE)
def export_dataset(
    campaign_id: CampaignId,
    sessions: SessionsDependency,
    settings: SettingsDependency,
    form: AsFormat = "csv",
    revision: AtRevision = None,
) -> Response:
    """The readings that count at a revision, with composition and process of their devices."""
    file = exports.dataset(sessions, campaign_id, revision, form, settings.exports_dir)
    return _sent(file, f"{campaign_id}-dataset.{form}", _TYPES[form])


@router.get("/campaigns/{campaign_id}/exports/films", response_class=Response, responses=_TABLE)
def export_films(
    campaign_id: CampaignId, sessions: SessionsDependency, settings: SettingsDependency, form: AsFormat = "csv"
) -> Response:
    """Every device of every film as proposed, as made and as measured."""
    file = exports.films(sessions, campaign_id, form, settings.exports_dir)
    return _sent(file, f"{campaign_id}-films.{form}", _TYPES[form])


@router.get("/campaigns/{campaign_id}/exports/proposals", response_class=Response, responses=_TABLE)
def export_proposals(
    campaign_id: CampaignId, sessions: SessionsDependency, settings: SettingsDependency, form: AsFormat = "csv"
) -> Response:
    """Every proposal with its reasons and its origin."""
    file = exports.proposals(sessions, campaign_id, form, settings.exports_dir)
    return _sent(file, f"{campaign_id}-proposals.{form}", _TYPES[form])


@router.get(
    "/campaigns/{campaign_id}/exports/archive",
    response_class=Response,
    responses={200: {"description": "A zip file.", "content": {ZIP: {}}}},
)
def export_archive(campaign_id: CampaignId, sessions: SessionsDependency, settings: SettingsDependency) -> Response:
    """The whole campaign as a zip file: tables, models, arrays, configurations, the record, an RO-Crate description."""
    file = exports.archive(sessions, campaign_id, settings.artifacts_dir, settings.exports_dir)
    return _sent(file, f"{campaign_id}.zip", ZIP)


@router.get("/proposals/{proposal_id}/recipe", response_class=Response, responses=_CSV)
def read_recipe(
    proposal_id: ProposalId,
    sessions: SessionsDependency,
    rate: Annotated[
        list[Annotated[str, Field(json_schema_extra={"pattern": _RATE})]],
        Query(max_length=MOST_ELEMENTS, description="Atoms per area and second of a source: `Fe:0.12`."),
    ] = [],  # noqa: B006  (the framework copies it)
    dose: Annotated[
        float, Query(gt=0.0, le=1e12, allow_inf_nan=False, description="Atoms per area at end A, rate times seconds.")
    ] = 1.0,
) -> Response:
    """A film as a recipe for a sputter tool: of each source the fractions, times, wedge and commands at both ends."""
    with sessions() as session:
        sheet = recipes.recipe(session, proposal_id, _rates(rate), dose)
    written = io.BytesIO()
    recipes.written(sheet, written)
    headers = {"Content-Disposition": f'attachment; filename="{proposal_id}-recipe.csv"'}
    return Response(written.getvalue(), media_type=_TYPES["csv"], headers=headers)


def _rates(given: list[str]) -> dict[str, float]:
    found: dict[str, float] = {}
    for said in given:
        element, _, number = said.rpartition(":")
        try:
            value = float(number)
        except ValueError as error:
            raise InvalidInput(f"rate {said[:50]!r} is not like Fe:0.12") from error
        if not (element and 0.0 < value <= 1e12) or element in found:
            raise InvalidInput(f"rate {said[:50]!r} is not one positive number for an element")
        found[element] = value
    return found


async def _zip(request: Request) -> bytes:
    """The body as it came."""
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != ZIP:
        raise InvalidInput(f"an archive is sent as {ZIP}")
    return await request.body()


@router.post(
    "/campaign-imports",
    status_code=201,
    response_model=CampaignRead,
    openapi_extra={
        "requestBody": {"required": True, "content": {ZIP: {"schema": {"type": "string", "format": "binary"}}}}
    },
)
def import_campaign(
    *,
    request: Request,
    key: Key,
    archive: Annotated[bytes, Depends(_zip)],
    sessions: SessionsDependency,
    settings: SettingsDependency,
) -> Response:
    """Write a campaign from its archive: every id, revision and hash as it was. One that was running is paused.

    It takes a key that is good for every campaign: to others, a refusal would tell which ids are taken.
    """
    digest = hashlib.sha256(archive).hexdigest()
    once = Once(door=door_of(request), key=key, request_hash=digest)
    if once.door.caller.campaigns is not None:
        raise NotAllowed("an archive brings its ids along: this needs a key that is good for every campaign")

    def effect(session: Session) -> tuple[int, Body]:
        imported = unpack(session, io.BytesIO(archive), settings.artifacts_dir)
        return 201, CampaignRead.of(imported).model_dump(mode="json")

    answer = answer_once(sessions, once, effect)
    response = reply(answer)
    response.headers["Location"] = f"/v1/campaigns/{answer.body['id']}"
    return response


def _sent(file: IO[bytes], name: str, media_type: str) -> Response:
    headers = {
        "Content-Length": str(os.fstat(file.fileno()).st_size),
        "Content-Disposition": f'attachment; filename="{name}"',
    }
    return StreamingResponse(_chunks(file), media_type=media_type, headers=headers)


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while chunk := file.read(_CHUNK):
            yield chunk
