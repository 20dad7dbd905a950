"""What happened in a campaign, to be read on from any point: page by page, or as it happens."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Header, Response
from starlette.concurrency import run_in_threadpool

from service.api.access import StillKnownDependency
from service.api.dependencies import (
    LARGEST_SEQ,
    AfterSeq,
    CampaignId,
    Limit,
    SessionsDependency,
    StreamsDependency,
)
from service.api.schemas.events import EventPage, EventRead
from service.api.streams import MEDIA_TYPE
from service.operations import events
from service.store.session import Sessions

router = APIRouter(tags=["researcher"])

_STREAM: dict[str, Any] = {
    "description": "A page of events; or, with `Accept: text/event-stream`, every event as it happens.",
    "content": {MEDIA_TYPE: {"schema": {"type": "string", "description": "`id` is `seq`, `data` an `EventRead`."}}},
}
LastEventId = Annotated[
    int | None,
    Header(alias="Last-Event-ID", ge=0, le=LARGEST_SEQ, description="Of a stream: where to resume, before `after`."),
]


@router.get("/campaigns/{campaign_id}/events", response_model=EventPage, responses={200: _STREAM})
async def list_events(
    *,
    campaign_id: CampaignId,
    sessions: SessionsDependency,
    streams: StreamsDependency,
    still_known: StillKnownDependency,
    after: AfterSeq = 0,
    limit: Limit = 100,
    last_event_id: LastEventId = None,
    accept: Annotated[str | None, Header(include_in_schema=False)] = None,
) -> Response:
    """Events after a number, oldest first.

    With `Accept: text/event-stream` the answer does not end: it goes on with each event as it happens. Whoever connects
    again with the `Last-Event-ID` that was seen last gets every event once.
    """
    if wants_stream(accept):

        async def allowed() -> bool:
            caller = await still_known()
            return caller is not None and caller.sees(campaign_id)

        return await streams.open(campaign_id, after if last_event_id is None else last_event_id, allowed)
    page = await run_in_threadpool(_page, sessions, campaign_id, after, limit)
    return Response(page.model_dump_json(), media_type="application/json", headers={"Vary": "Accept"})


def _page(sessions: Sessions, campaign_id: str, after: int, limit: int) -> EventPage:
    with sessions() as session:
        found = [EventRead(**asdict(e)) for e in events.page(session, campaign_id, after, limit)]
    return EventPage(items=found, next=found[-1].seq if found else after)


def wants_stream(accept: str | None) -> bool:
    """Whether an `Accept` header asks for a stream of events rather than for JSON."""
    quality = dict(_preference(part) for part in (accept or "").split(","))
    wanted = quality.get(MEDIA_TYPE, 0.0)
    return wanted > 0.0 and wanted >= quality.get("application/json", 0.0)


def _preference(part: str) -> tuple[str, float]:
    """One media range of an `Accept` header and its weight (RFC 9110)."""
    media_type, *parameters = (p.strip().lower() for p in part.split(";"))
    weight = next((p[2:] for p in parameters if p.startswith("q=")), "1")
    try:
        return media_type, float(weight)
    except ValueError:
        return media_type, 0.0
