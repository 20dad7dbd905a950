"""A campaign's dataset at a revision: what a revision holds never changes, so it can be kept by whoever read it."""

import base64
from typing import Annotated

from fastapi import APIRouter, Header, Query, Response

from service.api.dependencies import LARGEST_REVISION, After, AtRevision, CampaignId, Limit, SessionsDependency
from service.api.schemas.datasets import DatasetRead, DatasetRowRead, SampleRowRead
from service.api.schemas.fields import Page
from service.api.schemas.prior_data import PriorInForceRead
from service.errors import InvalidInput
from service.operations import datasets
from service.operations.datasets import Cursor

MAX_ROWS = 10_000
"""Most readings of one page."""

router = APIRouter(tags=["researcher"])


@router.get(
    "/campaigns/{campaign_id}/dataset",
    response_model=DatasetRead,
    responses={304: {"description": "The caller has this snapshot"}},
)
def read_dataset(
    campaign_id: CampaignId,
    sessions: SessionsDependency,
    revision: AtRevision = None,
    *,
    after: Annotated[str | None, Query(pattern=r"^[A-Za-z0-9_-]{1,800}$", description="`next` of a page.")] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_ROWS, description="Most rows of this page.")] = MAX_ROWS,
    if_none_match: Annotated[str | None, Header(max_length=8192)] = None,
) -> Response:
    """Active readings at a revision, oldest first. The ETag is the hash of the whole snapshot.

    Pages fit together only if they are of one revision: ask for the first page's `revision` in the following ones.
    """
    cursor = None if after is None else _read_cursor(after)
    with sessions.begin() as session:
        view = datasets.read(
            session, campaign_id, revision, after=cursor, limit=limit, known=lambda h: _has(if_none_match, h)
        )
    kept_for = "no-cache" if revision is None else "private, max-age=31536000, immutable"
    headers = {"ETag": f'"{view.snapshot_hash}"', "Cache-Control": kept_for}
    if view.rows is None:
        return Response(status_code=304, headers=headers)
    body = DatasetRead(
        campaign_id=view.campaign_id,
        revision=view.revision,
        snapshot_hash=view.snapshot_hash,
        columns=list(view.columns),
        retracted=view.retracted,
        prior_data=[PriorInForceRead.model_validate(row) for row in view.prior],
        rows=[DatasetRowRead.model_construct(**row._asdict()) for row in view.rows],
        next=None if view.next is None else _cursor(view.next),
    )
    return Response(body.model_dump_json(), media_type="application/json", headers=headers)


@router.get("/campaigns/{campaign_id}/dataset/samples")
def read_dataset_samples(
    campaign_id: CampaignId,
    sessions: SessionsDependency,
    revision: AtRevision = None,
    after: After = None,
    limit: Limit = 100,
) -> Page[SampleRowRead]:
    """Active readings of calibration samples at a revision: the part of the dataset that is of no film."""
    with sessions() as session:
        found = datasets.read_samples(session, campaign_id, revision, after, limit + 1)
    shown = [SampleRowRead.model_validate(row) for row in found[:limit]]
    return Page(items=shown, next=shown[-1].id if len(found) > limit else None)


def _has(if_none_match: str | None, snapshot_hash: str) -> bool:
    """Whether one of the caller's entity tags is this snapshot's; weak and strong tags are alike here (RFC 9110)."""
    tags = [tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(",")]
    return f'"{snapshot_hash}"' in tags or tags == ["*"]


def _cursor(cursor: Cursor) -> str:
    told = f"{cursor.revision} {cursor.uid}".encode()
    return base64.urlsafe_b64encode(told).decode().rstrip("=")


def _read_cursor(after: str) -> Cursor:
    """Undo `_cursor`.

    Raises:
        InvalidInput: If it is not one that a page gave.
    """
    try:
        revision, uid = base64.urlsafe_b64decode(after + "=" * (-len(after) % 4)).decode().split(" ", 1)
        number = int(revision)
    except ValueError as error:
        raise InvalidInput(f"after {after[:50]!r} is not the 'next' of a page") from error
    if not 0 <= number <= LARGEST_REVISION or "\x00" in uid:
        raise InvalidInput(f"after {after[:50]!r} is not the 'next' of a page")
    return Cursor(number, uid)
