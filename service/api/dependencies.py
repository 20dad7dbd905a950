"""What a route asks for: the record's sessions, the bell, and the headers and parameters that many routes share."""

import hashlib
import json
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header, Path, Query, Request

from service.api.access import caller_of, operation_of
from service.api.callers import Callers
from service.api.streams import EventStreams
from service.errors import MalformedRequest
from service.operations.idempotency import Door
from service.settings import Settings
from service.store.bell import Bell
from service.store.session import Sessions

MAX_PAGE = 1000
"""Largest page of any list."""
LONGEST_KEY = 128
"""Characters of an Idempotency-Key."""
KEY_PATTERN = rf"^[!-~]([ -~]{{0,{LONGEST_KEY - 2}}}[!-~])?$"
"""The same for the description; spaces around a header's value are not part of it (RFC 9110)."""
TAGS_PATTERN = r'^(\*|(W/)?"[!#-~]*"( ?, ?(W/)?"[!#-~]*")*)$'
"""Entity tags as `If-Match` names them (RFC 9110)."""
LARGEST_SEQ = 2**63 - 1
LARGEST_REVISION = 2**31 - 1


@dataclass(frozen=True)
class Once:
    """What makes a POST safe to repeat: its key, the door it knocked at and a hash of what it asked."""

    door: Door
    """Who asks, and where: the same key may be used at another door."""
    key: str
    request_hash: str
    """SHA-256 of the body with its fields sorted, so that a client may write the same request in another way."""


# All of these are coroutines: FastAPI sends each plain function to a thread of its own, which costs more than it does.
async def _settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


async def _sessions(request: Request) -> Sessions:
    sessions: Sessions = request.app.state.sessions
    return sessions


async def _bell(request: Request) -> Bell:
    bell: Bell = request.app.state.bell
    return bell


async def _streams(request: Request) -> EventStreams:
    streams: EventStreams = request.app.state.streams
    return streams


async def _idempotency_key(
    idempotency_key: Annotated[str | None, Header(alias="Idempotency-Key", description="Names this request.")] = None,
) -> str:
    if idempotency_key is None:
        raise MalformedRequest("the header Idempotency-Key is missing; draw a new key for each new request")
    if not (1 <= len(idempotency_key) <= LONGEST_KEY and idempotency_key.isascii() and idempotency_key.isprintable()):
        shown = f"{len(idempotency_key)} characters"
        raise MalformedRequest(f"Idempotency-Key must be 1 to {LONGEST_KEY} printable ASCII characters, got {shown}")
    return idempotency_key


Key = Annotated[str, Depends(_idempotency_key)]
"""A request's Idempotency-Key, for a route that reads its body itself."""


async def _once(request: Request, key: Key) -> Once:
    body = await request.body()
    try:
        canonical = json.dumps(json.loads(body), sort_keys=True, separators=(",", ":")) if body else ""
    except (ValueError, RecursionError) as error:
        raise MalformedRequest(f"the body is not JSON: {error}") from error
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    return Once(door=door_of(request), key=key, request_hash=digest)


def door_of(request: Request) -> Door:
    """Who asks for what to be done to what."""
    ids = {name.removesuffix("_id"): str(value) for name, value in request.path_params.items() if name.endswith("_id")}
    campaign_id = ids.pop("campaign", None)
    noun, subject = next(iter(ids.items()), (None, None))
    address = f"{request.method} {request.url.path}"
    return Door(caller_of(request), operation_of(request), address, campaign_id, noun, subject)


async def _callers(request: Request) -> Callers:
    callers: Callers = request.app.state.callers
    return callers


CallersDependency = Annotated[Callers, Depends(_callers)]
SettingsDependency = Annotated[Settings, Depends(_settings)]
SessionsDependency = Annotated[Sessions, Depends(_sessions)]
BellDependency = Annotated[Bell, Depends(_bell)]
StreamsDependency = Annotated[EventStreams, Depends(_streams)]
OnceDependency = Annotated[Once, Depends(_once)]
"""Required on every POST that creates or moves something."""

_ID = r"^[A-Za-z0-9_-]{1,64}$"
CampaignId = Annotated[
    str, Path(pattern=_ID, description="Id of a campaign.", examples=["cmp_01k9zq3v7e8m5r2t4w6y8a0b1c"])
]
ConfigurationNumber = Annotated[int, Path(ge=1, le=LARGEST_REVISION, description="Number of a configuration.")]
ModelVersionId = Annotated[str, Path(pattern=_ID, description="Id of a model version.")]
ReplayId = Annotated[str, Path(pattern=_ID, description="Id of a replay.")]
ProposalId = Annotated[str, Path(pattern=_ID, description="Id of a proposal.")]
GenerationId = Annotated[str, Path(pattern=_ID, description="Id of a generation.")]
FilmId = Annotated[str, Path(pattern=_ID, description="Id of a film.")]
InstrumentId = Annotated[str, Path(pattern=_ID, description="Id of an instrument.")]
CalibrationId = Annotated[str, Path(pattern=_ID, description="Id of a calibration.")]
SampleId = Annotated[str, Path(pattern=_ID, description="Id of a calibration sample.")]
RetractionId = Annotated[str, Path(pattern=_ID, description="Id of a retraction.")]
PriorDataId = Annotated[str, Path(pattern=_ID, description="Id of prior data.")]
AttachmentId = Annotated[str, Path(pattern=_ID, description="Id of an attachment.")]
LeaseId = Annotated[str, Path(pattern=_ID, description="Id of a lease.")]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE, description="Most items of this page.")]
After = Annotated[str | None, Query(pattern=_ID, description="`next` of the page before.")]
AfterNumber = Annotated[int, Query(ge=0, le=LARGEST_REVISION, description="`next` of the page before.")]
AfterSeq = Annotated[int, Query(ge=0, le=LARGEST_SEQ, description="Number of the last event already seen.")]
AtRevision = Annotated[int | None, Query(ge=0, le=LARGEST_REVISION, description="A revision; the newest if left out.")]
