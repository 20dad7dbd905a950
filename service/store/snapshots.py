"""The readings of films that count at a revision: all of them, a page of them, or their hash; a million is usual."""

import hashlib
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from json.encoder import encode_basestring_ascii as quoted
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, collate, or_, select, tuple_
from sqlalchemy.orm import Session

from service.store import compositions, retractions
from service.store.tables import CompositionReadingRow, FilmRow, InstrumentRow, MeasurementRow

_FETCHED = 5_000
"""Rows that come from the database at once, so that they are never all there twice."""


class SnapshotRow(NamedTuple):
    """One active reading at a revision, with the composition that counts there."""

    uid: str
    instrument: str
    film_id: str
    device: int
    position: float
    """Of the device along its film, 0 at end A, 1 at end B."""
    composition: dict[str, float]
    """Atomic fraction by element: as measured if that was known at the revision, else as made, else as proposed."""
    process: dict[str, float | str]
    """Process conditions of the film in physical units, by variable name."""
    property: str
    unit: str
    value: float | None
    status: str
    std_uncertainty: float | None
    replicates: int | None
    measured_at: datetime
    revision: int
    """Revision from which the reading counts."""
    row_hash: str
    raw_value: float | None = None
    raw_unit: str | None = None
    """Unit in which the reading was delivered; none if in the campaign's own, like the value and the uncertainty."""
    raw_std_uncertainty: float | None = None
    id: str = ""
    """Of the measurement; left out, like the next, where a million rows are held at once."""
    calibration_id: str | None = None


class Place(NamedTuple):
    """A device: where it is, what it is made of and how it was made. All its readings share one."""

    film_id: str
    device: int
    position: float
    composition: dict[str, float]
    process: dict[str, float | str]


Places = dict[tuple[str, int], Place]

_SAID = (
    MeasurementRow.property,
    MeasurementRow.unit,
    MeasurementRow.value,
    MeasurementRow.status,
    MeasurementRow.std_uncertainty,
    MeasurementRow.replicates,
    MeasurementRow.measured_at,
    MeasurementRow.revision,
    MeasurementRow.row_hash,
    MeasurementRow.raw_value,
    MeasurementRow.raw_unit,
    MeasurementRow.raw_std_uncertainty,
)
"""What follows the place in a `SnapshotRow`, in its order."""
_NAMED = (MeasurementRow.uid, MeasurementRow.instrument_id, MeasurementRow.film_id, MeasurementRow.device)


def snapshot(session: Session, campaign_id: str, revision: int) -> list[SnapshotRow]:
    """Every reading of a film that is active at `revision`, ordered by instrument and uid."""
    names, places = _instruments(session, campaign_id), _places(session, campaign_id, revision)
    query = select(*_NAMED, *_SAID).where(*_active(campaign_id, revision))
    rows = [_row(found, names, places) for found in session.execute(query, execution_options={"yield_per": _FETCHED})]
    rows.sort(key=_by_name)
    return rows


def page(
    session: Session, campaign_id: str, revision: int, after: tuple[int, str] | None, limit: int
) -> list[SnapshotRow]:
    """The first `limit` readings after a revision and uid, oldest first: one batch has one instrument."""
    query = select(*_NAMED, *_SAID, MeasurementRow.id, MeasurementRow.calibration_id)
    query = query.where(*_active(campaign_id, revision))
    if after is not None:
        # Said twice: a comparison of pairs alone is not looked up in the index.
        query = query.where(MeasurementRow.revision >= after[0])
        query = query.where(tuple_(MeasurementRow.revision, MeasurementRow.uid) > after)
    query = query.order_by(MeasurementRow.revision, MeasurementRow.uid).limit(limit)
    found = session.execute(query).all()
    names = _instruments(session, campaign_id)
    places = _places(session, campaign_id, revision, {row.film_id for row in found})
    return [_row(row, names, places) for row in found]


def hash_of(rows: Sequence[SnapshotRow]) -> str:
    """SHA-256 over the readings sorted by name: equal for equal content, whatever order it arrived in.

    Each reading adds its name, the hash of what the instrument said, and the film's composition and process, since a
    composition that becomes known later changes what is learned from the same reading.
    """
    told: dict[tuple[int, int], str] = {}  # by identity: the readings of a device share their composition

    def line(row: SnapshotRow) -> str:
        key = id(row.composition), id(row.process)
        if key not in told:
            told[key] = _told(row.composition, row.process)
        return f"[{quoted(row.instrument)}, {quoted(row.uid)}, {quoted(row.row_hash)}, {told[key]}]\n"

    return _digest(map(line, sorted(rows, key=_by_name)))


def stored_hash(session: Session, campaign_id: str, revision: int) -> str:
    """The same hash straight from the database, without holding the readings."""
    told = {key: _told(p.composition, p.process) for key, p in _places(session, campaign_id, revision).items()}
    names = sorted((name, key) for key, name in _instruments(session, campaign_id).items())
    return _digest(
        f"[{quoted(name)}, {quoted(uid)}, {quoted(row_hash)}, {told[film_id, device]}]\n"
        for name, key in names
        for uid, row_hash, film_id, device in _of_instrument(session, campaign_id, revision, key)
    )


def _of_instrument(session: Session, campaign_id: str, revision: int, key: str) -> Iterator[Any]:
    row = MeasurementRow
    query = (
        select(row.uid, row.row_hash, row.film_id, row.device)
        .where(*_active(campaign_id, revision), row.instrument_id == key)
        .order_by(collate(row.uid, "C"))  # as Python orders text
    )
    yield from session.execute(query, execution_options={"yield_per": _FETCHED})


def _active(campaign_id: str, revision: int) -> tuple[ColumnElement[bool], ...]:
    row = MeasurementRow
    of_a_film = row.film_id.is_not(None)
    return row.campaign_id == campaign_id, row.revision <= revision, of_a_film, retractions.counts_at(revision)


def _instruments(session: Session, campaign_id: str) -> dict[str, str]:
    query = select(InstrumentRow.id, InstrumentRow.name).where(InstrumentRow.campaign_id == campaign_id)
    return {row[0]: row[1] for row in session.execute(query)}


def _places(session: Session, campaign_id: str, revision: int, film_ids: Iterable[str] | None = None) -> Places:
    """The devices of the campaign's films, or of some of them, as far as they were known at `revision`."""
    reading = CompositionReadingRow
    query = (
        select(reading.film_id, reading.device, reading.position, reading.composition)
        .join(FilmRow, FilmRow.id == reading.film_id)
        .where(FilmRow.campaign_id == campaign_id)
        .where(or_(reading.kind == "nominal", reading.revision <= revision))
        .where(retractions.composition_counts_at(revision))
        # Later knowledge counts before earlier of its kind: the last one stays.
        .order_by(compositions.weight(), reading.revision)
    )
    films = select(FilmRow.id, FilmRow.process).where(FilmRow.campaign_id == campaign_id)
    if film_ids is not None:
        wanted = list(film_ids)
        query, films = query.where(reading.film_id.in_(wanted)), films.where(FilmRow.id.in_(wanted))
    process = {row[0]: row[1] for row in session.execute(films)}
    return {(row[0], row[1]): Place(*row, process[row[0]]) for row in session.execute(query)}


def _row(found: Any, names: dict[str, str], places: Places) -> SnapshotRow:  # noqa: ANN401 - a row of no fixed type
    uid, instrument_id, film_id, device, name, unit, value, status, *rest = found
    said = (sys.intern(name), sys.intern(unit), value, sys.intern(status), *rest)  # few words, a million times
    return SnapshotRow(uid, names[instrument_id], *places[film_id, device], *said)


def _by_name(row: SnapshotRow) -> tuple[str, str]:
    return row.instrument, row.uid


def _told(composition: dict[str, float], process: dict[str, float | str]) -> str:
    return quoted(json.dumps([composition, process], sort_keys=True))


def _digest(lines: Iterable[str]) -> str:
    digest, waiting = hashlib.sha256(), []
    for line in lines:
        waiting.append(line)
        if len(waiting) == _FETCHED:
            digest.update("".join(waiting).encode())
            waiting.clear()
    digest.update("".join(waiting).encode())
    return digest.hexdigest()
