"""Readings are retracted and restored while decisions are made: none may rest on readings that count no more.

Row 18 of the fault matrix. The same decisions, published without asking whether their readings still count, break it.
"""

import random
import threading
import time
from datetime import UTC, datetime

from sqlalchemy import select

from service.operations import decisions, leases, measurements, retractions
from service.operations.claims import claim
from service.operations.measurements import Reading
from service.operations.retractions import What
from service.store import campaigns
from service.store.tables import EventRow, MeasurementRow, RetractedReadingRow, RetractionRow

READINGS = 12
ENOUGH = 12
"""Decisions that come into force, and of the guarded ones as many that do not, before the test is over."""
LONGEST_S = 120.0


def measured(loop):
    """A campaign with one film and its readings; their ids."""
    campaign = loop.campaign()
    loop.decide(campaign)
    with loop.sessions.begin() as session:
        taken = claim(session, campaign, "ada", wait_for_decision=False)
        film = leases.start(session, taken.lease.id, taken.lease.token).film_id
        when = {"measured_at": datetime(2026, 3, 1, tzinfo=UTC), "property": "magnetisation", "unit": "emu/cm3"}
        rows = [Reading(film_id=film, device=k % 3, value=float(k), **when) for k in range(READINGS)]
        measurements.record(session, campaign, "squid", rows)
    with loop.sessions() as session:
        return campaign, list(session.scalars(select(MeasurementRow.id).where(MeasurementRow.campaign_id == campaign)))


def retract_and_restore(loop, campaign, ids, person, over):
    chance = random.Random(person)  # noqa: S311 - not a secret
    while not over.is_set():
        what = What(measurement_ids=tuple(chance.sample(ids, chance.randint(1, 4))))
        with loop.sessions.begin() as session:
            made = retractions.retract(session, campaign, what, "a test", also_later=False)
        time.sleep(chance.uniform(0.0, 0.02))
        with loop.sessions.begin() as session:
            retractions.reverse(session, made.retraction.id, "a test")
        time.sleep(chance.uniform(0.0, 0.1))


def decide(loop, campaign, enough):
    """Make decisions that take their time, as trainings do; count which came into force."""
    outcome, began = {True: 0, False: 0}, time.monotonic()
    while not enough(outcome) and time.monotonic() - began < LONGEST_S:
        decision = loop.take(campaign)
        if decision is None:
            time.sleep(0.002)
            continue
        time.sleep(0.01)
        outcome[decisions.publish_decision(loop.sessions, decision, None, loop.advice(decision.count))] += 1
    return outcome


def wrong_publications(loop, campaign):
    """Published decisions that a reading had entered which did not count at that moment, of how many.

    Events are in the order of commits, so what was in force at each of them is read off by walking along.
    """
    with loop.sessions() as session:
        query = select(EventRow).where(EventRow.campaign_id == campaign).order_by(EventRow.seq)
        events = session.scalars(query).all()
        rows = session.scalars(select(RetractionRow).where(RetractionRow.campaign_id == campaign)).all()
        covered: dict[str, set[str]] = {row.id: set() for row in rows}
        for row in session.scalars(select(RetractedReadingRow)):
            covered.get(row.retraction_id, set()).add(row.measurement_id)

    def counting_at(revision):
        gone = [r for r in rows if r.revision <= revision < (r.reversed_revision or revision + 1)]
        return set().union(*covered.values()) - set().union(*(covered[r.id] for r in gone))

    in_force: set[str] = set()
    published, wrong = 0, 0
    for event in events:
        if event.type == "readings.retracted":
            in_force.add(event.data["retraction_id"])
        elif event.type == "readings.restored":
            in_force.discard(event.data["retraction_id"])
        elif event.type == "decision.published" and event.data["revision"] > 0:
            published += 1
            wrong += bool(counting_at(event.data["revision"]) & set().union(*(covered[r] for r in in_force)))
    return wrong, published


def exercise(loop, enough):
    """Two people retract and restore while decisions are made; returns wrong ones, published ones, others."""
    campaign, ids = measured(loop)
    over = threading.Event()
    people = [threading.Thread(target=retract_and_restore, args=(loop, campaign, ids, k, over)) for k in range(2)]
    for thread in people:
        thread.start()
    try:
        outcome = decide(loop, campaign, enough)
    finally:
        over.set()
        for thread in people:
            thread.join()
    return (*wrong_publications(loop, campaign), outcome[False])


def test_no_decision_rests_on_readings_that_were_retracted_meanwhile(loop, monkeypatch):
    wrong, published, overtaken = exercise(loop, lambda outcome: min(outcome.values()) >= ENOUGH)
    assert wrong == 0
    assert min(published, overtaken) >= ENOUGH, "retractions and decisions did not overlap: this test shows nothing"

    def naive(session, decision):
        in_time = campaigns.advance_decision(session, decision.campaign_id, decision.revision)
        return None if in_time else "a decision on newer data is in force"

    monkeypatch.setattr(decisions, "_overtaken", naive)
    wrong, published, _ = exercise(loop, lambda outcome: outcome[True] >= 2 * ENOUGH)
    assert wrong > 0, f"none of {published} naive decisions was wrong: this test shows nothing"
