import time

import pytest

from filmloop_client import Client, Conflict, KeyRefused, keeping
from tests.unit.client.scripted_server import Answer

DEVICES = [{"index": k, "position": k / 1.0, "composition": {"Fe": 1.0 - k, "Ga": float(k)}} for k in range(2)]
FILM = {
    "a": {"Fe": 1.0, "Ga": 0.0},
    "b": {"Fe": 0.0, "Ga": 1.0},
    "process": {},
    "positions": [0, 1],
    "devices": DEVICES,
}
LEASE = {"id": "lse_1", "token": "secret", "fence": 1, "robot": "r", "expires_at": "2026-01-01T00:00:00Z"}
PROPOSAL = {
    "id": "prp_1", "campaign_id": "cmp_1", "state": "leased", "film": FILM, "source": "model", "new_field": 1,
}  # fmt: skip
FILM_READ = {
    "id": "flm_1", "campaign_id": "cmp_1", "state": "made",
    "devices": [{"index": 0, "position": 0.0, "proposed": {"Fe": 1.0}, "as_made": {"Fe": 0.9}}],
}  # fmt: skip
CAMPAIGN = {"id": "cmp_1", "name": "n", "state": "active", "problem": {}}


def robot_of(client, server):
    server.answers = [Answer(200, CAMPAIGN)]
    robot = client.campaigns.get("cmp_1").robot("r")
    server.asked.clear()
    return robot


def test_a_film_from_claim_to_made(server):
    with Client(server.url) as client:
        robot = robot_of(client, server)
        server.answers = [
            Answer(201, {"lease": LEASE, "proposal": PROPOSAL}),
            Answer(200, {"lease": LEASE, "proposal": PROPOSAL | {"state": "running"}, "film_id": "flm_1"}),
            Answer(200, FILM_READ),
        ]
        claim = robot.claim(wait_s=3)
        assert claim is not None
        assert claim.film.devices[1].composition == {"Fe": 0.0, "Ga": 1.0}
        assert claim.start() == "flm_1" == claim.film_id
        assert claim.start() == "flm_1"  # already started: nothing is sent
        film = claim.complete([{"Fe": 0.9, "Ga": 0.1}, {"Fe": 0.1, "Ga": 0.9}], note="warm")
    assert film.devices[0].composition == {"Fe": 0.9}
    assert [a.path for a in server.asked] == [
        "/v1/campaigns/cmp_1/claims", "/v1/leases/lse_1/start", "/v1/leases/lse_1/complete",
    ]  # fmt: skip
    assert server.asked[0].body["robot"] == "r"
    assert 2.9 < server.asked[0].body["wait_s"] <= 3
    assert [a.token for a in server.asked] == [None, "secret", "secret"]
    assert len({a.key for a in server.asked}) == 3
    assert server.asked[2].body == {
        "outcome": "ok", "compositions": [{"Fe": 0.9, "Ga": 0.1}, {"Fe": 0.1, "Ga": 0.9}], "note": "warm",
    }  # fmt: skip


def test_nothing_ready_is_none_at_once_or_after_waiting(server):
    with Client(server.url) as client:
        robot = robot_of(client, server)
        server.answers = [Answer(204, None, {"Retry-After": "0.1"})]
        assert robot.claim(wait_s=0) is None
        assert len(server.asked) == 1
        assert robot.claim(wait_s=0.5) is None
        assert len(server.asked) > 3


def test_a_robot_that_comes_back_gets_its_running_film(server):
    with Client(server.url) as client:
        robot = robot_of(client, server)
        running = PROPOSAL | {"state": "running", "film_id": "flm_7"}
        server.answers = [Answer(200, {"lease": LEASE, "proposal": running})]
        claim = robot.claim(wait_s=0)
        assert claim.start() == "flm_7"
    assert len(server.asked) == 1


def test_a_robot_that_comes_back_to_an_overdue_film_goes_on_with_it(server):
    with Client(server.url) as client:
        robot = robot_of(client, server)
        overdue = PROPOSAL | {"state": "overdue", "film_id": "flm_7"}
        server.answers = [Answer(200, {"lease": LEASE, "proposal": overdue}), Answer(200, LEASE)]
        claim = robot.claim(wait_s=0)
        assert claim.start() == "flm_7"
        assert claim.start() == "flm_7"
    assert [a.path.rsplit("/", 1)[-1] for a in server.asked] == ["claims", "renew"]


def test_renew_keeps_the_token_and_failures_say_why(server):
    with Client(server.url) as client:
        robot = robot_of(client, server)
        server.answers = [Answer(201, {"lease": LEASE, "proposal": PROPOSAL})]
        claim = robot.claim(wait_s=0)
        later = {k: v for k, v in LEASE.items() if k != "token"} | {"expires_at": "2026-01-01T01:00:00Z"}
        server.answers = [Answer(200, later)]
        assert claim.renew().token == "secret"  # noqa: S105
        assert claim.lease.expires_at.hour == 1
        server.answers = [Answer(200, {})]
        claim.fail("target cracked")
        assert server.asked[-1].body == {"reason": "target cracked", "outcome": "equipment"}
        server.answers = [Answer(409, {"title": "Illegal transition", "detail": "made: none"})]
        with pytest.raises(Conflict, match="made: none"):
            claim.release()


def test_what_was_made_is_reported_though_the_key_is_refused_meanwhile(server, monkeypatch):
    monkeypatch.setattr(keeping, "_SHORTEST_S", 0.01)

    def make(_claim):
        while not any(a.path.endswith("/renew") for a in server.asked):
            time.sleep(0.01)
        monkeypatch.setattr(keeping, "_SHORTEST_S", 20.0)
        time.sleep(0.1)  # for the answer
        return [{"Fe": 0.9, "Ga": 0.1}, {"Fe": 0.1, "Ga": 0.9}]

    with Client(server.url) as client:
        robot = robot_of(client, server)
        begun = {"lease": LEASE, "proposal": PROPOSAL | {"state": "running"}, "film_id": "flm_1"}
        server.answers = [Answer(201, {"lease": LEASE, "proposal": PROPOSAL}), Answer(200, begun), Answer(401)]
        with pytest.raises(KeyRefused):
            robot.run(make, films=1)
    told = [a for a in server.asked if a.path.endswith("/complete")]
    assert [a.body["compositions"][0] for a in told] == [{"Fe": 0.9, "Ga": 0.1}]
