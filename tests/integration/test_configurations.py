"""Configurations that change while a campaign runs: numbered, guarded by what the caller has seen, never backwards."""

import pytest

from service.operations.decisions import publish_decision
from service.store.tables import CampaignRow
from tests.integration.test_lifecycle import Robot

MAPPING = {"problem": {"policy": {"name": "mapping"}}}


@pytest.fixture
def robot(api, loop):
    """A robot in a campaign with one proposal ready."""
    campaign = loop.campaign()
    loop.decide(campaign)
    return Robot(api, campaign)


def path(robot):
    return f"/v1/campaigns/{robot.campaign}"


def patch(robot, body, etag=None, key="one"):
    etag = etag or robot.api.get(path(robot)).headers["ETag"]
    return robot.api.client.patch(path(robot), json=body, headers={"If-Match": etag, "Idempotency-Key": key})


def states(robot):
    return [p["state"] for p in robot.api.get(f"{path(robot)}/proposals").json()["items"]]


def test_another_policy_supersedes_what_is_ready_and_old_proposals_keep_their_configuration(api, loop, robot):
    robot.claim()
    loop.decide(robot.campaign)
    changed = patch(robot, MAPPING)
    assert changed.status_code == 200, changed.text
    assert (changed.json()["config_revision"], changed.json()["problem"]["policy"]["name"]) == (2, "mapping")
    assert changed.headers["ETag"] == api.get(path(robot)).headers["ETag"]
    assert states(robot) == ["leased", "superseded"]
    decision = loop.decide(robot.campaign)
    assert (decision.config_revision, decision.problem.policy.name, len(decision.pending)) == (2, "mapping", 1)
    numbers = [p["provenance"]["config_revision"] for p in api.get(f"{path(robot)}/proposals").json()["items"]]
    assert numbers == [1, 1, 2]
    then, now = (api.get(f"{path(robot)}/configurations/{n}").json() for n in (1, 2))
    assert (then["problem"]["policy"]["name"], now["problem"]["policy"]["name"]) == ("auto", "mapping")
    assert then["problem"]["space"] == now["problem"]["space"]
    assert api.get(f"{path(robot)}/configurations/3").status_code == 404
    last = api.get(f"{path(robot)}/events?limit=1000").json()["items"]
    (told,) = [e["data"] for e in last if e["type"] == "campaign.changed"]
    assert (told["config_revision"], told["changed"], len(told["superseded"])) == (2, ["problem"], 1)
    assert robot.act("start").status_code == 200


def test_a_change_beside_the_problem_leaves_the_queue_alone(loop, robot):
    changed = patch(robot, {"queue_depth": 2, "budget": {"films": 9}, "lease": {"ttl_s": 60}}).json()
    assert (changed["queue_depth"], changed["budget"]["films"], changed["lease"]["ttl_s"]) == (2, 9, 60)
    assert states(robot) == ["ready"]
    assert loop.decide(robot.campaign).count == 2
    assert patch(robot, {"budget": {"hours": 5.0}}, key="two").json()["budget"] == {
        "films": None,
        "devices": None,
        "hours": 5.0,
    }


def test_the_same_again_is_no_change(robot):
    problem = robot.api.get(path(robot)).json()["problem"]
    same = patch(robot, {"problem": {"space": problem["space"], "seed": problem["seed"]}, "queue_depth": 1})
    assert (same.status_code, same.json()["config_revision"], states(robot)) == (200, 1, ["ready"])


def test_what_the_caller_has_not_seen_is_not_changed(api, robot, reading):
    etag = api.get(path(robot)).headers["ETag"]
    missing = api.client.patch(path(robot), json=MAPPING, headers={"Idempotency-Key": "k"})
    assert (missing.status_code, missing.json()["type"]) == (428, "urn:filmloop:problem:precondition-missing")
    robot.claim()
    film = robot.act("start").json()["film_id"]
    api.measure(robot.campaign, [reading(film, 0)])
    assert api.get(path(robot)).headers["ETag"] != etag
    assert (
        patch(robot, MAPPING, etag).status_code == 200
    )  # data arrived, but the configuration is the one that was seen
    stale = patch(robot, {"queue_depth": 3}, etag, key="two")
    assert (stale.status_code, stale.json()["type"]) == (412, "urn:filmloop:problem:precondition-failed")
    assert patch(robot, {"queue_depth": 3}, '"nonsense"', key="three").status_code == 412
    unquoted = patch(robot, {"queue_depth": 3}, "nonsense", key="four")
    assert (unquoted.status_code, unquoted.json()["type"]) == (400, "urn:filmloop:problem:malformed-request")
    assert patch(robot, {"queue_depth": 3}, "*", key="four").status_code == 200
    again = patch(robot, MAPPING, etag)
    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (200, "true")
    assert api.get(path(robot)).json()["config_revision"] == 3


def test_a_decision_for_the_old_problem_does_not_come_into_force(loop, robot):
    robot.claim()
    running = loop.take(robot.campaign)
    patch(robot, MAPPING)
    assert not publish_decision(loop.sessions, running, None, loop.advice(1))
    assert loop.decide(robot.campaign).config_revision == 2
    patch(robot, {"queue_depth": 2}, key="two")
    running = loop.take(robot.campaign)
    patch(robot, {"queue_depth": 3}, key="three")
    assert publish_decision(loop.sessions, running, None, loop.advice(1))


def widened(problem, **change):
    """The search space with more in it."""
    process = [v | change.get(v["name"], {}) for v in problem["space"]["process"]]
    return {
        "space": problem["space"] | {"process": process} | {k: v for k, v in change.items() if k in problem["space"]}
    }


def test_a_wider_space_keeps_the_meaning_of_what_was_measured(api, loop, robot, reading):
    robot.claim()
    film = robot.act("start").json()["film_id"]
    made = [d["proposed"] for d in api.get(f"/v1/films/{film}").json()["devices"]]
    loop.decide(robot.campaign)
    api.measure(robot.campaign, [reading(film, 0)])
    etag = api.get(f"{path(robot)}/dataset").headers["ETag"]
    problem = api.get(path(robot)).json()["problem"]
    space = widened(problem, elements=["Co", "Fe", "Ga", "Pd"], anneal_c={"upper": 1200.0})
    assert patch(robot, {"problem": space | {"film": {"devices": 5}}}).status_code == 200
    decision = loop.take(robot.campaign)
    fractions = [[x.get(e, 0.0) for e in ("Co", "Fe", "Ga", "Pd")] for x in made]
    assert decision.dataset.X[0].tolist() == pytest.approx([*fractions[0], 0.25, 1.0, 0.0])
    (unread,) = decision.pending
    assert unread.points()[:, :4].tolist() == [pytest.approx(x) for x in fractions[1:]]
    assert api.get(f"{path(robot)}/dataset").headers["ETag"] == etag
    assert robot.act("complete", {"outcome": "ok"}).status_code == 200


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"elements": ["Fe", "Ga"]}, "Pd is in films that were made"),
        ({"anneal_c": {"upper": 600.0}}, "anneal_c: the range may grow, not shrink below 200 to 700 degC"),
        ({"anneal_c": {"unit": "K"}}, "anneal_c: kind and unit stay as they are"),
        ({"substrate": {"choices": ["Si", "MgO"]}}, "substrate: choices may be added, but glass was one"),
    ],
)
def test_what_would_take_the_meaning_from_data_is_refused(robot, change, said):
    problem = robot.api.get(path(robot)).json()["problem"]
    refused = patch(robot, {"problem": widened(problem, **change)})
    assert (refused.status_code, said in refused.json()["errors"][0]["message"]) == (422, True), refused.text
    assert robot.api.get(path(robot)).json()["config_revision"] == 1


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({"problem": {"objectives": [{"property": "magnetisation", "unit": "T"}]}}, "/problem"),
        ({"problem": {"objectives": []}}, "/problem/objectives"),
        ({"problem": {"policy": {"name": "hypervolume_improvement"}}}, "/problem"),
        ({"problem": {"colour": "red"}}, "/problem/colour"),
        ({"queue_depth": 0}, "/queue_depth"),
        ({"name": "other"}, "/name"),
    ],
)
def test_a_change_that_cannot_be_is_refused_at_the_place(robot, body, where):
    refused = patch(robot, body)
    assert refused.status_code == 422, refused.text
    assert refused.json()["errors"][0]["pointer"].startswith(where)


@pytest.mark.parametrize("action", ["complete", "abort"])
def test_a_campaign_that_is_over_is_not_changed(api, loop, robot, action):
    api.post(f"{path(robot)}/actions", json={"action": action})
    assert patch(robot, MAPPING).status_code == 409
    assert loop.row(CampaignRow, robot.campaign).config_revision == 1
