"""Queries on readings, their batches and instruments."""

import functools
import hashlib
import itertools
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime
from json.encoder import encode_basestring_ascii
from typing import Any, NamedTuple

import psycopg
from sqlalchemy import Select, Text, bindparam, exists, func, insert, select, true
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from service.store import retractions
from service.store.ids import new_id
from service.store.tables import (
    CalibrationRow,
    InstrumentRow,
    MeasurementBatchRow,
    MeasurementRow,
    RetractionRow,
    table_of,
)


def row_hash(said: Mapping[str, Any]) -> str:
    """SHA-256 of what a reading says; two readings of one name with equal hashes are one reading sent twice.

    Args:
        said: Film, device, property, unit, value, status, uncertainty, time. Floats are written in full, times in UTC.
    """
    written = ", ".join([head + _WRITTEN[type(value := said[name])](value) for name, head in _heads(tuple(said))])
    return hashlib.sha256(f"{{{written}}}".encode()).hexdigest()


@functools.lru_cache(maxsize=64)
def _heads(names: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(name, f'"{name}": ') for name in sorted(names)]


_WRITTEN: Mapping[type, Callable[[Any], str]] = {
    str: encode_basestring_ascii,
    float: float.__repr__,
    int: int.__repr__,
    datetime: lambda time: f'"{time.astimezone(UTC).isoformat()}"',
    type(None): lambda _: "null",
}
"""JSON as the standard library writes it, but several times faster: a batch has thousands of these."""


def find_instrument(session: Session, campaign_id: str, name: str) -> str | None:
    """Id of the campaign's instrument of this name; none if it never reported and nobody registered it."""
    return session.connection().execute(_INSTRUMENT, {"campaign_id": campaign_id, "name": name}).scalar_one_or_none()


_INSTRUMENT = select(InstrumentRow.id).where(
    InstrumentRow.campaign_id == bindparam("campaign_id"), InstrumentRow.name == bindparam("name")
)


def instrument_id(session: Session, campaign_id: str, name: str) -> str:
    """Id of the campaign's instrument of this name, registered now if it is new. Needs the campaign's lock."""
    known = find_instrument(session, campaign_id, name)
    if known is not None:
        return known
    fresh = new_id("ins")
    session.execute(insert(InstrumentRow).values(id=fresh, campaign_id=campaign_id, name=name))
    return fresh


def known_readings(
    session: Session, campaign_id: str, instrument: str, uids: Collection[str]
) -> dict[str, tuple[str, str]]:
    """Id and content hash of the instrument's stored readings, by uid. Needs the campaign's lock to stay true."""
    asked = {"campaign_id": campaign_id, "instrument_id": instrument, "uids": list(uids)}
    return {
        uid: (measurement_id, content) for uid, measurement_id, content in session.connection().execute(_KNOWN, asked)
    }


def _known() -> Select[str, str, str]:
    """One look into the index of names per uid, whatever the planner knows of the table; a join may read all of it."""
    row = MeasurementRow
    asked = func.unnest(bindparam("uids", type_=ARRAY(Text))).table_valued("uid").render_derived(name="asked")
    there = (
        select(row.uid, row.id, row.row_hash)
        .where(row.campaign_id == bindparam("campaign_id"), row.instrument_id == bindparam("instrument_id"))
        .where(row.uid == asked.c.uid)
        .limit(1)
        .lateral("there")
    )
    return select(there.c.uid, there.c.id, there.c.row_hash).select_from(asked.join(there, true()))


_KNOWN = _known()


def count(session: Session, campaign_id: str, revision: int) -> int:
    """How many readings of films a campaign had up to a revision, retracted ones included."""
    row = MeasurementRow
    here = (row.campaign_id == campaign_id) & (row.revision <= revision) & row.film_id.is_not(None)
    return session.execute(select(func.count()).select_from(row).where(here)).scalar_one()


class Heeded(NamedTuple):
    """Whether there is anything that a batch must heed; mostly there is nothing."""

    calibrations: bool
    """Of its instrument."""
    retractions: bool
    """Of its campaign, that cover what arrives later, too."""


def heeded(session: Session, campaign_id: str, instrument: str) -> Heeded:
    """What a batch must heed."""
    asked = {"campaign_id": campaign_id, "instrument_id": instrument}
    return Heeded(*session.connection().execute(_HEEDED, asked).one())


_HEEDED = select(
    exists().where(CalibrationRow.instrument_id == bindparam("instrument_id")),
    exists().where(retractions.stands(), RetractionRow.campaign_id == bindparam("campaign_id")),
)


def add_batch(session: Session, values: Mapping[str, Any]) -> None:
    """Insert what was sent at once, before its readings."""
    session.connection().execute(_ADD_BATCH, values)


_ADD_BATCH = insert(table_of(MeasurementBatchRow))
_AT_ONCE = 5_000
"""Rows of one statement: on a busy machine a long one would be taken for a hanging one."""
_COLUMNS = tuple(c.key for c in table_of(MeasurementRow).columns)
_COPY = f"COPY measurement ({', '.join(_COLUMNS)}) FROM STDIN"


def store(session: Session, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write readings in one stream: for fifty rows as fast as inserting them, for fifty thousand ten times faster.

    The database writes the first while the last are still being made.

    Args:
        session: The open transaction.
        rows: Values by column; what is left out is null.

    Raises:
        DBAPIError: If the database refuses or does not answer.
    """
    connection = session.connection().connection.driver_connection
    if connection is None:
        raise RuntimeError("the session has no connection to copy over")
    waiting = iter(rows)
    try:
        while some := next(waiting, None):
            with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
                for row in itertools.chain([some], itertools.islice(waiting, _AT_ONCE - 1)):
                    copy.write_row([row.get(name) for name in _COLUMNS])
    except psycopg.Error as error:  # what is done beside SQLAlchemy must fail as it does: a lost server is a 503
        raise DBAPIError.instance(_COPY, None, error, psycopg.Error) from error
