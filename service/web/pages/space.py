"""The composition space of a campaign: a triangle of three elements, and all elements side by side."""

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Query, Request, Response
from numpy.typing import NDArray
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from models.composition import CategoricalVariable, ProcessValues
from models.problem import Problem
from service.errors import NotFound
from service.operations import campaigns, charts, insights, predictions, proposals, sections
from service.operations.charts import Cloud
from service.operations.predictions import PredictingModel
from service.settings import Settings
from service.web.dependencies import CampaignId, SessionsDependency
from service.web.drawings.parallel import parallel
from service.web.drawings.space import Cut, Proposed, Scene, Shown, ternary
from service.web.navigation import CAMPAIGN_TABS
from service.web.phrases import plain
from service.web.rendering import language_of, render, words_of

router = APIRouter()

Array = NDArray[np.float64]
VARYING = 3
MOST_PROPOSED = 20


class Asked(BaseModel):
    """What the address says of the section; whatever is left out or cannot be is chosen here."""

    e: list[str] = Field(default=[], max_length=40)
    """The elements that vary: top, left, right."""
    h: list[str] = Field(default=[], max_length=40)
    """Atomic percent of the others, `element:percent`."""
    p: list[str] = Field(default=[], max_length=40)
    """Process values, `name:value`."""
    of: str | None = Field(default=None, max_length=64)
    """A property."""
    show: Shown = "mean"


@dataclass(frozen=True)
class Chosen:
    """What the visitor wants to see."""

    cut: Cut
    property: str
    shown: Shown
    process: ProcessValues | None


@router.get("/campaigns/{campaign_id}/space")
def show_space(
    request: Request, campaign_id: CampaignId, sessions: SessionsDependency, asked: Annotated[Asked, Query()]
) -> Response:
    """The page: what to show. The drawings follow by themselves: a model may have to be loaded."""
    with sessions() as session:
        campaign = campaigns.get(session, campaign_id)
        problem = charts.problem_of(session, campaign_id)
        chosen = _chosen(session, campaign_id, problem, asked)
        model = _model(session, campaign_id)
    return render(
        request,
        "space.html",
        campaign=campaign,
        tabs=CAMPAIGN_TABS,
        tab="space",
        chosen=chosen,
        held={problem.space.elements[k]: 100.0 * float(chosen.cut.held[k]) for k in chosen.cut.others},
        process=_process_shown(problem, chosen.process),
        shows=("mean", "sd") + (("improvement",) if _is_objective(problem, chosen.property) else ()),
        has_model=model is not None,
        few=problem.space.dimension < VARYING,
        query=str(request.url.query),
        many=problem.space.dimension > VARYING,
    )


@router.get("/campaigns/{campaign_id}/space/elements")
def show_elements(
    request: Request, campaign_id: CampaignId, sessions: SessionsDependency, asked: Annotated[Asked, Query()]
) -> Response:
    """All elements side by side."""
    with sessions() as session:
        problem = charts.problem_of(session, campaign_id)
        chosen = _chosen(session, campaign_id, problem, asked)
        cloud = _cloud(session, campaign_id, problem, chosen.property)
        numbers = charts.film_numbers(session, campaign_id, sorted(set(cloud.film)))
    return render(request, "space/elements.html", drawn=parallel(cloud, problem, numbers, words_of(request)))


@router.get("/campaigns/{campaign_id}/space/triangle")
def show_triangle(
    request: Request, campaign_id: CampaignId, sessions: SessionsDependency, asked: Annotated[Asked, Query()]
) -> Response:
    """The triangle alone."""
    settings: Settings = request.app.state.settings
    with sessions() as session:
        problem = charts.problem_of(session, campaign_id)
        chosen = _chosen(session, campaign_id, problem, asked)
        cloud = _cloud(session, campaign_id, problem, chosen.property)
        numbers = charts.film_numbers(session, campaign_id, sorted(set(cloud.film)))
        model, best = _model(session, campaign_id), _recommended(session, campaign_id, problem)[0]
        films = tuple(_proposed(session, campaign_id, problem, request))
    found = None
    if model is not None and model.problem.space == problem.space and len(chosen.cut.rim) > 2:
        found = sections.section(settings.artifacts_dir, model, chosen.cut.lattice(), chosen.process, chosen.property)
    scene = Scene(chosen.cut, cloud, found, chosen.shown, films, best, numbers)
    there = len(chosen.cut.rim) > 2 and problem.space.dimension >= VARYING
    drawn = ternary(scene, words_of(request)) if there else None
    return render(request, "space/triangle.html", drawn=drawn)


def _chosen(session: Session, campaign_id: str, problem: Problem, asked: Asked) -> Chosen:
    space = problem.space
    best, usual = _recommended(session, campaign_id, problem)
    middle = best if best is not None else space.sample(64, seed=0).mean(0)
    varying = [space.elements.index(x) for x in dict.fromkeys(asked.e) if x in space.elements]
    if best is not None and len(space.elements) > VARYING:
        varying += [k for k in np.argsort(-middle).tolist() if k not in varying]
    varying += [k for k in range(space.dimension) if k not in varying]
    if not asked.e:
        varying = sorted(varying[:VARYING])
    fixed = middle.copy()
    for key, percent in _pairs(asked.h):
        if key in space.elements and (share := _number(percent)) is not None and 0.0 <= share <= 100.0:
            fixed[space.elements.index(key)] = share / 100.0
    properties = [p.property for p in problem.properties]
    a, b, c = [*varying, 0, 0, 0][:VARYING]
    name = asked.of if asked.of in properties else properties[0]
    return Chosen(Cut(problem, (a, b, c), fixed), name, asked.show, _process(problem, asked.p, usual))


def _process(problem: Problem, conditions: list[str], usual: ProcessValues | None) -> ProcessValues | None:
    """Process values as asked, the others at mid range; what is usual if nothing was asked."""
    given = dict(_pairs(conditions))
    if not given:
        return usual
    found: dict[str, float | str] = {}
    for v in problem.space.process:
        asked = given.get(v.name)
        if isinstance(v, CategoricalVariable):
            found[v.name] = asked if asked in v.choices else v.choices[0]
        else:
            number = _number(asked)
            found[v.name] = 0.5 * (v.lower + v.upper) if number is None else min(max(number, v.lower), v.upper)
    return found


def _process_shown(problem: Problem, asked: ProcessValues | None) -> list[dict[str, Any]]:
    """Process variables with the value that is shown, for the form."""
    return [
        {
            "name": v.name,
            "unit": getattr(v, "unit", ""),
            "choices": list(v.choices) if isinstance(v, CategoricalVariable) else None,
            "value": (asked or {}).get(
                v.name, v.choices[0] if isinstance(v, CategoricalVariable) else 0.5 * (v.lower + v.upper)
            ),
        }
        for v in problem.space.process
    ]


def _pairs(listed: list[str]) -> list[tuple[str, str]]:
    return [(name, value) for name, colon, value in (item.rpartition(":") for item in listed) if colon]


def _number(said: str | None) -> float | None:
    try:
        found = float(said) if said is not None else None
    except ValueError:
        return None
    return found if found is not None and np.isfinite(found) else None


def _is_objective(problem: Problem, name: str) -> bool:
    return name in {o.property for o in problem.objectives}


def _cloud(session: Session, campaign_id: str, problem: Problem, name: str) -> Cloud:
    sought = next(p for p in problem.properties if p.property == name)
    return charts.cloud(session, campaign_id, problem, sought)


def _model(session: Session, campaign_id: str) -> PredictingModel | None:
    try:
        return predictions.newest(session, campaign_id)
    except NotFound:  # nothing was learned yet: what was read is shown alone
        return None


def _recommended(session: Session, campaign_id: str, problem: Problem) -> tuple[Array | None, ProcessValues | None]:
    """Composition and process that the newest model holds for the best, as far as it was asked."""
    if len(problem.objectives) > 1:
        return None, None
    try:
        said = insights.recommendation(session, campaign_id).said
    except NotFound:  # not explained yet
        return None, None
    known = said["process"] if set(said["process"]) == {v.name for v in problem.space.process} else None
    return np.array([said["composition"].get(e, 0.0) for e in problem.space.elements]), known or None


def _proposed(session: Session, campaign_id: str, problem: Problem, request: Request) -> list[Proposed]:
    t, language, found = words_of(request), language_of(request), []
    for state in ("ready", "leased", "running", "overdue", "made"):
        for it in proposals.page(session, campaign_id, state, None, MOST_PROPOSED):
            a, b = (np.array([it.film[end].get(e, 0.0) for e in problem.space.elements]) for end in ("a", "b"))
            link = None if it.film_id is None else f"/films/{it.film_id}"
            why = it.reason if it.source == "person" else plain(language, it.reason)
            found.append(Proposed(a, b, f"{t('space.proposed')}: {t('state.' + it.state)}\n{why}", link))
    return found
