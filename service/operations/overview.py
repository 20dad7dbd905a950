"""Campaigns as people look at them: each in a few numbers, with what needs a person; and what is on its way in one."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy.orm import Session

from service.operations import models
from service.operations.audit import Entry
from service.operations.events import Event
from service.operations.models import ModelVersion
from service.operations.proposals import Proposal, seen
from service.store import campaigns, overview, retractions
from service.store.tables import OUTSTANDING, CampaignConfigRow, CampaignRow, DecisionRow

Need = Literal["overdue", "undecided", "exhausted", "draft", "measure"]
"""What waits for a person: films whose robot is silent, a decision that failed for good, a budget that is spent, a
campaign that was never begun, films that nobody has measured yet."""
ENDED = ("completed", "aborted")


@dataclass(frozen=True)
class Best:
    """What is expected at the best composition, or the hypervolume of several objectives."""

    mean: float
    sd: float | None
    revision: int
    """Of the dataset, when that was so."""


@dataclass(frozen=True)
class Overview:
    """A campaign in a few numbers."""

    id: str
    name: str
    state: str
    problem: dict[str, Any]
    revision: int
    decided_revision: int | None
    films_made: int
    budget_films: int | None
    readings: int
    best: Best | None
    counts: dict[str, int]
    """Films by state of their proposal: ready, leased, running, overdue, made."""
    needs: tuple[Need, ...]
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class Flight:
    """A film on its way."""

    proposal_id: str
    film_id: str | None
    state: str
    robot: str | None
    film: dict[str, Any]
    """As proposed."""
    since: datetime
    """When it came into its state."""
    expires_at: datetime | None
    """End of its lease."""


def page(session: Session, limit: int, among: Collection[str] | None = None) -> list[Overview]:
    """The last `limit` campaigns that were made, newest first.

    Args:
        session: The open transaction.
        limit: How many.
        among: Ids of those that may be told of; None for all.
    """
    return _overviews(session, overview.newest_campaigns(session, among, limit))


def get(session: Session, campaign_id: str) -> Overview:
    """One campaign.

    Raises:
        NotFound: If there is none of this id.
    """
    row = campaigns.get(session, campaign_id)
    return _overviews(session, [(row, campaigns.config(session, campaign_id, row.config_revision))])[0]


def queue(session: Session, campaign_id: str, limit: int) -> list[Proposal]:
    """Films that are ready, in the order in which robots will get them.

    Raises:
        NotFound: If there is no such campaign.
    """
    newest = campaigns.get(session, campaign_id).revision
    rows = overview.queue(session, campaign_id, limit)
    resting = retractions.resting_on_retracted(session, campaign_id, {row.revision for row in rows})
    return [seen(row, None, newest, resting) for row in rows]


def flights(session: Session, campaign_id: str, limit: int) -> list[Flight]:
    """Films on their way: overdue ones first, then those that changed longest ago."""
    found = [
        Flight(
            proposal_id=it.proposal.id,
            film_id=None if it.film is None else it.film.id,
            state=it.proposal.state,
            robot=it.lease.robot if it.lease is not None else None if it.film is None else it.film.robot,
            film=it.proposal.film,
            since=it.proposal.updated_at,
            expires_at=None if it.lease is None else it.lease.expires_at,
        )
        for it in overview.flights(session, campaign_id, limit)
    ]
    return sorted(found, key=lambda it: it.state != "overdue")


def last_events(session: Session, campaign_id: str, limit: int) -> list[Event]:
    """What happened last, newest first."""
    return [Event(e.seq, e.type, e.at, e.data) for e in overview.last_events(session, campaign_id, limit)]


def newest_model(session: Session, campaign_id: str) -> ModelVersion | None:
    """The model of the properties that has seen most data; None before the first."""
    found = overview.newest_surrogate(session, campaign_id)
    return None if found is None else models.read(session, found)


def names(session: Session) -> dict[str, str]:
    """Name of every campaign by its id, newest first."""
    return overview.names(session)


def last_changes(
    session: Session, before: int, limit: int, *, key_id: str | None = None, campaign_id: str | None = None
) -> list[Entry]:
    """The last `limit` entries of the audit below a number, newest first; all, or those of a key or a campaign."""
    found = overview.last_changes(session, before, limit, key_id=key_id, campaign_id=campaign_id)
    return [Entry(r.number, r.at, r.key_id, r.operation, r.campaign_id, r.subject, r.data) for r in found]


def _overviews(session: Session, rows: Sequence[tuple[CampaignRow, CampaignConfigRow]]) -> list[Overview]:
    ids = [row.id for row, _ in rows]
    made, read = campaigns.films_made(session, ids), overview.readings(session, ids)
    best, counts = overview.newest_decisions(session, ids), overview.proposals_by_state(session, ids)
    undecided = overview.undecided(session, ids)
    found = []
    for row, config in rows:
        of_state = {s: counts.get((row.id, s), 0) for s in ("ready", *OUTSTANDING)}
        found.append(
            Overview(
                id=row.id,
                name=row.name,
                state=row.state,
                problem=config.problem,
                revision=row.revision,
                decided_revision=row.decided_revision,
                films_made=made[row.id],
                budget_films=config.budget_films,
                readings=read.get(row.id, 0),
                best=_best(best.get(row.id)),
                counts=of_state,
                needs=_needs(row, of_state, undecided=row.id in undecided),
                created_at=row.created_at,
                updated_at=row.updated_at,
            )
        )
    return found


def _best(row: DecisionRow | None) -> Best | None:
    return None if row is None or row.best_mean is None else Best(row.best_mean, row.best_sd, row.revision)


def _needs(row: CampaignRow, counts: dict[str, int], *, undecided: bool) -> tuple[Need, ...]:
    """What waits for a person, the most urgent first."""
    going = row.state not in ENDED
    told: dict[Need, bool] = {
        "overdue": counts["overdue"] > 0,
        "undecided": undecided and going,
        "exhausted": row.exhausted and row.state == "active",
        "draft": row.state == "draft",
        "measure": counts["made"] > 0 and row.state != "aborted",
    }
    return tuple(need for need, so in told.items() if so)
