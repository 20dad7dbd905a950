"""Take in what instruments measured: a batch is checked as a whole before the first write, and stored whole or not."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from models.problem import Problem
from service.errors import Conflict, IllegalTransition, InvalidInput, Violation
from service.operations.refill import request_decision
from service.store import datasets, events, films, measurements
from service.store.ids import new_id
from service.store.session import lock_campaign
from service.store.tables import CampaignRow, MeasurementBatchRow

POSITION_TOLERANCE = 1e-6
"""Largest distance between a reading's position and the device that it belongs to, in gradient lengths."""


@dataclass(frozen=True)
class Reading:
    """One row of a batch, of checked shape but unchecked content."""

    film_id: str
    property: str
    unit: str
    measured_at: datetime
    device: int | None = None
    position: float | None = None
    value: float | None = None
    status: Literal["ok", "dead", "above_limit", "below_limit"] = "ok"
    std_uncertainty: float | None = None
    replicates: int | None = None
    """Raw readings behind the value, if the uncertainty was estimated from them."""
    uid: str | None = None
    """Permanent name that the instrument gave; one is made if there is none."""


@dataclass(frozen=True)
class Recorded:
    """What became of a batch."""

    id: str
    campaign_id: str
    instrument: str
    revision: int
    """Revision of the dataset that holds the batch."""
    accepted: int
    duplicates: int
    measurement_ids: tuple[str, ...]
    """Id of each row in the order it was sent; a duplicate has the id of the reading that was there."""
    job_id: str | None = None
    """The decision that will see the batch; none if it brought nothing new."""


def record(session: Session, campaign_id: str, instrument: str, readings: Sequence[Reading]) -> Recorded:
    """Store a batch in this transaction: rows, one revision, events and the campaign's one pending decision.

    Args:
        session: The transaction; the caller commits it.
        campaign_id: A campaign in any state but draft.
        instrument: Name of the instrument; it is registered when it first reports.
        readings: 1 to 1,000 rows.

    Raises:
        NotFound: If there is no such campaign.
        IllegalTransition: If the campaign is a draft.
        InvalidInput: If any row breaks a rule; every violation is named and nothing is written.
        Conflict: If a uid is known with other content.
    """
    campaign = datasets.head(session, campaign_id)
    if campaign.state == "draft":
        raise IllegalTransition("campaign", campaign_id, "draft", "record measurements", ["activate", "abort"])
    placed = _check(session, campaign_id, campaign.problem, readings)
    lock_campaign(session, campaign_id)
    return _store(session, campaign_id, instrument, campaign.problem, placed)


def _check(session: Session, campaign_id: str, problem: Problem, readings: Sequence[Reading]) -> list[Reading]:
    """The readings with their device found, or every violation at once."""
    films = measurements.device_positions(session, campaign_id, {r.film_id for r in readings})
    found: list[Violation] = []
    placed: list[Reading] = []
    first_row: dict[str, int] = {}
    for row, reading in enumerate(readings):
        wrong = _wrong_quantity(row, reading, problem) + _wrong_value(row, reading)
        if reading.uid is not None and (first := first_row.setdefault(reading.uid, row)) != row:
            wrong.append(_at(row, "uid", f"uid {reading.uid!r} is already that of row {first} of this batch"))
        device: int | None = None
        if reading.film_id in films:
            device, misplaced = _place(row, reading, films[reading.film_id])
            wrong += misplaced
        else:
            wrong.append(_at(row, "film_id", f"film {reading.film_id!r} is not a film of campaign {campaign_id}"))
        found += wrong
        placed.append(replace(reading, device=device))
    if found:
        raise InvalidInput(f"{len(found)} thing(s) are wrong with this batch; nothing was stored", found)
    return placed


def _at(row: int, field: str, message: str) -> Violation:
    return Violation(pointer=f"/measurements/{row}/{field}", message=message, row=row)


def _wrong_quantity(row: int, reading: Reading, problem: Problem) -> list[Violation]:
    units = {p.property: p.unit for p in problem.properties}
    if reading.property not in units:
        message = f"property {reading.property!r} is not one of the campaign's: {', '.join(map(repr, units))}"
        return [_at(row, "property", message)]
    if reading.unit != (unit := units[reading.property]):
        message = f"unit {reading.unit!r} is not {unit!r}, the campaign's unit of {reading.property!r}"
        return [_at(row, "unit", message)]
    return []


def _wrong_value(row: int, reading: Reading) -> list[Violation]:
    if reading.status == "dead" and reading.value is not None:
        return [_at(row, "value", f"a dead device has no value: it must be null, got {reading.value}")]
    if reading.status != "dead" and reading.value is None:
        return [_at(row, "value", f"a reading with status {reading.status!r} must have a value, got null")]
    if reading.replicates is not None and reading.std_uncertainty is None:
        message = f"{reading.replicates} replicates have a scatter: std_uncertainty must say it, got null"
        return [_at(row, "std_uncertainty", message)]
    return []


def _place(row: int, reading: Reading, positions: dict[int, float]) -> tuple[int | None, list[Violation]]:
    """The device that a reading belongs to, by its index or by its position."""
    if (reading.device is None) == (reading.position is None):
        which = "neither" if reading.device is None else "both"
        return None, [_at(row, "device", f"exactly one of device and position must be given, got {which}")]
    if reading.device is not None:
        if reading.device in positions:
            return reading.device, []
        message = f"device {reading.device} is outside 0..{len(positions) - 1} of film {reading.film_id}"
        return None, [_at(row, "device", message)]
    wanted = reading.position or 0.0
    device, nearest = min(positions.items(), key=lambda item: abs(item[1] - wanted))
    if abs(nearest - wanted) <= POSITION_TOLERANCE:
        return device, []
    message = (
        f"position {wanted} is not a device position of film {reading.film_id}: "
        f"the nearest is {nearest:.9g} (device {device}), the tolerance {POSITION_TOLERANCE:g}"
    )
    return None, [_at(row, "position", message)]


def _store(
    session: Session, campaign_id: str, instrument: str, problem: Problem, readings: Sequence[Reading]
) -> Recorded:
    """Write a checked batch. Needs the campaign's lock."""
    batch_id = new_id("bat")
    instrument_id = measurements.instrument_id(session, campaign_id, instrument)
    rows = [_row(r, campaign_id, batch_id, instrument_id) for r in readings]
    known = measurements.known_readings(session, campaign_id, instrument_id, {r["uid"] for r in rows})
    _refuse_contradictions(rows, known)
    fresh = [r for r in rows if r["uid"] not in known]
    revision = _revision(session, campaign_id, batch_id, changes=bool(fresh))
    kept = {
        "id": batch_id,
        "campaign_id": campaign_id,
        "instrument_id": instrument_id,
        "revision": revision,
        "accepted": len(fresh),
        "duplicates": len(rows) - len(fresh),
    }
    session.execute(insert(MeasurementBatchRow).values(kept))
    measurements.store(session, [r | {"revision": revision} for r in fresh])
    recorded = Recorded(
        id=batch_id,
        campaign_id=campaign_id,
        instrument=instrument,
        revision=revision,
        accepted=len(fresh),
        duplicates=len(rows) - len(fresh),
        measurement_ids=tuple(known[r["uid"]][0] if r["uid"] in known else r["id"] for r in rows),
    )
    return _announce(session, recorded, problem, {r["film_id"] for r in fresh}) if fresh else recorded


def _row(reading: Reading, campaign_id: str, batch_id: str, instrument_id: str) -> dict[str, Any]:
    measurement_id = new_id("msr")
    said = {
        "film_id": reading.film_id,
        "device": reading.device,
        "property": reading.property,
        "unit": reading.unit,
        "value": reading.value,
        "status": reading.status,
        "std_uncertainty": reading.std_uncertainty,
        "measured_at": reading.measured_at,
    }
    if reading.replicates is not None:  # left out else, so that readings of before keep their hash
        said["replicates"] = reading.replicates
    return {
        **said,
        "id": measurement_id,
        "campaign_id": campaign_id,
        "batch_id": batch_id,
        "instrument_id": instrument_id,
        "uid": reading.uid or measurement_id,
        "row_hash": measurements.row_hash(said),
    }


def _refuse_contradictions(rows: Sequence[dict[str, Any]], known: dict[str, tuple[str, str]]) -> None:
    """A uid is permanent: what was said under it stands, and something else under the same uid is an error."""
    other = [r["uid"] for r in rows if r["uid"] in known and known[r["uid"]][1] != r["row_hash"]]
    if other:
        named = ", ".join(repr(uid) for uid in other[:10])
        raise Conflict(f"{len(other)} uid(s) are stored with other content and readings never change: {named}")


def _revision(session: Session, campaign_id: str, batch_id: str, *, changes: bool) -> int:
    """The next revision if the batch changes the dataset, else the one in force."""
    if changes:
        return datasets.draw_revision(session, campaign_id, "batch", batch_id)
    return session.execute(select(CampaignRow.revision).where(CampaignRow.id == campaign_id)).scalar_one()


def _announce(session: Session, recorded: Recorded, problem: Problem, film_ids: set[str]) -> Recorded:
    """Close films that are now measured, ask for a decision, tell both in events."""
    campaign_id, revision = recorded.campaign_id, recorded.revision
    settled = films.settle(session, film_ids, [p.property for p in problem.properties])
    job_id = request_decision(session, campaign_id, revision)
    told = {"batch_id": recorded.id, "instrument": recorded.instrument, "revision": revision}
    events.append(session, campaign_id, "batch.recorded", told | {"accepted": recorded.accepted})
    for film_id in sorted(settled):
        told = {"film_id": film_id, "proposal_id": films.get(session, film_id).proposal_id}
        events.append(session, campaign_id, "film.measured", told)
    return replace(recorded, job_id=job_id)
