"""Where it is asked what came from what."""

from typing import Annotated

from fastapi import APIRouter, Query

from service.api.dependencies import CampaignId, SessionsDependency
from service.api.schemas.lineage import LineageRead
from service.operations import lineage

router = APIRouter(tags=["researcher"])


@router.get("/campaigns/{campaign_id}/lineage")
def read_lineage(
    campaign_id: CampaignId,
    sessions: SessionsDependency,
    of: Annotated[
        str | None,
        Query(
            pattern=r"^[A-Za-z0-9_:-]{1,64}$",
            description="Id of one thing (`configuration:2`, `revision:7`, or that of a model version, proposal, film, "
            "batch, retraction): then only what it came from, directly and indirectly.",
        ),
    ] = None,
) -> LineageRead:
    """What came from what: configurations, revisions of the dataset, model versions, proposals, films, batches."""
    with sessions() as session:
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        return LineageRead.model_validate(lineage.read(session, campaign_id, of))
