"""Readings as people leaf through them: where each was taken, on what, and whether it counts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from service.operations.retractions import Retraction
from service.operations.retractions import page as retraction_page
from service.store import campaigns, films, ledger
from service.store.ledger import Filter
from service.store.tables import CompositionReadingRow

__all__ = ["Choices", "FilmLine", "Filter", "Leaf", "Reading", "choices", "film_page", "page", "retractions"]

FILMS = 200
"""Films that a list offers, the last ones begun."""
RETRACTIONS = 1000


@dataclass(frozen=True)
class Reading:
    """One reading."""

    id: str
    uid: str
    instrument: str
    film_id: str | None
    film_number: int | None
    """In the order in which films were begun, from 1."""
    device: int | None
    sample: str | None
    composition: Mapping[str, float] | None
    """Of the device, as well as it is known: measured, else as made, else as proposed."""
    property: str
    unit: str
    value: float | None
    status: str
    std_uncertainty: float | None
    measured_at: datetime
    revision: int
    counts: bool


@dataclass(frozen=True)
class Leaf:
    """One page of the ledger."""

    readings: Sequence[Reading]
    next: str | None
    """Id of the last one, after which it goes on; None at the end."""


@dataclass(frozen=True)
class FilmLine:
    """One film in the list of all."""

    id: str
    number: int
    """In the order in which films were begun, from 1."""
    state: str
    outcome: str | None
    note: str | None
    robot: str
    film: dict[str, Any]
    """As proposed."""
    source: str
    devices: int
    readings: int
    """That count."""
    dead: int
    """Devices that were found dead."""
    started_at: datetime
    completed_at: datetime | None


@dataclass(frozen=True)
class Choices:
    """What there is to filter by."""

    instruments: Sequence[str]
    films: Sequence[tuple[str, int]]
    """Ids and numbers of the last films, newest first."""


def page(session: Session, campaign_id: str, wanted: Filter, after: str | None, limit: int) -> Leaf:
    """Readings of a campaign, those that came last before the others.

    Raises:
        NotFound: If there is no such campaign.
    """
    campaigns.get(session, campaign_id)
    lines = ledger.page(session, campaign_id, wanted, after, limit + 1)
    shown = lines[:limit]
    film_ids = {line.reading.film_id for line in shown if line.reading.film_id is not None}
    numbers = ledger.film_numbers(session, campaign_id, film_ids)
    made_of = _best_known(films.compositions(session, film_ids))
    return Leaf(
        readings=[_reading(line, numbers, made_of) for line in shown],
        next=shown[-1].reading.id if len(lines) > limit else None,
    )


def choices(session: Session, campaign_id: str) -> Choices:
    """What the readings of a campaign may be filtered by."""
    found = [film.id for film, _ in ledger.films(session, campaign_id, None, FILMS)]
    numbers = ledger.film_numbers(session, campaign_id, found)
    return Choices(
        instruments=ledger.instruments(session, campaign_id),
        films=[(film_id, numbers[film_id]) for film_id in found],
    )


def film_page(session: Session, campaign_id: str, before: str | None, limit: int) -> list[FilmLine]:
    """The last `limit` films of a campaign that were begun, newest first.

    Raises:
        NotFound: If there is no such campaign.
    """
    campaigns.get(session, campaign_id)
    found = ledger.films(session, campaign_id, before, limit)
    ids = [film.id for film, _ in found]
    numbers, read = ledger.film_numbers(session, campaign_id, ids), films.readings(session, ids)
    return [
        FilmLine(
            id=film.id,
            number=numbers[film.id],
            state=film.state,
            outcome=film.outcome,
            note=film.note,
            robot=film.robot,
            film=proposal.film,
            source=proposal.source,
            devices=film.devices,
            readings=sum(count for (of, _), (count, _) in read.items() if of == film.id),
            dead=sum(dead for (of, _), (_, dead) in read.items() if of == film.id),
            started_at=film.started_at,
            completed_at=film.completed_at,
        )
        for film, proposal in found
    ]


def retractions(session: Session, campaign_id: str) -> list[Retraction]:
    """Retractions of a campaign, newest first."""
    return retraction_page(session, campaign_id, None, RETRACTIONS)[::-1]


_RANK = {"nominal": 0, "as_made": 1, "measured": 2}


def _best_known(
    made_of: Mapping[str, Sequence[CompositionReadingRow]],
) -> dict[tuple[str, int], CompositionReadingRow]:
    """By film and device: the composition that is known best, the newest of its kind."""
    found: dict[tuple[str, int], CompositionReadingRow] = {}
    for film_id, rows in made_of.items():
        for row in rows:  # oldest first
            known = found.get((film_id, row.device))
            if known is None or _RANK[row.kind] >= _RANK[known.kind]:
                found[film_id, row.device] = row
    return found


def _reading(
    line: ledger.Line, numbers: Mapping[str, int], made_of: Mapping[tuple[str, int], CompositionReadingRow]
) -> Reading:
    row = line.reading
    known = None if row.film_id is None or row.device is None else made_of.get((row.film_id, row.device))
    return Reading(
        id=row.id,
        uid=row.uid,
        instrument=line.instrument,
        film_id=row.film_id,
        film_number=None if row.film_id is None else numbers[row.film_id],
        device=row.device,
        sample=line.sample,
        composition=None if known is None else known.composition,
        property=row.property,
        unit=row.unit,
        value=row.value,
        status=row.status,
        std_uncertainty=row.std_uncertainty,
        measured_at=row.measured_at,
        revision=row.revision,
        counts=line.counts,
    )
