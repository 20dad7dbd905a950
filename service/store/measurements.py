"""Queries on readings, their batches and instruments."""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from service.store.ids import new_id
from service.store.tables import (
    CompositionReadingRow,
    FilmRow,
    InstrumentRow,
    MeasurementRow,
)


def row_hash(said: Mapping[str, Any]) -> str:
    """SHA-256 of what a reading says; two readings of one name with equal hashes are one reading sent twice.

    Args:
        said: Film, device, property, unit, value, status, uncertainty, time. Floats are written in full, times in UTC.
    """
    text = json.dumps(said, sort_keys=True, default=_in_utc)
    return hashlib.sha256(text.encode()).hexdigest()


def _in_utc(time: datetime) -> str:
    return time.astimezone(UTC).isoformat()


def device_positions(session: Session, campaign_id: str, film_ids: Collection[str]) -> dict[str, dict[int, float]]:
    """Position of each device of each named film that belongs to the campaign; other films are left out."""
    query = (
        select(CompositionReadingRow.film_id, CompositionReadingRow.device, CompositionReadingRow.position)
        .join(FilmRow, FilmRow.id == CompositionReadingRow.film_id)
        .where(FilmRow.campaign_id == campaign_id, FilmRow.id.in_(film_ids), CompositionReadingRow.kind == "nominal")
        .order_by(CompositionReadingRow.film_id, CompositionReadingRow.device)
    )
    films: dict[str, dict[int, float]] = {}
    for film_id, device, position in session.execute(query):
        films.setdefault(film_id, {})[device] = position
    return films


def instrument_id(session: Session, campaign_id: str, name: str) -> str:
    """Id of the campaign's instrument of this name, registered now if it is new. Needs the campaign's lock."""
    here = (InstrumentRow.campaign_id == campaign_id) & (InstrumentRow.name == name)
    known = session.execute(select(InstrumentRow.id).where(here)).scalar_one_or_none()
    if known is not None:
        return known
    fresh = new_id("ins")
    session.execute(insert(InstrumentRow).values(id=fresh, campaign_id=campaign_id, name=name))
    return fresh


def known_readings(
    session: Session, campaign_id: str, instrument: str, uids: Collection[str]
) -> dict[str, tuple[str, str]]:
    """Id and content hash of the instrument's stored readings, by uid. Needs the campaign's lock to stay true."""
    query = select(MeasurementRow.uid, MeasurementRow.id, MeasurementRow.row_hash).where(
        MeasurementRow.campaign_id == campaign_id,
        MeasurementRow.instrument_id == instrument,
        MeasurementRow.uid.in_(uids),
    )
    return {uid: (measurement_id, content) for uid, measurement_id, content in session.execute(query)}


def store(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write readings in one round trip."""
    if rows:
        session.execute(insert(MeasurementRow), rows)
