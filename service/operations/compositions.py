"""Take in composition maps (EDX, XRF, RBS): what each device is made of, as an instrument found it.

From its revision on, a composition as measured counts before what the robot reported and before what was proposed.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from service.errors import IllegalTransition, InvalidInput, Violation
from service.operations.places import place
from service.operations.refill import request_decision
from service.operations.retractions import cover_arrivals
from service.store import compositions, datasets, events, measurements
from service.store.ids import new_id
from service.store.places import film_places
from service.store.session import lock_campaign
from service.store.tables import CompositionReadingRow

SUM_TOLERANCE = 0.02
"""Largest distance between 1 and the sum of a device's fractions: instruments round, and see traces of what is not
asked for. The fractions are made to sum to 1; what was delivered is kept."""


@dataclass(frozen=True, slots=True)
class CompositionReading:
    """What an instrument found at one device."""

    film_id: str
    fractions: Mapping[str, float]
    """Atomic fractions by element; those that are left out are 0."""
    measured_at: datetime
    device: int | None = None
    position: float | None = None
    position_mm: float | None = None
    std_uncertainty: Mapping[str, float] | None = None
    """Of the fractions, by element."""


@dataclass(frozen=True)
class RecordedCompositions:
    """What became of a composition map."""

    id: str
    campaign_id: str
    instrument: str
    revision: int
    """Revision of the dataset that knows it."""
    accepted: int
    duplicates: int
    job_id: str | None = None


def record(
    session: Session, campaign_id: str, instrument: str, readings: Sequence[CompositionReading]
) -> RecordedCompositions:
    """Store a map, all of it or nothing, as one revision of the dataset, and ask for the decision that heeds it.

    Raises:
        NotFound: If there is no such campaign.
        IllegalTransition: If the campaign is a draft.
        InvalidInput: If a device, an element or a sum is wrong; every violation is named and nothing is written.
    """
    campaign = datasets.head(session, campaign_id)
    if campaign.state == "draft":
        raise IllegalTransition("campaign", campaign_id, "draft", "record compositions", ["activate", "abort"])
    rows = _checked(session, campaign_id, campaign.problem.space.elements, readings)
    lock_campaign(session, campaign_id)
    batch_id, instrument_id = new_id("map"), measurements.instrument_id(session, campaign_id, instrument)
    films = {row["film_id"] for row in rows}
    known = {_said(row) for row in compositions.of_instrument(session, instrument_id, films)}
    fresh = [row for row in rows if _said(CompositionReadingRow(**row)) not in known]
    recorded = RecordedCompositions(
        batch_id, campaign_id, instrument, campaign.revision, len(fresh), len(rows) - len(fresh)
    )
    if not fresh:
        return recorded
    revision = datasets.draw_revision(session, campaign_id, "composition", batch_id)
    shared = {"kind": "measured", "revision": revision, "instrument_id": instrument_id, "batch_id": batch_id}
    compositions.store(session, [row | shared for row in fresh])
    told = {"batch_id": batch_id, "instrument": instrument, "revision": revision, "accepted": len(fresh)}
    events.append(session, campaign_id, "compositions.recorded", told | {"film_ids": sorted(films)})
    cover_arrivals(session, campaign_id, batch_id)
    job_id = request_decision(session, campaign_id, revision)
    return RecordedCompositions(batch_id, campaign_id, instrument, revision, len(fresh), recorded.duplicates, job_id)


def _said(row: CompositionReadingRow) -> tuple[Any, ...]:
    """What an instrument said of a device, and when: said again it is the same reading."""
    delivered, spread = (tuple(sorted((given or {}).items())) for given in (row.delivered, row.std_uncertainty))
    return (row.film_id, row.device, row.measured_at, delivered, spread)


def _checked(
    session: Session, campaign_id: str, elements: Sequence[str], readings: Sequence[CompositionReading]
) -> list[dict[str, Any]]:
    """Rows without what they share, or every violation at once."""
    films = film_places(session, campaign_id, {r.film_id for r in readings})
    found: list[Violation] = []
    rows: dict[tuple[str, int], dict[str, Any]] = {}
    for k, reading in enumerate(readings):
        film = films.get(reading.film_id)
        if film is None:
            found.append(_at(k, "film_id", f"film {reading.film_id!r} is not a film of campaign {campaign_id}"))
            continue
        device = place(reading, film)
        if not isinstance(device, int):
            found.append(_at(k, device.field, device.message))
            continue
        if (reading.film_id, device) in rows:
            found.append(_at(k, "device", f"device {device} of film {reading.film_id} is there twice"))
        found += _wrong_fractions(k, reading, elements)
        rows[reading.film_id, device] = _row(reading, device, film.positions[device], elements)
    if found:
        raise InvalidInput(f"{len(found)} thing(s) are wrong with this map; nothing was stored", found)
    return list(rows.values())


def _wrong_fractions(k: int, reading: CompositionReading, elements: Sequence[str]) -> list[Violation]:
    found = []
    for field, given in (("fractions", reading.fractions), ("std_uncertainty", reading.std_uncertainty or {})):
        if unknown := sorted(set(given) - set(elements)):
            message = f"{', '.join(unknown)}: not among the campaign's elements {', '.join(elements)}"
            found.append(_at(k, field, message))
    total = math.fsum(reading.fractions.values())
    if abs(total - 1.0) > SUM_TOLERANCE:
        message = f"fractions must sum to 1 within {SUM_TOLERANCE:g}, the sum is {total:.9g}"
        found.append(_at(k, "fractions", message))
    return found


def _at(k: int, field: str, message: str) -> Violation:
    return Violation(f"/compositions/{k}/{field}", message, row=k)


def _row(reading: CompositionReading, device: int, position: float, elements: Sequence[str]) -> dict[str, Any]:
    total = math.fsum(reading.fractions.values()) or 1.0
    spread = reading.std_uncertainty
    return {
        "film_id": reading.film_id,
        "device": device,
        "position": position,
        "composition": {e: reading.fractions.get(e, 0.0) / total for e in elements},
        "std_uncertainty": None if spread is None else {e: u / total for e, u in spread.items()},
        "delivered": dict(reading.fractions),
        "measured_at": reading.measured_at,
    }
