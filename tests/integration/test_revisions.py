"""A snapshot once read never changes, whatever writers do; a number drawn without the lock does not hold that."""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from sqlalchemy import select, text

from service.operations import measurements
from service.operations.measurements import Reading
from service.store import datasets, events
from service.store.session import lock_campaign, try_lock_campaign
from service.store.tables import CampaignRow

WRITERS = 8
BATCHES = 25
ROUNDS = 20

Snapshot = frozenset[str]


def changed_snapshots(
    write: Callable[[str], None],
    newest: Callable[[], int],
    read: Callable[[int], Snapshot],
    enough: Callable[[int, int], bool],
):
    """Read snapshots while 8 writers write, then read each again: how many changed, of how many.

    A busy machine may let writers follow each other instead of overlapping, so there are rounds until it is `enough`.
    """
    seen: dict[int, Snapshot] = {}
    changed = 0
    for start in range(ROUNDS):
        names = [[f"{start}-{w}-{k}" for k in range(BATCHES)] for w in range(WRITERS)]
        writers = [threading.Thread(target=lambda own=own: [write(name) for name in own]) for own in names]
        for writer in writers:
            writer.start()
        while any(writer.is_alive() for writer in writers):
            number = newest()
            seen.setdefault(number, read(number))
        for writer in writers:
            writer.join()
        changed = sum(read(number) != snapshot for number, snapshot in seen.items())
        if enough(changed, len(seen)):
            break
    return changed, len(seen)


def linger():
    """Between a write and its commit: other work of the same transaction."""
    time.sleep(random.uniform(0.0, 0.004))  # noqa: S311 - not a secret


def test_a_snapshot_once_read_never_changes_but_a_naive_one_does(lab, reading):
    sessions, campaign = lab.sessions, lab.campaign()
    film = lab.film(campaign)
    good = Reading(**reading(film, 0, measured_at=datetime(2026, 3, 1, tzinfo=UTC)))

    def write(name: str) -> None:
        with sessions.begin() as session:
            measurements.record(session, campaign, "squid", [replace(good, uid=name)])
            linger()

    def newest() -> int:
        with sessions() as session:
            return session.execute(select(CampaignRow.revision).where(CampaignRow.id == campaign)).scalar_one()

    def read(revision: int) -> Snapshot:
        with sessions() as session:
            return frozenset(row.uid for row in datasets.snapshot(session, campaign, revision))

    changed, total = changed_snapshots(write, newest, read, enough=lambda _changed, total: total > 20)
    assert changed == 0
    assert total > 20
    assert newest() % (WRITERS * BATCHES) == 0
    assert len(read(newest())) == newest()

    with sessions.begin() as session:
        session.execute(text("create table naive (serial bigserial primary key, uid text not null)"))

    def write_naively(name: str) -> None:
        with sessions.begin() as session:
            session.execute(text("insert into naive (uid) values (:uid)"), {"uid": name})
            linger()

    def newest_naive() -> int:
        with sessions() as session:
            return session.execute(text("select coalesce(max(serial), 0) from naive")).scalar_one()

    def read_naively(serial: int) -> Snapshot:
        with sessions() as session:
            rows = session.execute(text("select uid from naive where serial <= :serial"), {"serial": serial})
            return frozenset(rows.scalars())

    changed, total = changed_snapshots(
        write_naively, newest_naive, read_naively, enough=lambda changed, _total: changed > 0
    )
    assert changed > 0, f"none of {total} naive snapshots changed: the writers did not overlap, this test shows nothing"


def test_events_are_read_without_a_gap(lab):
    """A reader that goes on from the last number it saw has seen every event in the end."""
    sessions, campaign = lab.sessions, lab.campaign()

    def write(writer: int) -> None:
        for k in range(BATCHES):
            with sessions.begin() as session:
                events.append(session, campaign, "test", {"name": f"{writer}-{k}"})
                linger()

    writers = [threading.Thread(target=write, args=(w,)) for w in range(WRITERS)]
    for writer in writers:
        writer.start()
    seen: list[str] = []
    after = 0
    alive = True
    while alive:
        alive = any(writer.is_alive() for writer in writers)
        with sessions() as session:
            for event in events.page(session, campaign, after, 1000):
                seen.append(event.data["name"])
                after = event.seq
    assert sorted(seen) == sorted(f"{w}-{k}" for w in range(WRITERS) for k in range(BATCHES))


def test_the_campaigns_lock_is_taken_once_per_transaction_and_anew_in_the_next(loop):
    """What a session remembers of the lock must never outlive the transaction that held it."""
    campaign_id = loop.campaign()
    other = "select count(*) from pg_locks where locktype = 'advisory' and granted"
    with loop.sessions() as session:
        for _ in range(3):
            lock_campaign(session, campaign_id)
            lock_campaign(session, campaign_id)
            with loop.sessions() as onlooker:
                assert onlooker.execute(text(other)).scalar_one() == 1
                assert not try_lock_campaign(onlooker, campaign_id)
            session.rollback()
            with loop.sessions() as onlooker:
                assert onlooker.execute(text(other)).scalar_one() == 0
