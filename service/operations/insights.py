"""What was found out about a campaign, as its newest model and its history of decisions tell it.

Nothing is computed here but the stop advice, which is a rule on a short list of numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from models.problem import Problem
from models.stopping import Advice, Standing, Stopping, advise
from service.errors import NotFound
from service.operations.budgets import films_left
from service.operations.decision_inputs import alike
from service.operations.models import ModelVersion
from service.operations.models import page as model_page
from service.store import campaigns, datasets, decisions, models, retractions
from service.store.tables import DecisionRow

RESOLVED_VOLUME = 0.01
"""Of several objectives: a smaller share of the hypervolume is not held to matter, unless something else is stated."""


@dataclass(frozen=True)
class Insight:
    """Something that a model version says, with its lineage."""

    campaign_id: str
    model_version_id: str
    revision: int
    """Revision of the dataset that the model has seen."""
    stale: bool
    """Whether the dataset is ahead of it, or the problem is another one by now."""
    rests_on_retracted: bool
    """Whether it was trained on readings that are retracted now."""
    said: dict[str, Any]


@dataclass(frozen=True)
class PropertyCalibration:
    """How well one property was predicted, film by film from all the others."""

    property: str
    unit: str
    readings: int | None
    films: int | None
    noise_sd: float | None
    film_effect_sd: float | None
    leave_film_out: dict[str, Any] | None
    """None while there is one film only."""


@dataclass(frozen=True)
class Calibration:
    """How far the intervals of one model version can be trusted."""

    model_version_id: str
    revision: int
    created_at: datetime
    properties: tuple[PropertyCalibration, ...]


@dataclass(frozen=True)
class StopAdvice:
    """Whether another film is worth making, and the history that says so."""

    campaign_id: str
    revision: int
    advice: Advice
    unit: str
    films_left: int | None
    options: Stopping
    history: Sequence[DecisionRow]


def recommendation(session: Session, campaign_id: str) -> Insight:
    """The composition that the newest model recommends, its chance of being the best, and its rivals.

    Raises:
        NotFound: If there is no such campaign, it has several objectives, or no model yet.
    """
    return _insight(session, campaign_id, "recommendation")


def pareto(session: Session, campaign_id: str) -> Insight:
    """The trade-offs between several objectives that the newest model believes possible, and their hypervolume.

    Raises:
        NotFound: If there is no such campaign, it has one objective only, or no model yet.
    """
    return _insight(session, campaign_id, "pareto")


def calibration(session: Session, campaign_id: str, after: str | None, limit: int) -> list[Calibration]:
    """Calibration of the first `limit` model versions after the id `after`, oldest first.

    Raises:
        NotFound: If there is no such campaign.
    """
    return [
        _calibration(version, datasets.problem(session, campaign_id, version.config_revision))
        for version in model_page(session, campaign_id, after, limit, models.SURROGATE)
    ]


def calibration_of(session: Session, version: ModelVersion) -> Calibration:
    """Calibration of one model version."""
    return _calibration(version, datasets.problem(session, version.campaign_id, version.config_revision))


def stop_advice(session: Session, campaign_id: str, options: Stopping, limit: int) -> StopAdvice:
    """Judge from the last `limit` decisions whether another film is worth making.

    Raises:
        NotFound: If there is no such campaign.
    """
    campaign = campaigns.get(session, campaign_id)
    problem = datasets.head(session, campaign_id).problem
    config = campaigns.config(session, campaign_id, campaign.config_revision)
    left = films_left(session, config)
    history = decisions.newest(session, campaign_id, limit)
    unit = " x ".join(o.unit for o in problem.objectives)
    standings, smallest = [_standing(row) for row in history], _volume(problem, history)
    advice = advise(standings, options, unit=unit, left=left, smallest=smallest)
    return StopAdvice(campaign_id, campaign.revision, advice, unit, left, options, history)


def _insight(session: Session, campaign_id: str, noun: str) -> Insight:
    campaign = campaigns.get(session, campaign_id)
    found = models.newest_with(session, campaign_id, noun)
    if found is None:
        raise NotFound(_missing(datasets.head(session, campaign_id).problem, noun), campaign_id)
    version, said = found
    stale = version.revision < campaign.revision or not alike(
        datasets.problem(session, campaign_id, version.config_revision), datasets.head(session, campaign_id).problem
    )
    resting = bool(retractions.resting_on_retracted(session, campaign_id, [version.revision]))
    return Insight(campaign_id, version.id, version.revision, stale, resting, said)


def _missing(problem: Problem, noun: str) -> str:
    """What there is not, and what there is instead."""
    if noun == "pareto" and len(problem.objectives) == 1:
        return "Pareto front (one objective has a recommendation) in campaign"
    if noun == "recommendation" and len(problem.objectives) > 1:
        return "recommendation (several objectives have a Pareto front) in campaign"
    return f"model yet that tells the {noun} of campaign"


def _calibration(version: ModelVersion, problem: Problem) -> Calibration:
    reports = version.metrics.get("objectives") or []
    return Calibration(
        model_version_id=version.id,
        revision=version.revision,
        created_at=version.created_at,
        properties=tuple(
            PropertyCalibration(
                property=sought.property,
                unit=sought.unit,
                readings=report.get("readings"),
                films=report.get("films"),
                noise_sd=report.get("noise_sd"),
                film_effect_sd=report.get("film_effect_sd"),
                leave_film_out=report.get("leave_film_out"),
            )
            for sought, report in zip(problem.properties, reports, strict=False)
        ),
    )


def _standing(row: DecisionRow) -> Standing:
    return Standing(row.films, row.policy, row.expected_gain, row.noise_sd, row.best_sd, row.cost)


def _volume(problem: Problem, history: Sequence[DecisionRow]) -> float | None:
    """What matters of a hypervolume; None for one objective, where the noise of a reading is the measure."""
    best = history[-1].best_mean if history and len(problem.objectives) > 1 else None
    return RESOLVED_VOLUME * best if best else None
