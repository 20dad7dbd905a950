"""A film's way through its states over HTTP, and every way that is refused."""

import pytest

from service.operations.decisions import sweep
from service.store.tables import LeaseRow, ProposalRow


class Robot:
    """Speaks HTTP as a robot does."""

    def __init__(self, api, campaign, name="ada"):
        self.api, self.campaign, self.name = api, campaign, name
        self.lease, self.proposal = None, None

    def claim(self, **given):
        response = self.api.post(f"/v1/campaigns/{self.campaign}/claims", json={"robot": self.name} | given)
        if response.status_code in {200, 201}:
            self.lease, self.proposal = response.json()["lease"], response.json()["proposal"]
        return response

    def act(self, action, body=None, lease=None, key=None):
        lease = lease or self.lease
        return self.api.post(
            f"/v1/leases/{lease['id']}/{action}", key, json=body, headers={"Lease-Token": lease["token"]}
        )


@pytest.fixture
def robot(api, loop):
    """A robot in a campaign with one proposal ready."""
    campaign = loop.campaign()
    loop.decide(campaign)
    return Robot(api, campaign)


def as_made():
    return [{"Fe": 0.6 - 0.1 * k, "Ga": 0.4 + 0.1 * k} for k in range(3)]


def test_a_campaign_is_created_activated_and_completed(api, loop):
    body = {"name": "wafer", "problem": loop.problem(), "budget": {"films": 7}, "lease": {"ttl_s": 60}}
    created = api.post("/v1/campaigns", json=body)
    assert created.status_code == 201, created.text
    campaign = created.json()
    assert {k: campaign[k] for k in ("name", "state", "config_revision", "queue_depth", "revision", "films_made")} == {
        "name": "wafer",
        "state": "draft",
        "config_revision": 1,
        "queue_depth": 1,
        "revision": 0,
        "films_made": 0,
    }
    assert (campaign["budget"], campaign["lease"]) == (
        {"films": 7, "devices": None, "hours": None},
        {"ttl_s": 60, "overdue_s": 86400},
    )
    assert campaign["problem"]["film"]["devices"] == 3
    path = created.headers["Location"]
    read = api.get(path)
    assert read.json() == campaign
    assert read.headers["ETag"] == created.headers["ETag"]
    assert api.get(path, headers={"If-None-Match": read.headers["ETag"]}).status_code == 304
    for action, state in (
        ("activate", "active"),
        ("pause", "paused"),
        ("resume", "active"),
        ("complete", "completed"),
        ("abort", "aborted"),
    ):
        moved = api.post(f"{path}/actions", json={"action": action})
        assert (moved.status_code, moved.json()["state"]) == (200, state), moved.text
    assert api.get(path, headers={"If-None-Match": read.headers["ETag"]}).status_code == 200


@pytest.mark.parametrize(
    ("before", "action", "said"),
    [
        ([], "pause", "is draft: 'pause' is not allowed; allowed actions: activate, abort"),
        (
            ["activate"],
            "activate",
            "is active: 'activate' is not allowed; allowed actions: pause, drain, complete, abort",
        ),
        (
            ["activate", "pause"],
            "pause",
            "is paused: 'pause' is not allowed; allowed actions: resume, drain, complete, abort",
        ),
        (["activate", "complete"], "resume", "is completed: 'resume' is not allowed; allowed actions: abort"),
        (["abort"], "activate", "is aborted: 'activate' is not allowed; allowed actions: none"),
    ],
)
def test_a_campaign_refuses_what_its_state_does_not_allow(api, loop, before, action, said):
    campaign = api.post("/v1/campaigns", json={"name": "wafer", "problem": loop.problem()}).json()["id"]
    for step in before:
        assert api.post(f"/v1/campaigns/{campaign}/actions", json={"action": step}).status_code == 200
    refused = api.post(f"/v1/campaigns/{campaign}/actions", json={"action": action})
    assert refused.status_code == 409
    assert refused.json()["type"] == "urn:filmloop:problem:illegal-transition"
    assert refused.json()["detail"].endswith(said)


def test_campaigns_are_listed_page_by_page(api, loop):
    made = [loop.campaign() for _ in range(3)]
    first = api.get("/v1/campaigns?limit=2").json()
    assert len(first["items"]) == 2
    second = api.get(f"/v1/campaigns?limit=2&after={first['next']}").json()
    assert second["next"] is None
    assert sorted(c["id"] for c in first["items"] + second["items"]) == sorted(made)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"queue_depth": 21}, "/queue_depth"),
        ({"queue_depth": True}, "/queue_depth"),
        ({"budget": {"films": 0}}, "/budget/films"),
        ({"lease": {"ttl_s": 4}}, "/lease/ttl_s"),
        ({"colour": "red"}, "/colour"),
        ({"name": "a\u0000b"}, "/name"),
        ({"problem": {"space": {"elements": ["Fe"]}}}, "/problem/space/elements"),
    ],
)
def test_a_bad_campaign_is_refused_at_the_place(api, loop, change, where):
    refused = api.post("/v1/campaigns", json={"name": "wafer", "problem": loop.problem()} | change)
    assert refused.status_code == 422
    assert where in [e["pointer"] for e in refused.json()["errors"]]
    assert api.get("/v1/campaigns").json()["items"] == []


def test_a_text_that_cannot_be_stored_is_refused(api, loop):
    problem = loop.problem()
    problem["objectives"][0]["unit"] = "e\u0000mu"
    refused = api.post("/v1/campaigns", json={"name": "wafer", "problem": problem})
    assert refused.status_code == 422
    assert "NUL" in refused.text


def test_a_film_goes_from_ready_to_measured(api, robot, reading):
    preview = api.get(f"/v1/campaigns/{robot.campaign}/proposals/next")
    assert preview.status_code == 200
    assert robot.claim().status_code == 201
    assert robot.proposal == preview.json() | {"state": "leased", "fence": 1}
    assert (robot.proposal["stale"], robot.proposal["film_id"]) == (False, None)
    assert robot.proposal["provenance"]["revision"] == 0
    started = robot.act("start").json()
    film = started["film_id"]
    assert (started["proposal"]["state"], started["proposal"]["film_id"]) == ("running", film)
    assert started["lease"]["expires_at"] > robot.lease["expires_at"]
    assert api.get(f"/v1/films/{film}").json()["state"] == "running"
    made = robot.act("complete", {"outcome": "ok", "compositions": as_made(), "note": "smooth"})
    assert made.status_code == 200, made.text
    film_read = made.json()
    assert (film_read["state"], film_read["outcome"], film_read["note"]) == ("made", "ok", "smooth")
    assert film_read["process"] == {"anneal_c": 450.0, "substrate": "Si"}
    assert [d["as_made"]["Fe"] for d in film_read["devices"]] == pytest.approx([0.6, 0.5, 0.4])
    assert [d["proposed"] for d in film_read["devices"]] == [
        d["composition"] for d in robot.proposal["film"]["devices"]
    ]
    assert api.get(f"/v1/campaigns/{robot.campaign}").json()["films_made"] == 1
    rows = [reading(film, k) for k in range(2)] + [reading(film, 2, value=None, status="dead", std_uncertainty=None)]
    assert api.measure(robot.campaign, rows).status_code == 201
    film_read = api.get(f"/v1/films/{film}").json()
    assert film_read["state"] == "measured"
    assert [(d["readings"], d["dead"]) for d in film_read["devices"]] == [(1, False), (1, False), (0, True)]
    assert api.get(f"/v1/proposals/{robot.proposal['id']}").json()["state"] == "measured"
    events = [e["type"] for e in api.get(f"/v1/campaigns/{robot.campaign}/events").json()["items"]]
    assert events == [
        "campaign.created",
        "campaign.active",
        "decision.published",
        "proposal.leased",
        "film.started",
        "film.made",
        "batch.recorded",
        "film.measured",
    ]


def test_readings_that_come_before_the_report_measure_the_film_all_the_same(api, robot, reading):
    robot.claim()
    film = robot.act("start").json()["film_id"]
    batch = api.measure(robot.campaign, [reading(film, k) for k in range(3)])
    assert batch.json()["revision"] == 1
    assert api.get(f"/v1/films/{film}").json()["state"] == "running"
    assert robot.act("complete", {"outcome": "ok", "compositions": as_made()}).json()["state"] == "measured"
    compositions = {}
    for revision in (1, 2):
        rows = api.get(f"/v1/campaigns/{robot.campaign}/dataset?revision={revision}").json()["rows"]
        compositions[revision] = [row["composition"] for row in sorted(rows, key=lambda row: row["device"])]
    assert compositions[1] == [d["composition"] for d in robot.proposal["film"]["devices"]]
    assert [c["Fe"] for c in compositions[2]] == pytest.approx([0.6, 0.5, 0.4])


ILLEGAL = [
    ([], "complete", "leased", "renew, start, release"),
    ([], "fail", "leased", "renew, start, release"),
    (["start"], "start", "running", "renew, complete, fail"),
    (["start"], "release", "running", "renew, complete, fail"),
]
BODIES = {"complete": {"outcome": "ok"}, "fail": {"reason": "cracked", "outcome": "equipment"}}


@pytest.mark.parametrize(("before", "action", "state", "allowed"), ILLEGAL)
def test_a_lease_refuses_what_the_proposal_does_not_allow(robot, before, action, state, allowed):
    robot.claim()
    for step in before:
        assert robot.act(step).status_code == 200
    refused = robot.act(action, BODIES.get(action))
    assert refused.status_code == 409
    assert f"is {state}" in refused.json()["detail"]
    assert refused.json()["detail"].endswith(f"allowed actions: {allowed}")


@pytest.mark.parametrize(("last", "state"), [("complete", "completed"), ("fail", "failed"), ("release", "released")])
def test_a_lease_that_ended_allows_nothing(robot, last, state):
    robot.claim()
    if last != "release":
        robot.act("start")
    assert robot.act(last, BODIES.get(last)).status_code == 200
    for action in ("renew", "start", "complete", "fail", "release"):
        refused = robot.act(action, BODIES.get(action))
        assert refused.status_code == 409
        assert f"is {state}" in refused.json()["detail"]
        assert refused.json()["detail"].endswith("allowed actions: none")


def test_another_token_is_refused(robot):
    robot.claim()
    refused = robot.act("start", lease=robot.lease | {"token": "guess"})
    assert refused.status_code == 403
    assert robot.act("start").status_code == 200


@pytest.mark.parametrize(
    ("compositions", "said"),
    [
        ([{"Fe": 1.0}] * 2, "2 compositions were given for 3 devices"),
        ([{"Fe": 1.0}, {"Fe": 0.5, "Ga": 0.4}, {"Pd": 1.0}], "the sum is 0.9"),
        ([{"Fe": 1.0}, {"Fe": 0.5, "Xx": 0.5}, {"Pd": 1.0}], "Xx: not among the campaign's elements Fe, Ga, Pd"),
        ([{"Fe": 1.5, "Ga": -0.5}] * 3, "less than or equal to 1"),
    ],
)
def test_compositions_that_cannot_be_are_refused_and_nothing_is_written(robot, lab, compositions, said):
    robot.claim()
    robot.act("start")
    before = lab.rows_by_table()
    refused = robot.act("complete", {"outcome": "ok", "compositions": compositions})
    assert refused.status_code == 422
    assert said in refused.text
    assert lab.rows_by_table() == before
    assert robot.act("complete", {"outcome": "ok"}).status_code == 200


@pytest.mark.parametrize("action", ["fail", "complete"])
def test_a_film_that_cannot_be_measured_has_failed(api, robot, action):
    robot.claim()
    film = robot.act("start").json()["film_id"]
    body = {"outcome": "infeasible"} | ({"reason": "it peeled off"} if action == "fail" else {"note": "it peeled off"})
    failed = robot.act(action, body).json()
    assert (failed["state"], failed["outcome"], failed["note"]) == ("failed", "infeasible", "it peeled off")
    assert api.get(f"/v1/proposals/{robot.proposal['id']}").json()["state"] == "failed"
    assert api.get(f"/v1/films/{film}").json() == failed


def test_a_released_film_goes_back_to_the_queue_under_a_higher_fence(robot):
    robot.claim()
    first = robot.proposal
    released = robot.act("release").json()
    assert (released["state"], released["fence"]) == ("ready", 2)
    assert robot.claim().status_code == 201
    assert (robot.proposal["id"], robot.proposal["fence"]) == (first["id"], 3)


def test_the_same_robot_gets_its_own_lease_back(api, robot):
    robot.claim()
    first = robot.lease
    again = robot.claim()
    assert (again.status_code, robot.lease) == (200, first)
    robot.act("start")
    assert (robot.claim().status_code, robot.lease["token"]) == (200, first["token"])
    preview = api.get(f"/v1/campaigns/{robot.campaign}/proposals/next?robot=ada").json()
    assert (preview["id"], preview["state"]) == (robot.proposal["id"], "running")
    assert Robot(api, robot.campaign, "bob").claim().status_code == 204


def test_nothing_ready_is_no_content_and_stores_nothing(api, loop, lab):
    campaign = loop.campaign()
    robot = Robot(api, campaign)
    before = lab.rows_by_table()
    empty = api.post(f"/v1/campaigns/{campaign}/claims", "a-key", json={"robot": "ada"})
    assert (empty.status_code, empty.content) == (204, b"")
    assert int(empty.headers["Retry-After"]) > 0
    assert lab.rows_by_table() == before
    loop.decide(campaign)
    served = api.post(f"/v1/campaigns/{campaign}/claims", "a-key", json={"robot": "ada"})
    assert served.status_code == 201
    replayed = api.post(f"/v1/campaigns/{campaign}/claims", "a-key", json={"robot": "ada"})
    assert (replayed.status_code, replayed.content) == (201, served.content)
    assert replayed.headers["Idempotency-Replayed"] == "true"
    assert robot.claim().status_code == 200


def test_claims_are_for_active_campaigns(api, robot):
    api.post(f"/v1/campaigns/{robot.campaign}/actions", json={"action": "pause"})
    refused = robot.claim()
    assert refused.status_code == 409
    assert refused.json()["detail"].endswith("allowed actions: resume, drain, complete, abort")
    assert api.get(f"/v1/campaigns/{robot.campaign}/proposals/next").status_code == 204


def test_aborting_cancels_what_nobody_began(api, loop, robot):
    robot.claim()
    loop.decide(robot.campaign)
    api.post(f"/v1/campaigns/{robot.campaign}/actions", json={"action": "abort"})
    listed = api.get(f"/v1/campaigns/{robot.campaign}/proposals").json()["items"]
    assert [p["state"] for p in listed] == ["cancelled", "cancelled"]
    refused = robot.act("start")
    assert (refused.status_code, "is cancelled" in refused.json()["detail"]) == (409, True)


def test_completing_lets_films_in_the_making_be_finished(api, loop, robot, reading):
    robot.claim()
    film = robot.act("start").json()["film_id"]
    loop.decide(robot.campaign)
    api.post(f"/v1/campaigns/{robot.campaign}/actions", json={"action": "complete"})
    assert robot.act("complete", {"outcome": "ok"}).json()["state"] == "made"
    late = api.measure(robot.campaign, [reading(film, k) for k in range(3)]).json()
    assert late["decision"]["wanted_revision"] == 1
    decision = loop.take(robot.campaign)  # late data are learned from, but no film is proposed any more
    assert (decision.count, len(decision.dataset)) == (0, 3)
    assert api.get(f"/v1/films/{film}").json()["state"] == "measured"


@pytest.mark.parametrize("how", ["released", "expired"])
def test_a_film_given_up_after_the_campaign_was_completed_is_cancelled(api, loop, robot, how):
    robot.claim()
    api.post(f"/v1/campaigns/{robot.campaign}/actions", json={"action": "complete"})
    if how == "released":
        assert robot.act("release").json()["state"] == "cancelled"
    else:
        loop.let_pass(LeaseRow, robot.lease["id"], "expires_at")
        sweep(loop.sessions)
    assert loop.row(ProposalRow, robot.proposal["id"]).state == "cancelled"
    assert loop.row(LeaseRow, robot.lease["id"]).state == how


def test_an_expired_lease_gives_the_film_to_another_and_the_zombie_is_refused(api, loop, robot):
    robot.claim()
    loop.let_pass(LeaseRow, robot.lease["id"], "expires_at")
    late = robot.act("start")
    assert (late.status_code, "is expired" in late.json()["detail"]) == (409, True)
    other = Robot(api, robot.campaign, "bob")
    assert other.claim().status_code == 201
    assert (other.proposal["id"], other.proposal["fence"]) == (robot.proposal["id"], robot.proposal["fence"] + 2)
    for action in ("renew", "start", "release"):
        assert robot.act(action).status_code == 409
    assert other.act("start").status_code == 200
    loop.decide(robot.campaign)
    assert robot.claim().status_code == 201
    assert robot.proposal["id"] != other.proposal["id"]


def test_the_sweep_takes_an_expired_lease_back(api, loop, robot):
    robot.claim()
    loop.let_pass(LeaseRow, robot.lease["id"], "expires_at")
    rung = sweep(loop.sessions)
    assert len(rung) == 1
    row = loop.row(ProposalRow, robot.proposal["id"])
    assert (row.state, row.fence) == ("ready", 2)
    assert loop.row(LeaseRow, robot.lease["id"]).state == "expired"


def test_a_renewed_lease_does_not_expire(loop, robot):
    robot.claim()
    renewed = robot.act("renew").json()
    assert renewed["expires_at"] >= robot.lease["expires_at"]
    sweep(loop.sessions)
    assert loop.row(ProposalRow, robot.proposal["id"]).state == "leased"


def test_a_silent_robot_after_start_is_overdue_and_its_data_still_count(api, loop, robot, reading):
    robot.claim()
    film = robot.act("start").json()["film_id"]
    loop.let_pass(LeaseRow, robot.lease["id"], "expires_at")
    sweep(loop.sessions)
    assert api.get(f"/v1/films/{film}").json()["state"] == "overdue"
    assert api.measure(robot.campaign, [reading(film, 0)]).json()["accepted"] == 1
    refused = robot.act("complete", {"outcome": "ok"})
    assert refused.status_code == 409
    assert refused.json()["detail"].endswith("allowed actions: renew, fail")
    assert (robot.claim().status_code, robot.proposal["state"]) == (200, "overdue")
    assert robot.act("renew").status_code == 200
    assert robot.act("complete", {"outcome": "ok"}).json()["state"] == "made"


def test_an_overdue_film_can_be_given_up(api, loop, robot):
    robot.claim()
    film = robot.act("start").json()["film_id"]
    loop.let_pass(LeaseRow, robot.lease["id"], "expires_at")
    sweep(loop.sessions)
    assert robot.act("fail", {"reason": "power cut", "outcome": "equipment"}).json()["state"] == "failed"
    assert api.get(f"/v1/films/{film}").json()["outcome"] == "equipment"
    loop.decide(robot.campaign)
    assert robot.claim().status_code == 201


def test_proposals_and_films_are_listed_by_state(api, loop):
    campaign = loop.campaign(queue_depth=3)
    loop.decide(campaign)
    robots = [Robot(api, campaign, name) for name in ("ada", "bob")]
    for robot in robots:
        robot.claim()
        robot.act("start")
    robots[0].act("complete", {"outcome": "ok"})
    path = f"/v1/campaigns/{campaign}"
    assert len(api.get(f"{path}/proposals?state=ready").json()["items"]) == 1
    assert [p["id"] for p in api.get(f"{path}/proposals?state=made").json()["items"]] == [robots[0].proposal["id"]]
    assert len(api.get(f"{path}/films").json()["items"]) == 2
    assert [f["robot"] for f in api.get(f"{path}/films?state=running").json()["items"]] == ["bob"]
    assert api.get(f"{path}/films?state=lost").status_code == 422
    page = api.get(f"{path}/proposals?limit=2").json()
    rest = api.get(f"{path}/proposals?limit=2&after={page['next']}").json()
    assert (len(page["items"]), len(rest["items"]), rest["next"]) == (2, 1, None)


@pytest.mark.parametrize(
    "path", ["campaigns/cmp_x", "proposals/prp_x", "films/flm_x", "campaigns/cmp_x/proposals", "campaigns/cmp_x/films"]
)
def test_an_unknown_thing_is_not_found(api, path):
    assert api.get(f"/v1/{path}").status_code == 404


def test_an_unknown_lease_or_campaign_cannot_be_acted_on(api):
    headers = {"Lease-Token": "secret"}
    assert api.post("/v1/leases/lse_x/start", headers=headers).status_code == 404
    assert api.post("/v1/leases/lse_x/start").status_code == 422
    assert api.post("/v1/campaigns/cmp_x/claims", json={"robot": "ada"}).status_code == 404
    assert api.post("/v1/campaigns/cmp_x/actions", json={"action": "activate"}).status_code == 404
