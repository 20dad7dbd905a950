"""Row 18: readings are retracted and restored while decisions are made on them."""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from benchmarks.faults.found import Found
from benchmarks.faults.loop import Loop, record
from service.api.schemas.measurements import MeasurementCreate
from service.operations import decisions, measurements, retractions
from service.operations.decision_inputs import DecisionInput
from service.operations.retractions import What
from service.store import campaigns
from service.store.tables import EventRow, MeasurementRow, RetractedReadingRow, RetractionRow

READINGS = 12
LONGEST_S = 120.0


def _measured(loop: Loop) -> tuple[str, list[str]]:
    """A campaign with one film and its readings; their ids."""
    campaign, film = loop.made()
    when: dict[str, Any] = {
        "measured_at": datetime(2026, 3, 1, tzinfo=UTC),
        "property": Loop.PROPERTY,
        "unit": Loop.UNIT,
    }
    rows = [
        MeasurementCreate.model_construct(film_id=film, device=k % Loop.DEVICES, value=float(k), **when)
        for k in range(READINGS)
    ]
    with loop.sessions.begin() as session:
        measurements.record(session, campaign, "squid", rows)
    with loop.sessions() as session:
        return campaign, list(session.scalars(select(MeasurementRow.id).where(MeasurementRow.campaign_id == campaign)))


def _retract_and_restore(loop: Loop, campaign: str, ids: list[str], person: int, over: threading.Event) -> None:
    chance = random.Random(person)  # noqa: S311 - not a secret
    while not over.is_set():
        what = What(measurement_ids=tuple(chance.sample(ids, chance.randint(1, 4))))
        with loop.sessions.begin() as session:
            made = retractions.retract(session, campaign, what, "a test", also_later=False)
        time.sleep(chance.uniform(0.0, 0.02))
        with loop.sessions.begin() as session:
            retractions.reverse(session, made.retraction.id, "a test")
        time.sleep(chance.uniform(0.0, 0.1))


def _decide(loop: Loop, campaign: str, enough: int) -> tuple[int, int]:
    """Make decisions that take their time, as trainings do; how many came into force, and how many did not."""
    came, began = {True: 0, False: 0}, time.monotonic()
    while min(came.values()) < enough and came[True] < 4 * enough and time.monotonic() - began < LONGEST_S:
        decision = loop.take(campaign)
        if decision is None:
            time.sleep(0.002)
            continue
        time.sleep(0.01)
        came[decisions.publish_decision(loop.sessions, decision, None, loop.advice(decision.count))] += 1
    return came[True], came[False]


def _wrong(loop: Loop, campaign: str) -> int:
    """Published decisions that a reading had entered which did not count at that moment.

    Events are in the order of commits, so what was in force at each of them is read off by walking along.
    """
    with loop.sessions() as session:
        query = select(EventRow).where(EventRow.campaign_id == campaign).order_by(EventRow.seq)
        events = session.scalars(query).all()
        rows = session.scalars(select(RetractionRow).where(RetractionRow.campaign_id == campaign)).all()
        covered: dict[str, set[str]] = {row.id: set() for row in rows}
        for row in session.scalars(select(RetractedReadingRow)):
            covered.get(row.retraction_id, set()).add(row.measurement_id)

    def counting_at(revision: int) -> set[str]:
        gone = [r for r in rows if r.revision <= revision < (r.reversed_revision or revision + 1)]
        return set().union(*covered.values()) - set().union(*(covered[r.id] for r in gone))

    in_force: set[str] = set()
    wrong = 0
    for event in events:
        if event.type == "readings.retracted":
            in_force.add(event.data["retraction_id"])
        elif event.type == "readings.restored":
            in_force.discard(event.data["retraction_id"])
        elif event.type == "decision.published" and event.data["revision"] > 0:
            wrong += bool(counting_at(event.data["revision"]) & set().union(*(covered[r] for r in in_force)))
    return wrong


@contextmanager
def publishing_whatever_is_newest() -> Iterator[None]:
    """Decisions come into force without asking whether their readings still count."""

    def naive(session: Session, decision: DecisionInput) -> str | None:
        in_time = campaigns.advance_decision(session, decision.campaign_id, decision.revision)
        return None if in_time else "a decision on newer data is in force"

    careful = decisions._overtaken
    decisions._overtaken = naive
    try:
        yield
    finally:
        decisions._overtaken = careful


def run(database_url: str, *, enough: int) -> Found:
    """Two people retract and restore until so many decisions came into force, and as many did not."""
    with record(database_url) as sessions:
        loop = Loop(sessions)
        campaign, ids = _measured(loop)
        over = threading.Event()
        given = [(loop, campaign, ids, person, over) for person in range(2)]
        people = [threading.Thread(target=_retract_and_restore, args=args) for args in given]
        for person in people:
            person.start()
        try:
            published, overtaken = _decide(loop, campaign, enough)
        finally:
            over.set()
            for person in people:
                person.join()
        wrong = _wrong(loop, campaign)
    figure = f"{published} decisions came into force, {overtaken} were overtaken"
    return Found(published, {"published on retracted readings": wrong}, figure)
