"""Many robots claim at once: no film is given twice. A naive claim under the same load gives films twice."""

import threading
import time
from collections import Counter

import pytest
from sqlalchemy import insert, select

from benchmarks.faults import claims
from service.errors import NothingReady
from service.operations.claims import claim
from service.operations.decisions import publish_decision
from service.store.tables import EventRow, LeaseRow, ProposalRow

ROBOTS = 32
PROPOSALS = 40


@pytest.fixture
def campaign(loop):
    """A campaign with proposals ready."""
    campaign_id = loop.campaign(queue_depth=20)
    assert publish_decision(loop.sessions, loop.take(campaign_id), None, loop.advice(PROPOSALS))
    return campaign_id


def at_once(work):
    """Run `work(k)` in 32 threads that start together; returns everything they returned."""
    barrier, found, errors = threading.Barrier(ROBOTS), [], []

    def run(k):
        barrier.wait()
        try:
            found.extend(work(k))
        except Exception as error:  # noqa: BLE001 - handed to the test's own thread
            errors.append(error)

    threads = [threading.Thread(target=run, args=(k,)) for k in range(ROBOTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    return found


@pytest.mark.fault
def test_robots_in_processes_of_their_own_are_given_each_film_once(database_url, tmp_path):
    found = claims.run(database_url, tmp_path, robots=8, films=100, seed=3)
    assert found.wrong == dict.fromkeys(found.wrong, 0), found.figure
    assert found.count > 100  # some films were given back, and claimed again under a higher fence


@pytest.mark.fault
def test_a_naive_claim_gives_films_twice(database_url, tmp_path):
    found = claims.run(database_url, tmp_path, robots=8, films=60, seed=3, naive="selects_then_updates")
    assert found.wrong["one fence given twice"] > 0, found.figure
    assert found.wrong["films begun twice"] > 0, found.figure


def test_the_same_robot_claiming_at_once_gets_one_lease(loop, campaign):
    def once(_):
        with loop.sessions.begin() as session:
            got = claim(session, campaign, "ada", wait_for_decision=False)
        return [(got.lease.id, got.lease.token, got.proposal.id, got.fresh)]

    found = at_once(once)
    assert len({(lease, token, proposal) for lease, token, proposal, _ in found}) == 1
    assert Counter(fresh for *_, fresh in found) == {True: 1, False: ROBOTS - 1}


def test_the_database_itself_refuses_a_second_live_lease(loop, campaign):
    with loop.sessions.begin() as session:
        got = claim(session, campaign, "ada", wait_for_decision=False)
        row = session.get(LeaseRow, got.lease.id)
        other = session.scalars(select(ProposalRow).where(ProposalRow.state == "ready").limit(1)).one()
    values = {"campaign_id": campaign, "fence": 1, "token": "t", "expires_at": row.expires_at, "id": "lse_other"}
    for clash, name in (
        ({"robot": "ada", "proposal_id": other.id}, "uq_lease_one_per_robot"),
        ({"robot": "bob", "proposal_id": got.proposal.id}, "uq_lease_one_per_proposal"),
    ):
        with pytest.raises(Exception, match=name), loop.sessions.begin() as session:
            session.execute(insert(LeaseRow).values(**values, **clash))


def test_fences_rise_while_leases_expire_under_the_robots(loop):
    """Four films go round among 32 robots whose leases lapse at once: each lease has a higher fence than the last."""
    campaign_id = loop.campaign(queue_depth=4)
    loop.decide(campaign_id)
    end = time.monotonic() + 5.0

    def go_round(k):
        held = []
        while time.monotonic() < end:
            try:
                with loop.sessions.begin() as session:
                    got = claim(session, campaign_id, f"robot {k}", wait_for_decision=False)
                    held.append((got.proposal.id, got.lease.fence, got.lease.id))
            except NothingReady:
                continue
            loop.let_pass(LeaseRow, got.lease.id, "expires_at")
        return held

    at_once(go_round)
    with loop.sessions() as session:
        rows = session.scalars(select(LeaseRow).order_by(LeaseRow.created_at, LeaseRow.fence)).all()
        told = session.scalars(select(EventRow).where(EventRow.type == "proposal.leased").order_by(EventRow.seq)).all()
    assert len(rows) > ROBOTS
    fences = {}
    for event in told:
        fences.setdefault(event.data["proposal_id"], []).append(event.data["fence"])
    assert max(len(given) for given in fences.values()) > 10  # which of the four go round most often is chance
    assert all(given == sorted(set(given)) for given in fences.values())
