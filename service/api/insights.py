"""What a researcher asks of a campaign: the best composition, trade-offs, how far to trust the model, when to stop."""

from typing import Annotated

from fastapi import APIRouter, Query

from models.stopping import Stopping
from service.api.dependencies import After, CampaignId, Limit, SessionsDependency
from service.api.schemas.fields import Page
from service.api.schemas.insights import (
    CalibrationRead,
    ParetoRead,
    RecommendationRead,
    StandingRead,
    StopAdviceRead,
    StopAsked,
    StopOptionsRead,
)
from service.operations import insights
from service.operations.insights import Insight, StopAdvice

router = APIRouter(tags=["researcher"])


@router.get("/campaigns/{campaign_id}/recommendation")
def read_recommendation(campaign_id: CampaignId, sessions: SessionsDependency) -> RecommendationRead:
    """Where the newest model expects the best value, with its probability of being the best, and its rivals."""
    with sessions() as session:
        found = insights.recommendation(session, campaign_id)
    return RecommendationRead.model_validate({**found.said, **_lineage(found)})


@router.get("/campaigns/{campaign_id}/pareto")
def read_pareto_front(campaign_id: CampaignId, sessions: SessionsDependency) -> ParetoRead:
    """The best trade-offs between several objectives with their uncertainty, and the hypervolume."""
    with sessions() as session:
        found = insights.pareto(session, campaign_id)
    return ParetoRead.model_validate({**found.said, **_lineage(found)})


@router.get("/campaigns/{campaign_id}/calibration")
def list_calibrations(
    campaign_id: CampaignId, sessions: SessionsDependency, after: After = None, limit: Limit = 100
) -> Page[CalibrationRead]:
    """How well each model version predicted every film from all the others, oldest version first."""
    with sessions() as session:
        found = insights.calibration(session, campaign_id, after, limit + 1)
    shown = [CalibrationRead.model_validate(c) for c in found[:limit]]
    return Page(items=shown, next=shown[-1].model_version_id if len(found) > limit else None)


@router.get("/campaigns/{campaign_id}/stop-advice")
def read_stop_advice(
    campaign_id: CampaignId, sessions: SessionsDependency, asked: Annotated[StopAsked, Query()]
) -> StopAdviceRead:
    """Expected gain of the next film against noise and cost, with its history. Advice only: nothing stops by itself."""
    options = Stopping(**asked.model_dump(exclude={"limit"}))
    with sessions() as session:
        return _advice(insights.stop_advice(session, campaign_id, options, asked.limit))


def _lineage(found: Insight) -> dict[str, str | int | bool]:
    return {
        "campaign_id": found.campaign_id,
        "model_version_id": found.model_version_id,
        "revision": found.revision,
        "stale": found.stale,
        "rests_on_retracted": found.rests_on_retracted,
    }


def _advice(found: StopAdvice) -> StopAdviceRead:
    return StopAdviceRead(
        campaign_id=found.campaign_id,
        revision=found.revision,
        advice=found.advice.advice,
        why=found.advice.why,
        unit=found.unit,
        resolution=found.advice.resolution,
        quiet_films=found.advice.quiet_films,
        films_left=found.films_left,
        options=StopOptionsRead.model_validate(found.options.model_dump()),
        history=[StandingRead.model_validate(row) for row in found.history],
    )
