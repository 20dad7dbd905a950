"""Films: what was proposed and what was made, side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from service.store import attachments, campaigns, films
from service.store.tables import CompositionReadingRow, FilmRow


@dataclass(frozen=True)
class MeasuredComposition:
    """What an instrument found a device to be made of."""

    composition: dict[str, float]
    std_uncertainty: dict[str, float] | None
    measured_at: datetime
    revision: int
    """From which it counts."""


@dataclass(frozen=True)
class Device:
    """One measurable spot of a film."""

    index: int
    position: float
    proposed: dict[str, float]
    as_made: dict[str, float] | None
    """As the robot reported."""
    measured: MeasuredComposition | None
    """As an instrument found, most recently."""
    readings: int
    """That count."""
    retracted: int
    """Readings that no longer count."""
    dead: bool


@dataclass(frozen=True)
class Film:
    """A film whose making was started."""

    id: str
    campaign_id: str
    proposal_id: str
    robot: str
    state: str
    outcome: str | None
    note: str | None
    process: dict[str, Any]
    devices: list[Device]
    attachments: dict[str, int]
    """How many there are of each kind."""
    started_at: datetime
    completed_at: datetime | None


def get(session: Session, film_id: str) -> Film:
    """One film.

    Raises:
        NotFound: If there is none of this id.
    """
    return _seen(session, [films.get(session, film_id)])[0]


def page(session: Session, campaign_id: str, state: str | None, after: str | None, limit: int) -> list[Film]:
    """The first `limit` films of a campaign after the id `after`, oldest first.

    Raises:
        NotFound: If there is no such campaign.
    """
    campaigns.get(session, campaign_id)
    return _seen(session, films.page(session, campaign_id, state, after, limit))


def _seen(session: Session, rows: Sequence[FilmRow]) -> list[Film]:
    ids = [row.id for row in rows]
    made_of = films.compositions(session, ids)
    readings, retracted = films.readings(session, ids), films.retracted(session, ids)
    attached = attachments.count(session, ids)
    return [replace(_film(row, made_of[row.id], readings, retracted), attachments=attached[row.id]) for row in rows]


def _film(
    row: FilmRow,
    made_of: Sequence[CompositionReadingRow],
    readings: Mapping[tuple[str, int], tuple[int, bool]],
    retracted: Mapping[tuple[str, int], int],
) -> Film:
    as_made = {c.device: c.composition for c in made_of if c.kind == "as_made"}  # oldest first: the newest stays
    measured = {c.device: _measured(c) for c in made_of if c.kind == "measured"}
    devices = []
    for nominal in (c for c in made_of if c.kind == "nominal"):
        number, dead = readings.get((row.id, nominal.device), (0, False))
        device = Device(
            index=nominal.device,
            position=nominal.position,
            proposed=nominal.composition,
            as_made=as_made.get(nominal.device),
            measured=measured.get(nominal.device),
            readings=number,
            retracted=retracted.get((row.id, nominal.device), 0),
            dead=dead,
        )
        devices.append(device)
    return Film(
        id=row.id,
        campaign_id=row.campaign_id,
        proposal_id=row.proposal_id,
        robot=row.robot,
        state=row.state,
        outcome=row.outcome,
        note=row.note,
        process=row.process,
        devices=devices,
        attachments={},
        started_at=row.started_at,
        completed_at=row.completed_at,
    )


def _measured(row: CompositionReadingRow) -> MeasuredComposition:
    assert row.measured_at is not None  # noqa: S101 - every composition as measured has a time
    return MeasuredComposition(row.composition, row.std_uncertainty, row.measured_at, row.revision)
