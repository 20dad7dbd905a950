"""A key has one effect, however often and from however many sides it is used."""

import threading
from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from service.errors import IdempotencyMismatch, InFlight
from service.operations.decisions import sweep
from service.operations.idempotency import run_once
from service.store import campaigns, events
from service.store.tables import CampaignRow, EventRow, IdempotencyRow

AT_ONCE = 50


def count(sessions, table):
    with sessions() as session:
        return session.execute(select(func.count()).select_from(table)).scalar_one()


def test_fifty_requests_with_one_key_have_one_effect(sessions):
    barrier, answers = threading.Barrier(AT_ONCE), []

    def send():
        barrier.wait()
        while True:
            try:
                with sessions.begin() as session:
                    answer = run_once(session, "POST /x", "key", "hash", lambda: (201, {"id": create(session)}))
            except InFlight:
                collided.append(1)
                continue
            answers.append(answer)
            return

    def create(session):
        return campaigns.create(session, "wafer", CONFIG)

    collided = []
    threads = [threading.Thread(target=send) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert count(sessions, CampaignRow) == 1
    assert len(answers) == AT_ONCE
    assert len({answer.body["id"] for answer in answers}) == 1
    assert Counter(answer.replayed for answer in answers) == {False: 1, True: AT_ONCE - 1}


CONFIG = {
    "problem": {},
    "queue_depth": 1,
    "budget_films": None,
    "lease_ttl_s": 300,
    "lease_overdue_s": 600,
}


def test_a_key_that_is_being_served_is_refused_meanwhile(sessions):
    with sessions.begin() as first, sessions.begin() as second:
        run_once(first, "POST /x", "key", "hash", lambda: (201, {}))
        with pytest.raises(InFlight):
            run_once(second, "POST /x", "key", "hash", lambda: (201, {}))
        assert run_once(second, "POST /y", "key", "hash", lambda: (201, {})).replayed is False


def test_another_request_under_the_same_key_is_refused(sessions):
    with sessions.begin() as session:
        run_once(session, "POST /x", "key", "one", lambda: (201, {}))
    with sessions.begin() as session, pytest.raises(IdempotencyMismatch, match="key"):
        run_once(session, "POST /x", "key", "another", lambda: (201, {}))


def test_a_failed_effect_leaves_nothing_and_its_key_is_free(sessions):
    def effect():
        events.append(session, campaigns.create(session, "wafer", CONFIG), "campaign.created", {})
        raise ZeroDivisionError

    for _ in range(2):
        with pytest.raises(ZeroDivisionError), sessions.begin() as session:
            run_once(session, "POST /x", "key", "hash", effect)
        assert [count(sessions, table) for table in (CampaignRow, EventRow, IdempotencyRow)] == [0, 0, 0]


def test_a_replay_keeps_every_digit_and_the_order_of_fields(sessions):
    body = {"z": 0.1 + 0.2, "a": [1e-17, 123456789.123456789], "ü": None}
    for _ in range(2):
        with sessions.begin() as session:
            answer = run_once(session, "POST /x", "key", "hash", lambda: (201, body))
    assert answer.replayed
    assert (answer.body, list(answer.body)) == (body, list(body))


def test_over_http_a_campaign_is_created_once(api, loop):
    body = {"name": "wafer", "problem": loop.problem()}
    first = api.post("/v1/campaigns", "a-key", json=body)
    again = api.post("/v1/campaigns", "a-key", json=dict(reversed(body.items())))
    assert (again.status_code, again.content) == (201, first.content)
    assert (first.headers.get("Idempotency-Replayed"), again.headers["Idempotency-Replayed"]) == (None, "true")
    other = api.post("/v1/campaigns", "a-key", json=body | {"name": "another"})
    assert (other.status_code, other.json()["type"]) == (422, "urn:filmloop:problem:idempotency-mismatch")
    assert len(api.get("/v1/campaigns").json()["items"]) == 1


def test_a_lease_action_takes_place_once(api, loop):
    campaign = loop.campaign()
    loop.decide(campaign)
    lease = api.post(f"/v1/campaigns/{campaign}/claims", json={"robot": "ada"}).json()["lease"]
    path, headers = f"/v1/leases/{lease['id']}/start", {"Lease-Token": lease["token"]}
    first = api.post(path, "a-key", headers=headers)
    again = api.post(path, "a-key", headers=headers)
    assert (first.status_code, again.status_code, again.content) == (200, 200, first.content)
    assert api.post(path, headers=headers).status_code == 409
    assert len(api.get(f"/v1/campaigns/{campaign}/films").json()["items"]) == 1


def test_a_key_is_kept_for_a_week(sessions):
    for key, days in (("old", 8), ("young", 6)):
        with sessions.begin() as session:
            run_once(session, "POST /x", key, "hash", lambda: (201, {}))
            given = update(IdempotencyRow).where(IdempotencyRow.key == key)
            session.execute(given.values(created_at=func.now() - timedelta(days=days)))
    sweep(sessions)
    with sessions() as session:
        assert session.scalars(select(IdempotencyRow.key)).all() == ["young"]
