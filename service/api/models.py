"""Trained models: lineage, metrics, and the stored map of what a model believes. Nothing is computed here."""

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from service.api.dependencies import After, CampaignId, Limit, ModelVersionId, SessionsDependency
from service.api.schemas.fields import Page
from service.api.schemas.models import ArtifactRead, ModelVersionRead, PosteriorRead
from service.operations import models
from service.operations.models import ModelVersion

router = APIRouter(tags=["researcher"])


@router.get("/campaigns/{campaign_id}/model-versions")
def list_model_versions(
    campaign_id: CampaignId, sessions: SessionsDependency, after: After = None, limit: Limit = 100
) -> Page[ModelVersionRead]:
    """Model versions of a campaign, oldest first."""
    with sessions() as session:
        found = models.page(session, campaign_id, after, limit + 1)
    shown = [_read(version) for version in found[:limit]]
    return Page(items=shown, next=shown[-1].id if len(found) > limit else None)


@router.get("/model-versions/{model_version_id}")
def read_model_version(model_version_id: ModelVersionId, sessions: SessionsDependency) -> ModelVersionRead:
    """One model version."""
    with sessions() as session:
        return _read(models.read(session, model_version_id))


@router.get("/model-versions/{model_version_id}/posterior", response_model=PosteriorRead)
def read_posterior(model_version_id: ModelVersionId, sessions: SessionsDependency) -> JSONResponse:
    """Posterior mean and standard deviation over the search space, as stored when the model was trained."""
    with sessions() as session:
        return JSONResponse(models.posterior(session, model_version_id))


def _read(version: ModelVersion) -> ModelVersionRead:
    return ModelVersionRead(
        id=version.id,
        campaign_id=version.campaign_id,
        kind=version.kind,
        name=version.name,
        config_revision=version.config_revision,
        revision=version.revision,
        snapshot_hash=version.snapshot_hash,
        seed=version.seed,
        started_from_id=version.started_from_id,
        metrics=version.metrics,
        versions=version.versions,
        artifact=ArtifactRead(sha256=version.artifact_sha256, bytes=version.artifact_bytes),
        rests_on_retracted=version.rests_on_retracted,
        created_at=version.created_at,
    )
