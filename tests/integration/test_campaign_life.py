"""How a campaign ends, and what it may spend."""

import pytest

from service.operations.decisions import sweep
from service.store.tables import CampaignRow, FilmRow, LeaseRow
from tests.integration.test_lifecycle import Robot


def act(api, campaign, action):
    return api.post(f"/v1/campaigns/{campaign}/actions", json={"action": action})


def state(api, campaign):
    return api.get(f"/v1/campaigns/{campaign}").json()["state"]


def create(api, loop, **said):
    made = api.post("/v1/campaigns", json={"name": "wafer", "problem": loop.problem()} | said)
    assert made.status_code == 201, made.text
    assert act(api, made.json()["id"], "activate").status_code == 200
    loop.decide(made.json()["id"])
    return made.json()["id"]


@pytest.fixture
def robot(api, loop):
    campaign = loop.campaign()
    loop.decide(campaign)
    return Robot(api, campaign)


def test_a_draining_campaign_offers_nothing_and_ends_when_its_last_film_is_measured(api, loop, robot, reading):
    robot.claim()
    film = robot.act("start").json()["film_id"]
    loop.decide(robot.campaign)
    assert act(api, robot.campaign, "drain").json()["state"] == "draining"
    assert api.get(f"/v1/campaigns/{robot.campaign}/proposals?state=cancelled").json()["items"] != []
    refused = Robot(api, robot.campaign, "bob").claim()
    assert (refused.status_code, refused.json()["detail"].endswith("allowed actions: complete, abort")) == (409, True)
    assert robot.act("complete", {"outcome": "ok"}).status_code == 200
    assert state(api, robot.campaign) == "draining"
    late = api.measure(robot.campaign, [reading(film, k) for k in range(3)]).json()
    assert state(api, robot.campaign) == "completed"
    assert late["decision"] is not None
    assert loop.take(robot.campaign).count == 0
    events = [e["type"] for e in api.get(f"/v1/campaigns/{robot.campaign}/events").json()["items"]]
    assert (events.count("campaign.draining"), events.count("campaign.completed")) == (1, 1)


@pytest.mark.parametrize("how", ["released", "expired", "failed"])
def test_a_draining_campaign_ends_when_its_last_film_is_given_up(api, loop, robot, how):
    robot.claim()
    if how == "failed":
        robot.act("start")
    act(api, robot.campaign, "drain")
    if how == "released":
        assert robot.act("release").json()["state"] == "cancelled"
    elif how == "failed":
        robot.act("fail", {"reason": "cracked", "outcome": "equipment"})
    else:
        loop.let_pass(LeaseRow, robot.lease["id"], "expires_at")
        sweep(loop.sessions)
    assert state(api, robot.campaign) == "completed"


def test_draining_with_nothing_begun_completes_at_once(api, robot):
    assert act(api, robot.campaign, "drain").json()["state"] == "completed"


@pytest.mark.parametrize(("before", "allowed"), [([], False), (["activate", "pause"], True), (["abort"], False)])
def test_what_runs_can_be_drained(api, loop, before, allowed):
    campaign = api.post("/v1/campaigns", json={"name": "wafer", "problem": loop.problem()}).json()["id"]
    for step in before:
        act(api, campaign, step)
    assert act(api, campaign, "drain").status_code == (200 if allowed else 409)


def test_the_sweep_asks_for_what_a_finished_campaign_has_not_learned_yet(api, loop, robot, reading):
    robot.claim()
    film = robot.act("start").json()["film_id"]
    act(api, robot.campaign, "pause")
    api.measure(robot.campaign, [reading(film, 0)])
    act(api, robot.campaign, "complete")
    assert loop.decide(robot.campaign).revision == 1
    assert loop.row(CampaignRow, robot.campaign).decided_revision == 1
    sweep(loop.sessions)
    assert loop.take(robot.campaign) is None


def spent(response):
    assert response.status_code == 409, response.text
    assert response.json()["type"] == "urn:filmloop:problem:budget-spent"
    return response.json()["detail"]


def test_a_budget_of_films_is_held_at_the_claim(api, loop):
    robot = Robot(api, create(api, loop, budget={"films": 1}))
    robot.claim()
    other = Robot(api, robot.campaign, "bob")
    assert spent(other.claim(wait_s=5)).startswith("the budget of 1 film(s) is spent: 1 are made or on their way")
    assert robot.claim().status_code == 200
    robot.act("start")
    robot.act("fail", {"reason": "cracked", "outcome": "equipment"})
    assert other.claim().status_code == 204
    loop.decide(robot.campaign)
    assert other.claim().status_code == 201


def test_a_budget_of_devices_is_held_at_the_claim(api, loop):
    robot = Robot(api, create(api, loop, budget={"devices": 5}, queue_depth=2))
    (only,) = api.get(f"/v1/campaigns/{robot.campaign}/proposals").json()["items"]
    assert len(only["film"]["devices"]) == 3
    assert robot.claim().status_code == 201
    said = spent(Robot(api, robot.campaign, "bob").claim())
    assert said.startswith("the budget of 5 device(s) has no room for 3 more: 3 are made or on their way")


def test_a_budget_of_hours_lets_what_was_begun_be_finished(api, loop):
    robot = Robot(api, create(api, loop, budget={"hours": 0.5}, queue_depth=2))
    robot.claim()
    film = robot.act("start").json()["film_id"]
    other = Robot(api, robot.campaign, "bob")
    assert other.claim().status_code == 201
    assert other.act("release").status_code == 200
    with loop.sessions.begin() as session:
        row = session.get(FilmRow, film)
        row.started_at = row.started_at.replace(year=row.started_at.year - 1)
    assert spent(other.claim()).startswith("the budget of 0.5 hour(s) is spent: robots worked for 87")
    assert robot.act("complete", {"outcome": "ok"}).status_code == 200
    assert loop.take(robot.campaign).count == 0


def test_an_overdue_film_spends_no_further_hours(api, loop):
    robot = Robot(api, create(api, loop, budget={"hours": 1.0}))
    robot.claim()
    film = robot.act("start").json()["film_id"]
    with loop.sessions.begin() as session:
        started, lease = session.get(FilmRow, film), session.get(LeaseRow, robot.lease["id"])
        started.started_at = started.started_at.replace(year=started.started_at.year - 1)
        lease.expires_at = started.started_at.replace(microsecond=999_999)
    sweep(loop.sessions)
    loop.decide(robot.campaign)
    assert Robot(api, robot.campaign, "bob").claim().status_code == 201
