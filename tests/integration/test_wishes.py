"""What people want of the queue: films of their own, another order, one less, a word on a robot that fell silent."""

import pytest

from service.operations.decisions import sweep
from service.store.tables import LeaseRow
from tests.integration.test_lifecycle import Robot, as_made

FILM = {"a": {"Fe": 0.9, "Ga": 0.1}, "b": {"Fe": 0.5, "Ga": 0.5}, "process": {"anneal_c": 450.0, "substrate": "Si"}}
GRID = {
    "unit": "W",
    "sources": [{"element": e, "rate": 1.0, "step": 1.0, "lower": 10.0, "upper": 100.0} for e in ("Fe", "Ga", "Pd")],
}


@pytest.fixture
def robot(api, loop):
    campaign = loop.campaign()
    loop.decide(campaign)
    return Robot(api, campaign)


def inject(robot, **other):
    body = FILM | {"reason": "repeat of the best region"} | other
    return robot.api.post(f"/v1/campaigns/{robot.campaign}/proposals", json=body)


def act(robot, proposal, action, **said):
    return robot.api.post(f"/v1/proposals/{proposal}/actions", json={"action": action} | said)


def queue(robot):
    return robot.api.get(f"/v1/campaigns/{robot.campaign}/proposals?state=ready").json()["items"]


def test_a_film_of_a_person_is_made_first_and_no_decision_supersedes_it(api, loop, robot):
    made = inject(robot)
    assert made.status_code == 201, made.text
    film = made.json()
    assert (film["state"], film["source"], film["priority"], film["gain"]) == ("ready", "person", 1, None)
    assert (film["reason"], film["provenance"]["policy"]) == ("repeat of the best region", "person")
    assert [d["composition"]["Fe"] for d in film["film"]["devices"]] == pytest.approx([0.9, 0.7, 0.5])
    assert film["film"]["devices"][0]["predicted"] is None
    decision = loop.decide(robot.campaign)
    assert len(decision.pending) == 1
    assert decision.pending[0].a.tolist() == [0.9, 0.1, 0.0]
    assert sorted(p["source"] for p in queue(robot)) == ["person", "random"]
    assert robot.claim().json()["proposal"]["id"] == film["id"]
    assert robot.act("start").status_code == 200
    assert robot.act("complete", {"outcome": "ok"}).json()["state"] == "made"
    events = [e["type"] for e in api.get(f"/v1/campaigns/{robot.campaign}/events").json()["items"]]
    assert "proposal.injected" in events


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"a": {"Fe": 0.9, "Ga": 0.2}}, "sum"),
        ({"a": {"Fe": 0.9, "Xx": 0.1}}, "unknown elements ['Xx']"),
        ({"process": {"anneal_c": 900.0, "substrate": "Si"}}, "not within 200"),
        ({"process": {"anneal_c": 450.0}}, "process values"),
        ({"b": None}, "both ends"),
        ({"commands": {"a": {"Fe": 1.0}, "b": {"Ga": 1.0}}}, "either both ends a and b, or commands"),
        ({"a": None, "b": None, "commands": {"a": {"Fe": 1.0}, "b": {"Ga": 1.0}}}, "no deposition grid"),
    ],
)
def test_a_film_that_breaks_a_rule_is_refused_by_name(robot, other, said):
    refused = inject(robot, **other)
    assert refused.status_code == 422, refused.text
    assert said in refused.text
    assert len(queue(robot)) == 1


def test_a_film_obeys_the_rules_that_are_in_force(api, loop, robot):
    first, second = inject(robot).json(), inject(robot, a={"Fe": 0.6, "Ga": 0.4}).json()
    problem = api.get(f"/v1/campaigns/{robot.campaign}").json()["problem"]
    space = problem["space"] | {"bounds": [{"element": "Fe", "upper": 0.7}]}
    headers = {"If-Match": "*", "Idempotency-Key": "k"}
    body = {"problem": {"space": space}}
    assert api.client.patch(f"/v1/campaigns/{robot.campaign}", json=body, headers=headers).status_code == 200
    assert api.get(f"/v1/proposals/{first['id']}").json()["state"] == "superseded"
    assert [p["id"] for p in queue(robot)] == [second["id"]]
    refused = inject(robot)
    assert (refused.status_code, "Fe" in refused.json()["errors"][0]["message"]) == (422, True)


def test_on_a_deposition_grid_a_film_is_wanted_by_its_commands(api, loop):
    problem = loop.problem()
    problem["film"] |= {"grid": GRID}
    made = api.post("/v1/campaigns", json={"name": "grid", "problem": problem})
    assert made.status_code == 201, made.text
    robot = Robot(api, made.json()["id"])
    api.post(f"/v1/campaigns/{robot.campaign}/actions", json={"action": "activate"})
    assert "wanted by its commands" in inject(robot).text
    none = {"a": None, "b": None}
    film = inject(robot, **none, commands={"a": {"Fe": 60.0, "Ga": 40.0}, "b": {"Fe": 30.0, "Ga": 70.0}})
    assert film.status_code == 201, film.text
    assert film.json()["film"]["commands"]["a"] == {"Fe": 60.0, "Ga": 40.0, "Pd": 0.0}
    broken = inject(robot, **none, commands={"a": {"Fe": 60.5, "Ga": 40.0}, "b": {"Fe": 30.0, "Ga": 70.0}})
    assert (broken.status_code, "steps of 1 W" in broken.text) == (422, True)
    dark = inject(robot, **none, commands={"a": {"Fe": 0.0}, "b": {"Fe": 30.0}})
    assert (dark.status_code, "no source is on" in dark.text) == (422, True)


def test_of_listed_films_a_person_may_want_one_too(api, loop):
    problem = loop.problem()
    problem["film"] |= {"choices": [FILM]}
    campaign = api.post("/v1/campaigns", json={"name": "masks", "problem": problem}).json()["id"]
    robot = Robot(api, campaign)
    assert inject(robot, a={"Fe": 0.9, "Ga": 0.1, "Pd": 0.0}).status_code == 201
    assert "not one of those that the campaign lists" in inject(robot, b={"Ga": 1.0}).text


def test_a_film_counts_in_the_budget(api, loop):
    robot = Robot(api, loop.campaign(films=2))
    loop.decide(robot.campaign)
    assert [inject(robot).status_code for _ in range(3)] == [201, 201, 409]
    assert loop.decide(robot.campaign).count == 0
    assert [p["source"] for p in queue(robot)] == ["person", "person"]


@pytest.mark.parametrize("action", ["drain", "complete", "abort"])
def test_a_campaign_that_ends_takes_no_film(api, robot, action):
    inject(robot)
    api.post(f"/v1/campaigns/{robot.campaign}/actions", json={"action": action})
    assert queue(robot) == []
    assert inject(robot).status_code == 409


def test_a_film_that_is_put_first_is_claimed_next_and_stays(api, loop):
    robot = Robot(api, loop.campaign(queue_depth=3))
    loop.decide(robot.campaign)
    first, _, last = sorted(queue(robot), key=lambda p: p["rank"])
    assert api.get(f"/v1/campaigns/{robot.campaign}/proposals/next").json()["id"] == first["id"]
    assert act(robot, last["id"], "prioritise").json()["priority"] == 1
    assert act(robot, first["id"], "prioritise").json()["priority"] == 2
    assert act(robot, last["id"], "prioritise").json()["priority"] == 3
    assert api.get(f"/v1/campaigns/{robot.campaign}/proposals/next").json()["id"] == last["id"]
    assert robot.claim().json()["proposal"]["id"] == last["id"]
    decision = loop.decide(robot.campaign)
    assert len(decision.pending) == 2
    assert first["id"] in {p["id"] for p in queue(robot)}


def test_a_cancelled_film_is_not_proposed_again_while_nothing_is_learned(api, loop, robot, reading):
    (only,) = queue(robot)
    assert act(robot, only["id"], "cancel").json()["state"] == "cancelled"
    decision = loop.decide(robot.campaign)
    assert (len(decision.pending), decision.films_known) == (1, 0)
    robot.claim()
    film = robot.act("start").json()["film_id"]
    api.measure(robot.campaign, [reading(film, 0)])
    assert len(loop.take(robot.campaign).pending) == 1  # the one in the making only


def test_a_claimed_film_can_be_cancelled_until_it_is_begun(robot):
    robot.claim()
    assert act(robot, robot.proposal["id"], "cancel").status_code == 200
    late = robot.act("start")
    assert (late.status_code, "is cancelled" in late.json()["detail"]) == (409, True)
    assert robot.claim().status_code == 204
    refused = act(robot, robot.proposal["id"], "cancel")
    assert refused.json()["detail"].endswith("'cancel' is not allowed; allowed actions: none")


def overdue(loop, robot):
    robot.claim()
    film = robot.act("start").json()["film_id"]
    refused = act(robot, robot.proposal["id"], "resolve", outcome="ok")
    assert (refused.status_code, "is running" in refused.json()["detail"]) == (409, True)
    loop.let_pass(LeaseRow, robot.lease["id"], "expires_at")
    sweep(loop.sessions)
    return film


@pytest.mark.parametrize(
    ("outcome", "proposal", "film"),
    [("ok", "made", "made"), ("partial", "made", "made"), ("operator", "failed", "failed")],
)
def test_an_overdue_film_is_resolved_by_a_person(api, loop, robot, *, outcome, proposal, film):
    film_id = overdue(loop, robot)
    resolved = act(robot, robot.proposal["id"], "resolve", outcome=outcome, note="found it in the chamber")
    assert (resolved.status_code, resolved.json()["state"]) == (200, proposal), resolved.text
    read = api.get(f"/v1/films/{film_id}").json()
    assert (read["state"], read["outcome"], read["note"]) == (film, outcome, "found it in the chamber")
    zombie = robot.act("renew")
    assert zombie.status_code == 409
    assert robot.claim().status_code in {201, 204}


def test_what_an_overdue_film_is_made_of_can_be_said(api, loop, robot):
    film_id = overdue(loop, robot)
    body = {"outcome": "ok", "compositions": as_made()}
    assert act(robot, robot.proposal["id"], "resolve", **body).status_code == 200
    assert api.get(f"/v1/films/{film_id}").json()["devices"][0]["as_made"]["Fe"] == pytest.approx(0.6)


def test_an_overdue_film_may_only_be_slow(loop, robot):
    overdue(loop, robot)
    assert act(robot, robot.proposal["id"], "resolve", outcome="running").json()["state"] == "running"
    assert robot.act("complete", {"outcome": "ok"}).json()["state"] == "made"


@pytest.mark.parametrize(
    "said",
    [
        {"action": "resolve"},
        {"action": "cancel", "outcome": "ok"},
        {"action": "resolve", "outcome": "operator", "compositions": [{"Fe": 1.0}]},
        {"action": "cancel", "note": "x"},
        {"action": "burn"},
    ],
)
def test_an_action_that_makes_no_sense_is_refused(robot, said):
    (only,) = queue(robot)
    assert robot.api.post(f"/v1/proposals/{only['id']}/actions", json=said).status_code == 422


def test_an_unknown_proposal_cannot_be_acted_on(robot):
    assert act(robot, "prp_x", "cancel").status_code == 404
    robot.campaign = "cmp_x"
    assert inject(robot).status_code == 404
