"""A campaign's dataset at a revision: what a revision holds never changes, so it can be kept by whoever read it."""

from typing import Annotated

from fastapi import APIRouter, Header, Response

from service.api.dependencies import AtRevision, CampaignId, SessionsDependency
from service.api.schemas.datasets import DatasetRead, DatasetRowRead
from service.operations import datasets

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
    if_none_match: Annotated[str | None, Header(max_length=8192)] = None,
) -> Response:
    """Every active reading at a revision. Its ETag is the snapshot's hash."""
    with sessions.begin() as session:
        view = datasets.read(session, campaign_id, revision, lambda known: _has(if_none_match, known))
    kept_for = "no-cache" if revision is None else "private, max-age=31536000, immutable"
    headers = {"ETag": f'"{view.snapshot_hash}"', "Cache-Control": kept_for}
    if view.rows is None:
        return Response(status_code=304, headers=headers)
    body = DatasetRead(
        campaign_id=view.campaign_id,
        revision=view.revision,
        snapshot_hash=view.snapshot_hash,
        columns=list(view.columns),
        rows=[DatasetRowRead.model_validate(row) for row in view.rows],
    )
    return Response(body.model_dump_json(), media_type="application/json", headers=headers)


def _has(if_none_match: str | None, snapshot_hash: str) -> bool:
    """Whether one of the caller's entity tags is this snapshot's; weak and strong tags are alike here (RFC 9110)."""
    tags = [tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(",")]
    return f'"{snapshot_hash}"' in tags or tags == ["*"]
