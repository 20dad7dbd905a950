"""Events are read in the order of commits, and the lock that gives the order is held as long as a transaction."""

import random
import threading
import time

from sqlalchemy import text

from service.store import events
from service.store.session import lock_campaign, try_lock_campaign

WRITERS = 8
BATCHES = 25


def linger():
    """Between a write and its commit: other work of the same transaction."""
    time.sleep(random.uniform(0.0, 0.004))  # noqa: S311 - not a secret


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
