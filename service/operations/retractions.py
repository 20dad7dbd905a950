"""Retract readings, and take a retraction back. Rows, never deletes: every past revision reads the same for ever."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement
from sqlalchemy.orm import Session

from service.errors import Conflict, InvalidInput, Violation
from service.operations.refill import request_decision
from service.store import calibrations, campaigns, datasets, events, films, instruments, proposals, retractions
from service.store.ids import new_id
from service.store.session import lock_campaign
from service.store.tables import CompositionReadingRow, MeasurementRow, RetractionRow


@dataclass(frozen=True)
class What:
    """Which readings: exactly one of ids, film, instrument (with a window, if it is to be one) or calibration."""

    measurement_ids: tuple[str, ...] | None = None
    film_id: str | None = None
    instrument: str | None = None
    """Name."""
    measured_from: datetime | None = None
    measured_until: datetime | None = None
    """The first instant that is not covered."""
    calibration_id: str | None = None


@dataclass(frozen=True)
class Retraction:
    """A retraction as it stands."""

    id: str
    campaign_id: str
    what: dict[str, Any]
    reason: str
    also_later: bool
    revision: int
    """From which it is in force."""
    readings: int
    """That it covers."""
    compositions: int
    """Of devices as measured, that it covers."""
    reversed_revision: int | None
    reversal_reason: str | None
    reversed_at: datetime | None
    created_at: datetime


@dataclass(frozen=True)
class Done:
    """A retraction that was just made or reversed."""

    retraction: Retraction
    job_id: str | None
    """Decision that will heed it, to ring for after the commit."""
    superseded: tuple[str, ...] = ()
    """Ready proposals that rested on what was retracted."""


@dataclass(frozen=True)
class RetractedReading:
    """A reading that a retraction covers."""

    id: str
    uid: str
    instrument: str
    film_id: str | None
    device: int | None
    sample_id: str | None
    property: str
    measured_at: datetime
    revision: int
    """From which it counted."""


def retract(session: Session, campaign_id: str, what: What, reason: str, *, also_later: bool) -> Done:
    """Let readings no longer count, from a new revision on.

    Proposals that are ready and rest on them are superseded, and a decision without them is asked for. A decision that
    is being made from them will not be published. Films and proposals keep their states: they were made and measured.

    Args:
        session: The open transaction.
        campaign_id: The campaign.
        what: Which readings.
        reason: Why, for people.
        also_later: Cover readings, too, that arrive later and fit the description. Ids describe only themselves.

    Raises:
        NotFound: If there is no such campaign.
        InvalidInput: If something named is not of this campaign, or no reading fits the description.
    """
    campaigns.get(session, campaign_id)
    lock_campaign(session, campaign_id)
    told = _named(session, campaign_id, what)
    retraction_id = new_id("rtr")
    revision = datasets.draw_revision(session, campaign_id, "retraction", retraction_id)
    values = {"id": retraction_id, "campaign_id": campaign_id, "what": told, "reason": reason, "revision": revision}
    retractions.store(session, values | {"also_later": also_later and told["kind"] != "ids"})
    readings, compositions = _cover(session, retraction_id, campaign_id, told)
    if readings + compositions == 0:
        raise InvalidInput("no reading fits the description; nothing was retracted")
    event = {"retraction_id": retraction_id, "revision": revision, "readings": readings, "compositions": compositions}
    events.append(session, campaign_id, "readings.retracted", event)
    superseded = _supersede(session, campaign_id, retraction_id)
    job_id = request_decision(session, campaign_id, revision)
    return Done(get(session, retraction_id), job_id, tuple(superseded))


def reverse(session: Session, retraction_id: str, reason: str) -> Done:
    """Let the readings of a retraction count again from a new revision on, unless another one covers them.

    Raises:
        NotFound: If there is no such retraction.
        Conflict: If it was reversed before.
    """
    campaign_id = retractions.get(session, retraction_id).campaign_id
    lock_campaign(session, campaign_id)
    revision = datasets.draw_revision(session, campaign_id, "reversal", retraction_id)
    if not retractions.reverse(session, retraction_id, revision, reason):
        since = retractions.get(session, retraction_id).reversed_revision
        raise Conflict(f"retraction {retraction_id} was reversed at revision {since}; to retract again, post another")
    event = {"retraction_id": retraction_id, "revision": revision}
    events.append(session, campaign_id, "readings.restored", event)
    return Done(get(session, retraction_id), request_decision(session, campaign_id, revision))


def cover_arrivals(session: Session, campaign_id: str, batch_id: str) -> int:
    """Let retractions that stand cover what a batch or a composition map brought; return how many rows that concerns.

    To be called in the batch's transaction, after its rows were stored and under the campaign's lock.
    """
    lock_campaign(session, campaign_id)
    covered = 0
    for retraction_id, what in retractions.standing(session, campaign_id):
        readings, compositions = _cover(session, retraction_id, campaign_id, what, batch_id)
        if readings + compositions:
            event = {
                "retraction_id": retraction_id,
                "batch_id": batch_id,
                "readings": readings,
                "compositions": compositions,
            }
            events.append(session, campaign_id, "readings.retracted", event)
            covered += readings + compositions
    return covered


def get(session: Session, retraction_id: str) -> Retraction:
    """One retraction.

    Raises:
        NotFound: If there is none of this id.
    """
    return _seen(session, [retractions.get(session, retraction_id)])[0]


def page(session: Session, campaign_id: str, after: str | None, limit: int) -> list[Retraction]:
    """The first `limit` retractions of a campaign after the id `after`, oldest first.

    Raises:
        NotFound: If there is no such campaign.
    """
    campaigns.get(session, campaign_id)
    return _seen(session, retractions.page(session, campaign_id, after, limit))


def readings(session: Session, retraction_id: str, after: str | None, limit: int) -> list[RetractedReading]:
    """The first `limit` readings that a retraction covers after the id `after`.

    Raises:
        NotFound: If there is no such retraction.
    """
    retractions.get(session, retraction_id)
    return [
        RetractedReading(
            id=row.id,
            uid=row.uid,
            instrument=name,
            film_id=row.film_id,
            device=row.device,
            sample_id=row.sample_id,
            property=row.property,
            measured_at=row.measured_at,
            revision=row.revision,
        )
        for row, name in retractions.readings(session, retraction_id, after, limit)
    ]


def _named(session: Session, campaign_id: str, what: What) -> dict[str, Any]:
    """What is to be retracted as it is stored, with everything that it names found in the campaign."""
    if what.measurement_ids is not None:
        if unknown := retractions.unknown_ids(session, campaign_id, what.measurement_ids):
            raise _foreign("ids", f"{len(unknown)} id(s) are of no reading here: {', '.join(unknown[:10])}")
        return {"kind": "ids", "measurement_ids": list(what.measurement_ids)}
    if what.film_id is not None:
        if not films.is_of(session, what.film_id, campaign_id):
            raise _foreign("film_id", f"film {what.film_id!r} is not a film of campaign {campaign_id}")
        return {"kind": "film", "film_id": what.film_id}
    if what.calibration_id is not None:
        if not calibrations.is_of(session, what.calibration_id, campaign_id):
            raise _foreign("calibration_id", f"calibration {what.calibration_id!r} is not one of this campaign")
        return {"kind": "calibration", "calibration_id": what.calibration_id}
    row = instruments.named(session, campaign_id, what.instrument or "")
    if row is None:
        raise _foreign("instrument", f"instrument {what.instrument!r} is not one of campaign {campaign_id}")
    window = {"measured_from": what.measured_from, "measured_until": what.measured_until}
    told = {name: None if time is None else time.isoformat() for name, time in window.items()}
    return {"kind": "instrument", "instrument": row.name, "instrument_id": row.id, **told}


def _foreign(field: str, message: str) -> InvalidInput:
    return InvalidInput(message, [Violation(f"/{field}", message)])


def _cover(
    session: Session, retraction_id: str, campaign_id: str, what: Mapping[str, Any], batch_id: str | None = None
) -> tuple[int, int]:
    """Let a retraction cover what fits its description, of all or of one batch: readings and compositions."""
    reading, composition = _described(what)
    if batch_id is not None:
        reading &= MeasurementRow.batch_id == batch_id
    readings = retractions.cover(session, retraction_id, campaign_id, reading)
    if composition is None:
        return readings, 0
    if batch_id is not None:
        composition &= CompositionReadingRow.batch_id == batch_id
    return readings, retractions.cover_compositions(session, retraction_id, campaign_id, composition)


def _described(what: Mapping[str, Any]) -> tuple[ColumnElement[bool], ColumnElement[bool] | None]:
    """The readings that a stored description fits, and the compositions as measured if it may fit any."""
    match what["kind"]:
        case "ids":
            return retractions.by_ids(what["measurement_ids"]), None
        case "film":
            reading, composition = (
                retractions.by_film(row, what["film_id"]) for row in (MeasurementRow, CompositionReadingRow)
            )
        case "calibration":
            reading = calibrations.carries(what["calibration_id"])
            composition = calibrations.carried_by_composition(what["calibration_id"])
        case _:
            ends = (what["measured_from"], what["measured_until"])
            begin, end = (None if time is None else datetime.fromisoformat(time) for time in ends)
            reading, composition = (
                retractions.by_window(row, what["instrument_id"], begin, end)
                for row in (MeasurementRow, CompositionReadingRow)
            )
    return reading, composition


def _supersede(session: Session, campaign_id: str, retraction_id: str) -> list[str]:
    """Take off the queue what was chosen from readings that are retracted now."""
    waiting = proposals.ready_revisions(session, campaign_id)
    resting = retractions.resting_on_retracted(session, campaign_id, waiting)
    among = proposals.chosen_from(resting)
    superseded = proposals.withdraw_ready(session, campaign_id, to="superseded", among=among)
    if superseded:
        told = {"proposal_ids": superseded, "retraction_id": retraction_id}
        events.append(session, campaign_id, "proposals.superseded", told)
    return superseded


def _seen(session: Session, rows: Sequence[RetractionRow]) -> list[Retraction]:
    covered = retractions.covered(session, [row.id for row in rows])
    return [
        Retraction(
            id=row.id,
            campaign_id=row.campaign_id,
            what=row.what,
            reason=row.reason,
            also_later=row.also_later,
            revision=row.revision,
            readings=covered[row.id][0],
            compositions=covered[row.id][1],
            reversed_revision=row.reversed_revision,
            reversal_reason=row.reversal_reason,
            reversed_at=row.reversed_at,
            created_at=row.created_at,
        )
        for row in rows
    ]
