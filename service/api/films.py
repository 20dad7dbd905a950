"""Where films are read: what was proposed and what was made, side by side."""

from typing import Annotated

from fastapi import APIRouter, Query

from service.api.dependencies import After, CampaignId, FilmId, Limit, SessionsDependency
from service.api.schemas.fields import Page
from service.api.schemas.films import FilmRead, FilmState
from service.operations import films

router = APIRouter(tags=["researcher"])


@router.get("/campaigns/{campaign_id}/films")
def list_films(
    campaign_id: CampaignId,
    sessions: SessionsDependency,
    state: Annotated[FilmState | None, Query(description="Only films in this state.")] = None,
    after: After = None,
    limit: Limit = 100,
) -> Page[FilmRead]:
    """Films of a campaign, oldest first."""
    with sessions() as session:
        found = films.page(session, campaign_id, state, after, limit + 1)
    shown = [FilmRead.model_validate(f) for f in found[:limit]]
    return Page(items=shown, next=shown[-1].id if len(found) > limit else None)


@router.get("/films/{film_id}")
def read_film(film_id: FilmId, sessions: SessionsDependency) -> FilmRead:
    """One film."""
    with sessions() as session:
        return FilmRead.model_validate(films.get(session, film_id))
