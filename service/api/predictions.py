"""What a model believes where a researcher asks: the one answer that is computed on request."""

from contextlib import suppress

import structlog
from fastapi import APIRouter

from service.api.dependencies import CampaignId, ModelVersionId, SessionsDependency, SettingsDependency
from service.api.schemas.predictions import PredictionAsk, PredictionsRead
from service.errors import ArtifactDamaged
from service.operations import predictions
from service.operations.predictions import PredictingModel
from service.settings import Settings

log = structlog.get_logger("filmloop.api")
router = APIRouter(tags=["researcher"])


@router.post("/model-versions/{model_version_id}/predictions")
def predict_by_model_version(
    model_version_id: ModelVersionId, asked: PredictionAsk, sessions: SessionsDependency, settings: SettingsDependency
) -> PredictionsRead:
    """Mean, and three kinds of uncertainty apart, of every property. Changes nothing, so it needs no key."""
    with sessions() as session:
        model = predictions.of_version(session, model_version_id)
    return _answer(settings, model, asked)


@router.post("/campaigns/{campaign_id}/predictions")
def predict_by_newest_model(
    campaign_id: CampaignId, asked: PredictionAsk, sessions: SessionsDependency, settings: SettingsDependency
) -> PredictionsRead:
    """The same, by the campaign's newest model; the answer names it.

    If its file is damaged, the model before it answers.
    """
    with sessions() as session:
        newest = predictions.newest(session, campaign_id)
    try:
        return _answer(settings, newest, asked)
    except ArtifactDamaged as error:
        damaged = error
    with sessions() as session:
        others = predictions.before(session, newest)
    for model in others:
        log.error("an older model serves", damaged=newest.id, in_its_place=model.id, error=str(damaged))
        with suppress(ArtifactDamaged):
            return _answer(settings, model, asked)
    raise damaged


def _answer(settings: Settings, model: PredictingModel, asked: PredictionAsk) -> PredictionsRead:
    """Computed after the session was given back: no connection waits for arithmetic."""
    problem = model.problem
    if asked.compositions is not None:
        points = predictions.listed(problem, asked.compositions)
    elif asked.line is not None:
        points = predictions.on_line(problem, asked.line.a, asked.line.b, asked.line.points)
    else:
        points = predictions.on_grid(problem, asked.grid.divisions if asked.grid else 1)
    return PredictionsRead.model_validate(predictions.predict(settings.artifacts_dir, model, points, asked.process))
