"""A campaign that names a target, from its creation over HTTP to films, answers and pages that all say it."""

import pytest
from click.testing import CliRunner

from benchmarks.keys import KEY
from models.problem import Problem
from service.cli import main
from tests.integration.web.test_science_pages import Campaign, Page

TARGET, TOLERANCE = 12.0, 0.5
TEC = {"property": "tec", "unit": "ppm/K", "direction": "match", "target": TARGET, "tolerance": TOLERANCE}
QUICK = {"mc_samples": 16, "raw_films": 16, "restarts": 1}
PROBLEM = {
    "space": {"elements": ["Fe", "Ni", "Co"]},
    "objectives": [TEC],
    "film": {"devices": 4},
    "policy": {"name": "expected_improvement", **QUICK},
}
SAID = "12 ± 0.5 ppm/K"


def truth(x):
    return {"tec": ("ppm/K", 4.0 + 14.0 * x["Fe"] - 6.0 * x["Co"])}


@pytest.fixture
def look(api):
    """A page of the served Filmloop, in a language."""

    def page(path, language="en"):
        return Page(api.get(path, headers={"Accept-Language": language}))

    return page


@pytest.fixture
def campaign(api, sessions, settings):
    return Campaign(api, sessions, settings, PROBLEM, truth)


def changed(api, campaign, problem, key="one"):
    """Change the configuration that is in force."""
    path = f"/v1/campaigns/{campaign.id}"
    headers = {"If-Match": api.get(path).headers["ETag"], "Idempotency-Key": key}
    return api.client.patch(path, json={"problem": problem}, headers=headers)


def refused(api, **others):
    answer = api.post("/v1/campaigns", json={"name": "tec", "problem": PROBLEM | others})
    assert answer.status_code == 422, answer.text
    return answer.json()["errors"]


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        (TEC | {"target": None}, "objective 'tec': direction 'match' needs a target"),
        (TEC | {"direction": "minimise"}, "target 12 is for direction 'match', the direction is 'minimise'"),
        (TEC | {"tolerance": -1.0}, "greater than or equal to 0"),
        (TEC | {"reference": 12.2}, "reference 12.2 lies within the tolerance 0.5 of target 12"),
    ],
)
def test_half_a_target_is_refused_with_its_place(api, objective, message):
    (error,) = refused(api, objectives=[objective])
    assert message in error["message"]
    assert error["pointer"].startswith("/problem/objectives/0")


def test_a_policy_that_cannot_seek_a_target_is_refused_when_made_and_when_changed(api, campaign):
    policy = {"name": "knowledge_gradient"}
    wanted = "is to match 12 ± 0.5 ppm/K, and policy 'knowledge_gradient' takes no target; these do: auto,"
    (error,) = refused(api, policy=policy)
    assert f"objective 'tec' {wanted}" in error["message"]
    answer = changed(api, campaign, {"policy": policy})
    assert answer.status_code == 422
    assert wanted in answer.json()["errors"][0]["message"]
    answer = api.post("/v1/campaigns", json={"name": "tec", "problem": PROBLEM | {"policy": {"name": "auto"}}})
    assert answer.status_code == 201


def test_films_answers_and_pages_all_say_the_target(api, campaign, look):
    for _ in range(4):
        campaign.decide()
        proposal = campaign.make()
    campaign.decide()
    assert proposal["source"] == "model"
    assert f"towards {SAID}" in proposal["reason"]

    told = campaign.get(f"/v1/campaigns/{campaign.id}/recommendation")
    assert (told["target"], told["tolerance"]) == (TARGET, TOLERANCE)
    assert abs(told["mean"] - TARGET) < 2.0 * TOLERANCE
    assert 0.0 < told["chance_within_tolerance"] <= 1.0
    assert all(0.0 <= rival["chance_within_tolerance"] <= 1.0 for rival in told["rivals"])
    assert campaign.get(f"/v1/campaigns/{campaign.id}/stop-advice")["unit"] == "ppm/K"
    stored = campaign.get(f"/v1/campaigns/{campaign.id}")["problem"]
    assert stored["objectives"] == [{**TEC, "reference": None}]
    assert Problem.model_validate(stored) == Problem.model_validate(PROBLEM)

    page = look(f"/campaigns/{campaign.id}")
    assert f"tec expected, target {SAID}" in page.html
    assert f"Target {SAID}" in page.html
    assert "Chance to be within it" in page.html
    read = readings(campaign)
    nearest = [min(values, key=lambda v: abs(v - TARGET)) for values in read]
    table = [row for row in page.rows if row and row[0] in {"1", "2", "3", "4"}]
    assert [float(row[2]) for row in table] == pytest.approx(nearest, rel=1e-3)
    assert len(page.marks("target", page.drawing("progress"))) == 2  # the line and its sign in the legend
    assert f"as near as possible to {SAID}" in look(f"/campaigns/{campaign.id}/configuration").html
    assert f"target {SAID}".lower() in look("/").html.lower()
    japanese = look(f"/campaigns/{campaign.id}", "ja").html
    assert f"tec の予測値（目標 {SAID}）" in japanese
    assert f"目標値 {SAID} に向けて" in japanese
    assert "improvement" in look(f"/campaigns/{campaign.id}/space?show=improvement").html
    assert look(f"/campaigns/{campaign.id}/space/triangle?show=improvement").marks("on-target") == []
    drawn = look(f"/campaigns/{campaign.id}/space/triangle")
    assert len(drawn.marks("on-target")) == 4  # the target, both ends of the tolerance, and the sign in the legend
    assert f"Target {SAID}" in drawn.html
    assert look(f"/films/{campaign.films[0]}").marks("target")


def test_the_command_line_says_the_target(api, campaign, monkeypatch):
    monkeypatch.setenv("FILMLOOP_URL", str(api.client.base_url))
    monkeypatch.setenv("FILMLOOP_KEY", KEY)
    told = CliRunner().invoke(main, ["campaign", "show", campaign.id]).output
    assert "match tec to 12 ± 0.5 (ppm/K) in Fe-Ni-Co" in told


def readings(campaign):
    """By film, in the order in which they were made."""
    rows = campaign.get(f"/v1/campaigns/{campaign.id}/dataset")["rows"]
    return [[r["value"] for r in rows if r["film_id"] == film] for film in campaign.films]


def test_beside_another_objective_a_target_has_trade_offs(api, sessions, settings, look):
    two = PROBLEM | {
        "objectives": [{"property": "magnetisation", "unit": "T"}, TEC],
        "policy": {"name": "hypervolume_improvement", **QUICK},
    }
    campaign = Campaign(api, sessions, settings, two, lambda x: {**truth(x), "magnetisation": ("T", 2.0 * x["Fe"])})
    for _ in range(3):
        campaign.decide()
        proposal = campaign.make()
    campaign.decide()
    assert "tec within " in proposal["reason"]
    told = campaign.get(f"/v1/campaigns/{campaign.id}/pareto")
    assert told["points"]
    assert told["reference"][1]["value"] > TARGET + TOLERANCE
    page = look(f"/campaigns/{campaign.id}/pareto")
    assert f"tec, the nearer to {SAID} the better (ppm/K)" in page.html
    assert len(page.marks("target", page.drawing("pareto"))) == 2
    assert f"目標値 {SAID} に近いほど良い" in look(f"/campaigns/{campaign.id}/pareto", "ja").html


def test_a_target_may_be_named_and_given_up_later(api, campaign):
    """Readings stay what they are: only what is made of them changes, however they were modelled before."""
    campaign.decide()
    campaign.make()
    campaign.decide()
    before = readings(campaign)
    for objective in ({"property": "tec", "unit": "ppm/K", "direction": "minimise"}, TEC | {"target": 2.0}):
        answer = changed(api, campaign, {"objectives": [objective]}, key=objective["direction"])
        assert answer.status_code == 200, answer.text
        assert readings(campaign)[: len(before)] == before
        within(campaign, before)  # by the model of the earlier direction
        campaign.decide()
        within(campaign, before)  # by one of its own
        campaign.make()
        campaign.decide()


def within(campaign, read):
    """What is recommended is expected to read like what was read: with its own sign."""
    told = campaign.get(f"/v1/campaigns/{campaign.id}/recommendation")
    values = [value for film in read for value in film]
    assert min(values) - 8.0 < told["mean"] < max(values) + 8.0, told
    assert min(values) > 0.0
