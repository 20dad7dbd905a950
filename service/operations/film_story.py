"""One film from beginning to end: why it was wanted, what it was to be, what it became, what was read of it."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from models.problem import Problem
from service.operations import attachments, charts, films, proposals
from service.operations.attachments import Stored
from service.operations.charts import Reading
from service.operations.films import Film
from service.operations.proposals import Proposal
from service.store import datasets, models

MOST_ATTACHMENTS = 200


@dataclass(frozen=True)
class Scatter:
    """How far a reading may lie from what the material has, as the model knew that chose the film."""

    noise_sd: float
    film_effect_sd: float


@dataclass(frozen=True)
class FilmStory:
    """A film with all that is known of it."""

    film: Film
    number: int
    """The how manieth of its campaign."""
    proposal: Proposal
    problem: Problem
    """Under which it was proposed."""
    readings: list[Reading]
    scatter: dict[str, Scatter]
    """By property; empty where no model chose the film."""
    attachments: list[Stored]
    """Without their arrays."""


def film_story(session: Session, film_id: str) -> FilmStory:
    """Read a film.

    Raises:
        NotFound: If there is none of this id.
    """
    film = films.get(session, film_id)
    proposal = proposals.get(session, film.proposal_id)
    number = int(proposal.provenance["config_revision"])
    problem = datasets.problem(session, film.campaign_id, number)
    return FilmStory(
        film=film,
        number=charts.film_numbers(session, film.campaign_id, [film_id])[film_id],
        proposal=proposal,
        problem=problem,
        readings=charts.film_readings(session, film_id),
        scatter=_scatter(session, proposal.provenance.get("model_version_id"), problem),
        attachments=attachments.page(
            session, film.campaign_id, film_id=film_id, kind=None, after=None, limit=MOST_ATTACHMENTS
        ),
    )


def _scatter(session: Session, model_version_id: str | None, problem: Problem) -> dict[str, Scatter]:
    if model_version_id is None:
        return {}
    told = models.get(session, model_version_id)[0].metrics.get("objectives") or []
    return {
        p.property: Scatter(report["noise_sd"], report.get("film_effect_sd") or 0.0)
        for p, report in zip(problem.properties, told, strict=False)
        if report.get("noise_sd") is not None
    }
