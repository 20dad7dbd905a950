"""Row 12: a slow worker ends after a newer decision is in force, or after its job was given to another."""

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

from sqlalchemy import func, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from benchmarks.faults.found import Found
from benchmarks.faults.killed_workers import more_data
from benchmarks.faults.loop import Loop, record
from service.operations import decisions
from service.store import campaigns, jobs
from service.store.tables import CampaignRow, EventRow, JobRow

WORKERS = 4
QUICK_S, SLOW_S = (0.01, 0.05), (0.15, 0.4)
"""How long workers think: most are quick, some are so slow that their job passes on meanwhile."""
SLOW = 0.3
"""Share of the slow ones."""
LAPSES = text("update job set lease_until = now() - interval '1 s' where campaign_id = :c and state = 'leased'")


def _worker(loop: Loop, campaign_id: str, number: int, over: threading.Event, said: Counter[str]) -> None:
    """Take, think for a while, publish; whether its job is still its own is found out only then."""
    chance, name = random.Random(number), f"worker-{number}"  # noqa: S311 - not a secret
    while not over.is_set():
        decision = loop.take(campaign_id, name)
        if decision is None:
            time.sleep(0.003)
            continue
        time.sleep(chance.uniform(*(SLOW_S if chance.random() < SLOW else QUICK_S)))
        advice: list[Any] = list(loop.advice(decision.count))
        try:
            came = decisions.publish_decision(loop.sessions, decision, None, advice)
        except IntegrityError:  # the tables' own last word
            said["broke off"] += 1
        else:
            said["published" if came else "refused"] += 1


def _let_lapse(loop: Loop, campaign_id: str, over: threading.Event) -> None:
    """Jobs pass to the next worker long before the first has ended, and new data come in between."""
    chance = random.Random(campaign_id)  # noqa: S311 - not a secret
    while not over.wait(chance.uniform(0.06, 0.12)):
        with loop.sessions.begin() as session:
            session.execute(LAPSES, {"c": campaign_id})
        decisions.sweep(loop.sessions)


def _wrong(loop: Loop, campaign_id: str) -> dict[str, int]:
    """Events come in the order of commits: what was in force is read off by walking along."""
    with loop.sessions() as session:
        query = select(EventRow.data).where(EventRow.campaign_id == campaign_id, EventRow.type == "decision.published")
        told = session.scalars(query.order_by(EventRow.seq)).all()
        campaign = session.get_one(CampaignRow, campaign_id)
        twice = Counter(data["job_id"] for data in told)
    revisions = [data["revision"] for data in told]
    return {
        "the decision in force went back": sum(later < earlier for earlier, later in pairwise(revisions)),
        "one job published twice": sum(count - 1 for count in twice.values()),
        "not the newest in the end": int(campaign.decided_revision != campaign.revision),
    }


def run(database_url: str, *, enough: int, seed: int) -> Found:
    """Let workers be slow and lose their jobs until so many came too late, and as many in time."""
    chance, said = random.Random(seed), Counter[str]()  # noqa: S311 - not a secret
    with record(database_url) as sessions:
        loop = Loop(sessions)
        campaign_id, film_id = loop.made()
        over = threading.Event()
        given = [(loop, campaign_id, seed + k, over, said) for k in range(WORKERS)]
        threads = [threading.Thread(target=_worker, args=args) for args in given]
        threads.append(threading.Thread(target=_let_lapse, args=(loop, campaign_id, over)))
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + 60 + 4 * enough
        while min(said["refused"], said["published"]) < enough and said.total() < 4 * enough:
            assert time.monotonic() < deadline, said
            more_data(loop, campaign_id, film_id, chance)
            time.sleep(chance.uniform(0.0, 0.05))
        over.set()
        for thread in threads:
            thread.join()
        _settle(loop, campaign_id)
        wrong = _wrong(loop, campaign_id) | {"broke off": said["broke off"]}
    figure = f"{said['refused']} workers came too late and were refused, {said['published']} decisions came into force"
    return Found(said["refused"] + said["published"], wrong, figure)


def _settle(loop: Loop, campaign_id: str) -> None:
    """One last worker, with time for all that is left."""
    for _ in range(3):
        with loop.sessions.begin() as session:
            session.execute(LAPSES, {"c": campaign_id})
        decisions.sweep(loop.sessions)
        with loop.sessions.begin() as session:
            session.execute(update(JobRow).where(JobRow.state == "pending").values(run_after=func.now()))
        decision = loop.take(campaign_id)
        if decision is not None:
            decisions.publish_decision(loop.sessions, decision, None, loop.advice(decision.count))


@contextmanager
def last_one_wins() -> Iterator[None]:
    """Publishes whatever ends last: neither the fence nor the revision is looked at."""

    def finish(session: Session, job_id: str, fence: int, state: str, error: str | None = None) -> bool:  # noqa: ARG001
        session.execute(update(JobRow).where(JobRow.id == job_id).values(state=state, error=error, lease_until=None))
        return True

    def advance(session: Session, campaign_id: str, revision: int) -> bool:
        session.execute(update(CampaignRow).where(CampaignRow.id == campaign_id).values(decided_revision=revision))
        return True

    careful = jobs.finish, campaigns.advance_decision
    jobs.finish, campaigns.advance_decision = finish, advance
    try:
        yield
    finally:
        jobs.finish, campaigns.advance_decision = careful
