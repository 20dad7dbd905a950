"""Row 6: writers commit out of order while somebody reads snapshots."""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select, text

from benchmarks.faults.found import Found
from benchmarks.faults.loop import Loop, record
from service.api.schemas.measurements import MeasurementCreate
from service.operations import measurements
from service.store import datasets
from service.store.session import Sessions
from service.store.tables import CampaignRow

WRITERS = 8
BATCHES = 25
Snapshot = frozenset[str]


@dataclass(frozen=True)
class Numbered:
    """A record whose states have numbers: how to write into it, which is the newest number, what is in force at one."""

    write: Callable[[str], None]
    newest: Callable[[], int]
    read: Callable[[int], Snapshot]


def linger() -> None:
    """Between a write and its commit: other work of the same transaction."""
    time.sleep(random.uniform(0.0, 0.004))  # noqa: S311 - not a secret


def real(sessions: Sessions) -> Numbered:
    """A new campaign: its revisions are drawn under its lock."""
    campaign_id, film_id = Loop(sessions).made()
    when: dict[str, Any] = {
        "measured_at": datetime(2026, 3, 1, tzinfo=UTC),
        "property": Loop.PROPERTY,
        "unit": Loop.UNIT,
    }

    def write(name: str) -> None:
        with sessions.begin() as session:
            reading = MeasurementCreate.model_construct(film_id=film_id, device=0, value=1.0, uid=name, **when)
            measurements.record(session, campaign_id, "squid", [reading])
            linger()

    def newest() -> int:
        with sessions() as session:
            return session.execute(select(CampaignRow.revision).where(CampaignRow.id == campaign_id)).scalar_one()

    def read(revision: int) -> Snapshot:
        with sessions() as session:
            return frozenset(row.uid for row in datasets.snapshot(session, campaign_id, revision))

    return Numbered(write, newest, read)


def naive(sessions: Sessions) -> Numbered:
    """A number is drawn when a row is written, and the newest that is seen is taken for a state."""
    with sessions.begin() as session:
        session.execute(text("drop table if exists naive"))
        session.execute(text("create table naive (serial bigserial primary key, uid text not null)"))

    def write(name: str) -> None:
        with sessions.begin() as session:
            session.execute(text("insert into naive (uid) values (:uid)"), {"uid": name})
            linger()

    def newest() -> int:
        with sessions() as session:
            return int(session.execute(text("select coalesce(max(serial), 0) from naive")).scalar_one())

    def read(serial: int) -> Snapshot:
        with sessions() as session:
            rows = session.execute(text("select uid from naive where serial <= :serial"), {"serial": serial})
            return frozenset(rows.scalars())

    return Numbered(write, newest, read)


def changed(numbered: Numbered) -> tuple[int, int, int]:
    """Read every snapshot as soon as its number is seen while 8 writers write, then read each again.

    Returns:
        How many changed, of how many, and how many rows of how many writes are in the last one.
    """
    names = [[f"{w}-{k}" for k in range(BATCHES)] for w in range(WRITERS)]
    writers = [threading.Thread(target=_write_all, args=(numbered, own)) for own in names]
    for writer in writers:
        writer.start()
    seen: dict[int, Snapshot] = {}
    while any(writer.is_alive() for writer in writers):
        last = max(seen, default=-1)
        # The newest first, since it is the one below which something may still be missing.
        seen |= {number: numbered.read(number) for number in range(numbered.newest(), last, -1)}
    for writer in writers:
        writer.join()
    again = {number: numbered.read(number) for number in seen}
    missing = WRITERS * BATCHES - len(numbered.read(numbered.newest()))
    return sum(again[number] != snapshot for number, snapshot in seen.items()), len(seen), missing


def _write_all(numbered: Numbered, names: list[str]) -> None:
    for name in names:
        numbered.write(name)


def run(database_url: str, *, snapshots: int, make: Callable[[Sessions], Numbered] = real) -> Found:
    """Campaign after campaign until so many snapshots were read twice."""
    total, wrong, campaigns = 0, {"snapshots that changed": 0, "writes that are in none": 0}, 0
    with record(database_url) as sessions:
        while total < snapshots:
            count, seen, missing = changed(make(sessions))
            wrong["snapshots that changed"] += count
            wrong["writes that are in none"] += missing
            total += seen
            campaigns += 1
    return Found(total, wrong, f"{total} snapshots of {campaigns} campaigns, {WRITERS} writers each, read twice")
