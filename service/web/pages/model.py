"""A model version: how far it can be trusted, what it found out, where it comes from."""

from typing import Any

from fastapi import APIRouter, Request, Response
from sqlalchemy.orm import Session

from service.operations import campaigns, charts, model_story
from service.operations.model_story import ModelStory
from service.web.charts.figure import Figure
from service.web.dependencies import CampaignId, ModelVersionId, SessionsDependency
from service.web.drawings import Words
from service.web.drawings import model as drawn
from service.web.navigation import CAMPAIGN_TABS
from service.web.rendering import render, words_of

router = APIRouter()


@router.get("/campaigns/{campaign_id}/model")
def show_newest(request: Request, campaign_id: CampaignId, sessions: SessionsDependency) -> Response:
    """The campaign's newest model; a few words while there is none."""
    with sessions() as session:
        campaign = campaigns.get(session, campaign_id)
        newest = model_story.newest(session, campaign_id)
        seen = None if newest is None else _seen(session, newest, words_of(request))
    about: dict[str, Any] = {"story": None} if seen is None else seen
    return render(request, "model.html", campaign=campaign, tabs=CAMPAIGN_TABS, tab="model", **about)


@router.get("/models/{model_version_id}")
def show_model(request: Request, model_version_id: ModelVersionId, sessions: SessionsDependency) -> Response:
    """One version, however old."""
    with sessions() as session:
        seen = _seen(session, model_version_id, words_of(request))
        campaign = campaigns.get(session, seen["story"].version.campaign_id)
    return render(request, "model.html", campaign=campaign, tabs=CAMPAIGN_TABS, tab="model", **seen)


def _seen(session: Session, model_version_id: str, t: Words) -> dict[str, Any]:
    story = model_story.model_story(session, model_version_id)
    films = {film for p in story.portraits or () for film in _films(p)}
    numbers = charts.film_numbers(session, story.version.campaign_id, sorted(films))
    reports = story.version.metrics.get("objectives") or []
    each = []
    for k, (sought, report) in enumerate(zip(story.problem.properties, reports, strict=False)):
        portrait = story.portraits[k] if story.portraits and k < len(story.portraits) else {}
        squares = (drawn.reliability(report, t), drawn.held_out(portrait, numbers, t), drawn.ranks(report, t))
        about = {
            "sought": sought,
            "report": report,
            "squares": _there(squares),
            "figures": _there((drawn.film_effects(portrait, numbers, t), drawn.drift(portrait, t))),
            "words": [(i.name, drawn.in_words(i, sought, t)) for i in story.influences.get(sought.property, ())],
            "noise_map": story.newest and report.get("noise_varies") and story.problem.space.dimension > 2,
        }
        each.append(about)
    judged = story.version if story.version.kind == "generator" else story.generator
    health = {} if judged is None else judged.metrics.get("health") or {}
    return {
        "story": story,
        "each": each,
        "history": drawn.history(story, t),
        "waiting": _waiting(story),
        "generator": judged,
        "health": drawn.health_facts(health, t),
        "codes": drawn.codes(health, t),
    }


def _there(figures: tuple[Figure | None, ...]) -> list[Figure]:
    return [f for f in figures if f is not None]


def _films(portrait: Any) -> set[str]:  # noqa: ANN401 - JSON
    named = [portrait.get(part) or {} for part in ("held_out", "film_effects")]
    return {film for part in named for film in part.get("film", ())}


def _waiting(story: ModelStory) -> bool:
    """Whether the worker is about to tell more of this version: it answers the newest one only."""
    return story.portraits is None and story.newest
