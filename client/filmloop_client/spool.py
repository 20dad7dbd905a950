"""Readings on an instrument's own disk, in order, until Filmloop has them; those it refuses stay, with the reason.

A spool is one file of SQLite in a folder. What was put is synced to the disk before `put` returns. Processes may share
a folder; one of them sends at a time, so that the order is kept. A process that is killed loses nothing.
"""

import json
import sqlite3
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

MOST_ROWS = 1000
"""Most readings that one request may hold."""
_PATIENCE_S = 60.0
"""How long a process waits for another one that writes."""
_TABLES = """
create table if not exists waiting (
    number integer primary key autoincrement, campaign_id text not null, instrument text not null,
    row text not null, parcel text, put_at text not null);
create index if not exists waiting_parcel on waiting (parcel);
create index if not exists waiting_lane on waiting (campaign_id, instrument, number);
create table if not exists aside (
    number integer primary key autoincrement, campaign_id text not null, instrument text not null,
    row text not null, reason text not null, put_at text not null);
create table if not exists taken (name text primary key, put_at text not null);
"""


class Lane(NamedTuple):
    """Whose readings they are: within a lane the order counts."""

    campaign_id: str
    instrument: str


class Parcel(NamedTuple):
    """Readings that travel together under one key, as often as it takes."""

    key: str
    lane: Lane
    rows: list[dict[str, Any]]


class SetAside(NamedTuple):
    """A reading that was refused; `reason` says why. It stays here until a person decides."""

    number: int
    campaign_id: str
    instrument: str
    row: dict[str, Any]
    reason: str
    at: str


class Spool:
    """What waits to be sent, what was set aside, and which names were taken in already."""

    def __init__(self, folder: Path | str) -> None:
        """Open the spool of a folder, or begin one.

        Raises:
            OSError: If the folder cannot be made.
            sqlite3.DatabaseError: If the file is damaged or cannot be written.
        """
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._file = self.folder / "readings.sqlite"
        with self._writing() as database:
            for statement in filter(str.strip, _TABLES.split(";")):
                database.execute(statement)

    def put(
        self,
        lane: Lane,
        rows: Iterable[Mapping[str, Any]],
        *,
        names: Sequence[str] = (),
        refused: Iterable[tuple[Mapping[str, Any], str]] = (),
    ) -> None:
        """Keep readings behind those that wait already; when this returns, they are on the disk.

        Args:
            lane: Whose they are.
            rows: Readings as they will be sent; one without a `uid` is given one, so that it counts once for ever.
            names: Remembered with them as taken in, in the same moment.
            refused: Rows that cannot be readings, each with the reason: set aside.
        """
        now = _now()
        written = [json.dumps({"uid": f"{uuid.uuid4()}"} | dict(row), allow_nan=False) for row in rows]
        aside = [(*lane, json.dumps(dict(row)), reason, now) for row, reason in refused]
        with self._writing() as database:
            database.executemany(
                "insert into waiting (campaign_id, instrument, row, put_at) values (?, ?, ?, ?)",
                [(*lane, row, now) for row in written],
            )
            database.executemany(_ASIDE, aside)
            database.executemany("insert or ignore into taken values (?, ?)", [(name, now) for name in names])

    def next_parcel(self, but_not: Iterable[Lane] = ()) -> Parcel | None:
        """The oldest readings that wait, at most 1,000 of one lane; asked again, the same under the same key.

        Args:
            but_not: Lanes that cannot be served now.
        """
        closed = set(but_not)
        with self._writing() as database:
            oldest = database.execute("select campaign_id, instrument from waiting order by number")
            lane = next((lane for found in oldest if (lane := Lane(*found)) not in closed), None)
            oldest.close()
            if lane is None:
                return None
            key = self._key_of_oldest(database, lane)
            rows = database.execute("select row from waiting where parcel = ? order by number", (key,)).fetchall()
        return Parcel(key, lane, [json.loads(row) for (row,) in rows])

    @staticmethod
    def _key_of_oldest(database: sqlite3.Connection, lane: Lane) -> str:
        (key,) = database.execute(
            "select parcel from waiting where campaign_id = ? and instrument = ? order by number limit 1", lane
        ).fetchone()
        if key is None:
            key = str(uuid.uuid4())
            database.execute(
                "update waiting set parcel = ? where number in (select number from waiting where campaign_id = ?"
                " and instrument = ? and parcel is null order by number limit ?)",
                (key, *lane, MOST_ROWS),
            )
        return str(key)

    def settle(self, parcel: Parcel, refused: Sequence[tuple[int, str]] = ()) -> None:
        """Let a parcel go that was answered; rows that were refused, told by their place in it, are set aside."""
        now = _now()
        aside = [(*parcel.lane, json.dumps(parcel.rows[place]), reason, now) for place, reason in refused]
        with self._writing() as database:
            database.executemany(_ASIDE, aside)
            database.execute("delete from waiting where parcel = ?", (parcel.key,))

    def waiting(self) -> int:
        """How many readings wait to be sent."""
        return self._count("waiting")

    def aside(self) -> list[SetAside]:
        """Everything that was refused, oldest first."""
        with self._reading() as database:
            found = database.execute("select * from aside order by number").fetchall()
        return [SetAside(n, campaign, name, json.loads(row), why, at) for n, campaign, name, row, why, at in found]

    def try_again(self, numbers: Iterable[int] | None = None) -> int:
        """Put refused readings behind those that wait, all or some: for instance once a film was registered.

        Returns:
            How many.
        """
        with self._writing() as database:
            known = [n for (n,) in database.execute("select number from aside")]
            chosen = known if numbers is None else sorted(set(known) & set(numbers))
            for number in chosen:
                database.execute(
                    "insert into waiting (campaign_id, instrument, row, put_at)"
                    " select campaign_id, instrument, row, ? from aside where number = ?",
                    (_now(), number),
                )
                database.execute("delete from aside where number = ?", (number,))
        return len(chosen)

    def taken(self, names: Iterable[str]) -> set[str]:
        """Which of these names were taken in before."""
        with self._reading() as database:
            asked = "select 1 from taken where name = ?"
            return {name for name in names if database.execute(asked, (name,)).fetchone()}

    @contextmanager
    def sending(self) -> Iterator[bool]:
        """Be the one process that sends; gives False if another one is. A process that dies gives it up."""
        with closing(sqlite3.connect(self.folder / "sender.sqlite", timeout=0.0, isolation_level=None)) as lock:
            try:
                lock.execute("begin exclusive")
            except sqlite3.OperationalError:  # it is locked: another one sends
                yield False
                return
            yield True

    def _count(self, table: str) -> int:
        with self._reading() as database:
            (count,) = database.execute(f"select count(*) from {table}").fetchone()  # noqa: S608 - our own names
        return int(count)

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._file, timeout=_PATIENCE_S, isolation_level=None)) as database:
            # With the rollback journal, EXTRA syncs file and folder before a commit returns.
            database.execute("pragma synchronous = extra")
            yield database

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._reading() as database:
            database.execute("begin immediate")
            yield database  # if the block fails, closing the connection undoes what it wrote
            database.execute("commit")


_ASIDE = "insert into aside (campaign_id, instrument, row, reason, put_at) values (?, ?, ?, ?, ?)"


def _now() -> str:
    return datetime.now(UTC).isoformat()
