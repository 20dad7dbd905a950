"""Claims that wait: for a film, for a decision on newer data; without holding a thread or a connection."""

import threading
import time

import httpx
import pytest
from sqlalchemy import text

from service.operations import leases
from service.operations.decisions import publish_decision


def claim(api, campaign, robot, wait_s, key=None):
    body = {"robot": robot, "wait_s": wait_s}
    return api.post(f"/v1/campaigns/{campaign}/claims", key or f"{robot}-{time.monotonic_ns()}", json=body)


def in_background(work):
    answers = []
    thread = threading.Thread(target=lambda: answers.append(work()), daemon=True)
    thread.start()
    return thread, answers


@pytest.fixture
def behind(api, loop, reading):
    """A campaign with a ready film and one measured since the decision; the decision that will know it waits."""
    campaign = loop.campaign(queue_depth=2)
    loop.decide(campaign)
    lease = claim(api, campaign, "ada", 0).json()["lease"]
    with loop.sessions.begin() as session:
        film = leases.start(session, lease["id"], lease["token"]).film_id
    with loop.sessions.begin() as session:
        leases.complete(session, lease["id"], lease["token"], "ok", compositions=None, note=None)
    assert api.measure(campaign, [reading(film, k) for k in range(3)]).status_code == 201
    return campaign


def test_a_claim_that_waits_is_served_when_a_film_is_ready(api, loop):
    campaign = loop.campaign()
    thread, answers = in_background(lambda: claim(api, campaign, "ada", 20))
    time.sleep(0.5)
    assert thread.is_alive()
    loop.decide(campaign)
    thread.join(timeout=15)
    assert [a.status_code for a in answers] == [201]


def test_a_claim_that_waits_in_vain_is_no_content(api, loop):
    campaign = loop.campaign()
    began = time.monotonic()
    answer = claim(api, campaign, "ada", 0.5)
    assert answer.status_code == 204
    assert time.monotonic() - began >= 0.5


def test_a_claim_waits_for_the_decision_on_newer_data(api, loop, behind):
    thread, answers = in_background(lambda: claim(api, behind, "bob", 20))
    time.sleep(0.5)
    assert thread.is_alive()
    decision = loop.take(behind)
    time.sleep(0.5)
    assert thread.is_alive()
    assert publish_decision(loop.sessions, decision, None, loop.advice(1))
    thread.join(timeout=15)
    proposal = answers[0].json()["proposal"]
    assert (proposal["stale"], proposal["provenance"]["revision"]) == (False, 1)


def test_a_claim_that_does_not_wait_gets_what_is_there_and_is_told(api, behind):
    proposal = claim(api, behind, "bob", 0).json()["proposal"]
    assert (proposal["stale"], proposal["provenance"]["revision"]) == (True, 0)


def test_a_claim_that_waited_long_enough_gets_what_is_there(api, behind):
    answer = claim(api, behind, "bob", 0.5)
    assert (answer.status_code, answer.json()["proposal"]["stale"]) == (201, True)


def test_a_robot_that_hung_up_gets_no_film(api, loop):
    campaign = loop.campaign()
    with pytest.raises(httpx.ReadTimeout):
        api.client.post(
            f"/v1/campaigns/{campaign}/claims",
            headers={"Idempotency-Key": "gone"},
            json={"robot": "ada", "wait_s": 20},
            timeout=0.6,
        )
    loop.decide(campaign)  # in the pause between two looks of the claim that nobody waits for any more
    time.sleep(1.0)  # longer than the longest pause
    assert claim(api, campaign, "bob", 5).status_code == 201


def test_a_hundred_waiting_robots_leave_the_api_free(api, loop, database_url):
    campaign = loop.campaign()
    waiting = [in_background(lambda k=k: claim(api, campaign, f"robot {k}", 6)) for k in range(100)]
    time.sleep(2.0)
    assert api.get(f"/v1/campaigns/{campaign}").status_code == 200
    with loop.sessions() as session:
        busy = session.execute(
            text("select count(*) from pg_stat_activity where datname = current_database() and state <> 'idle'")
        ).scalar_one()
    assert busy <= 11  # the pool's ten and this one
    for thread, _ in waiting:
        thread.join(timeout=60)
    assert {answers[0].status_code for _, answers in waiting} == {204}
