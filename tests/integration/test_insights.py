"""What a researcher asks of a campaign over HTTP: recommendation, trade-offs, calibration, when to stop."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.faults.loop import Advice
from models.dataset import Dataset
from service.operations.decisions import ModelRecord, explain_decision, publish_decision, store_artifact
from service.operations.refill import request_decision

BEST = {
    "composition": {"Fe": 0.7, "Ga": 0.2, "Pd": 0.1},
    "process": {"anneal_c": 450.0, "substrate": "Si"},
    "mean": 3.5,
    "sd": 0.25,
    "chance_within_limits": 1.0,
    "probability_best": 0.75,
}
RECOMMENDED = BEST | {
    "property": "magnetisation",
    "unit": "emu/cm3",
    "distance_to_measured": 0.02,
    "nearest_measured": {"Fe": 0.7, "Ga": 0.22, "Pd": 0.08},
    "rivals": [BEST | {"probability_best": 0.25}],
}
VOLUME = {"mean": 2.0, "sd": 0.1}
FRONT = {
    "points": [
        {
            "composition": BEST["composition"],
            "process": BEST["process"],
            "values": [{"property": "magnetisation", "mean": 3.5, "sd": 0.25}],
            "chance_within_limits": 0.9,
            "probability_on_front": 0.5,
            "distance_to_measured": 0.0,
        }
    ],
    "reference": [{"property": "magnetisation", "unit": "emu/cm3", "value": 0.0, "inferred": True}],
    "hypervolume_measured": VOLUME,
    "hypervolume_believed": VOLUME | {"mean": 3.0},
    "hypervolume_unit": "emu/cm3 x GPa",
}
HELD_OUT = {"coverage_50": 0.5, "coverage_90": 0.875, "coverage_95": 1.0, "log_density": -0.25}
METRICS = {
    "objectives": [
        {"readings": 6, "films": 2, "noise_sd": 0.5, "film_effect_sd": 0.25, "leave_film_out": HELD_OUT},
    ]
}


class Lab:
    """Decisions by hand: the model says what the test wants it to say."""

    def __init__(self, loop, folder):
        self.loop, self.folder, self.campaign = loop, folder, loop.campaign(films=9)
        self._films = 0

    def model(self, **said):
        """A model record; every one has bytes of its own."""
        posterior = {"points": [], "mean": [], "sd": [], "best": {"composition": {}, "mean": 3.5, "sd": 0.25}}
        artifact = store_artifact(self.folder, f"weights {self._films}".encode())
        given = {"posterior": posterior, "metrics": METRICS} | said
        return ModelRecord(name="film_gp", seed=1, versions={}, artifact=artifact, **given)

    def decide(self, gain, *, insights=None, policy="expected_improvement", **more):
        """Publish a decision whose film is expected to gain `gain`, and what its model answers."""
        with self.loop.sessions.begin() as session:
            request_decision(session, self.campaign, 0)
        decision, model = self.loop.take(self.campaign), self.model()
        (film,) = self.loop.advice(1)
        advice = Advice(film.film, gain=gain, policy=policy, source="model", **more)
        assert publish_decision(self.loop.sessions, decision, model, [advice])
        if insights is not None:
            return explain_decision(self.loop.sessions, decision, model.artifact, lambda: insights)
        return None

    def measure(self, api):
        """Make the proposed film and read all of it."""
        self._films += 1
        lease = api.post(f"/v1/campaigns/{self.campaign}/claims", json={"robot": "r"}).json()["lease"]
        token = {"Lease-Token": lease["token"]}
        film = api.post(f"/v1/leases/{lease['id']}/start", headers=token).json()["film_id"]
        api.post(f"/v1/leases/{lease['id']}/complete", json={"outcome": "ok"}, headers=token)
        at = {"film_id": film, "property": "magnetisation", "unit": "emu/cm3", "measured_at": "2026-03-01T12:00:00Z"}
        rows = [{**at, "device": k, "value": float(k)} for k in range(self.loop.DEVICES)]
        assert api.measure(self.campaign, rows).status_code == 201

    def ask(self, api, noun):
        return api.get(f"/v1/campaigns/{self.campaign}/{noun}")


@pytest.fixture
def campaign(loop, tmp_path):
    return Lab(loop, tmp_path)


def test_before_the_first_model_nothing_is_known_and_that_is_said(api, campaign):
    for noun, named in (("recommendation", "no model yet"), ("pareto", "one objective has a recommendation")):
        answer = campaign.ask(api, noun)
        assert answer.status_code == 404
        assert named in answer.json()["detail"]
    assert campaign.ask(api, "calibration").json() == {"items": [], "next": None}
    advice = campaign.ask(api, "stop-advice").json()
    assert (advice["advice"], advice["history"], advice["films_left"]) == ("go on", [], 9)
    for noun in ("recommendation", "pareto", "calibration", "stop-advice"):
        assert api.get(f"/v1/campaigns/cmp_nowhere/{noun}").status_code == 404


def test_the_recommendation_is_the_newest_there_is_and_says_when_it_is_behind(api, campaign):
    assert campaign.decide(1.0, insights={"recommendation": RECOMMENDED})
    body = campaign.ask(api, "recommendation").json()
    plain = {"chance_within_tolerance": None}  # it was stored before there were targets
    assert {k: body[k] for k in RECOMMENDED} == RECOMMENDED | {"rivals": [r | plain for r in RECOMMENDED["rivals"]]}
    assert (body["target"], body["tolerance"], body["chance_within_tolerance"]) == (None, None, None)
    assert (body["campaign_id"], body["revision"], body["stale"]) == (campaign.campaign, 0, False)
    campaign.measure(api)
    campaign.decide(1.0)  # its worker died before it could answer
    body = campaign.ask(api, "recommendation").json()
    assert (body["revision"], body["stale"]) == (0, True)


def test_a_model_is_explained_once(api, campaign):
    assert campaign.decide(1.0, insights={"recommendation": RECOMMENDED | {"mean": 3.75}})
    assert campaign.ask(api, "stop-advice").json()["history"][-1]["best_mean"] == 3.75
    assert not campaign.decide(1.0, insights={"recommendation": RECOMMENDED | {"mean": 9.0}})
    assert campaign.ask(api, "recommendation").json()["mean"] == 3.75
    assert [s["best_mean"] for s in campaign.ask(api, "stop-advice").json()["history"]] == [3.75, 3.75]


def test_the_front_comes_with_its_hypervolume(api, campaign):
    assert campaign.decide(1.0, insights={"pareto": FRONT})
    body = campaign.ask(api, "pareto").json()
    assert {k: body[k] for k in FRONT} == FRONT


def test_calibration_is_told_version_by_version(api, campaign):
    for _ in range(3):
        campaign.decide(1.0)
        campaign.measure(api)
    first = api.get(f"/v1/campaigns/{campaign.campaign}/calibration?limit=2").json()
    rest = api.get(f"/v1/campaigns/{campaign.campaign}/calibration?after={first['next']}").json()
    items = first["items"] + rest["items"]
    assert [c["revision"] for c in items] == [0, 1, 2]
    assert items[0]["properties"] == [{"property": "magnetisation", "unit": "emu/cm3", **METRICS["objectives"][0]}]


def test_stop_advice_follows_the_gains_and_tells_its_history(api, campaign):
    for gain in (2.0, 0.4, 0.3, 0.3):
        campaign.decide(gain, cost=1.5)
        campaign.measure(api)
    body = campaign.ask(api, "stop-advice").json()
    assert (body["advice"], body["resolution"], body["quiet_films"]) == ("consider stopping", 0.5, 3)
    assert (body["unit"], body["films_left"]) == ("emu/cm3", 5)
    assert "0.3 emu/cm3" in body["why"]
    assert [s["expected_gain"] for s in body["history"]] == [2.0, 0.4, 0.3, 0.3]
    assert [(s["films"], s["readings"], s["revision"]) for s in body["history"]] == [(k, 3 * k, k) for k in range(4)]
    last = body["history"][-1]
    assert (last["noise_sd"], last["film_effect_sd"], last["best_mean"], last["best_sd"]) == (0.5, 0.25, 3.5, 0.25)
    assert (last["cost"], last["policy"], last["source"], last["pending"]) == (1.5, "expected_improvement", "model", 0)
    path = "stop-advice?resolution=0.1&patience=2&limit=2"
    assert campaign.ask(api, path).json()["advice"] == "go on"
    assert len(campaign.ask(api, path).json()["history"]) == 2
    assert campaign.ask(api, "stop-advice?worth=0.3&patience=3").json()["advice"] == "stop"


def test_a_known_uncertainty_is_the_noise_that_counts(api, campaign):
    decision = campaign.loop.take(campaign.campaign)
    nothing = np.zeros(2)
    read = Dataset(np.zeros((2, 6)), np.ones((2, 1)), np.full((2, 1), 0.04), np.array(["f", "f"]), nothing)
    (film,) = campaign.loop.advice(1)
    advice = Advice(film.film, gain=1.0, policy="knowledge_gradient", source="model")
    assert publish_decision(campaign.loop.sessions, replace(decision, dataset=read), campaign.model(), [advice])
    assert campaign.ask(api, "stop-advice").json()["history"][-1]["noise_sd"] == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("query", "parameter"),
    [("patience=0", "patience"), ("resolution=-1", "resolution"), ("worth=nan", "worth"), ("colour=1", "colour")],
)
def test_an_option_that_means_nothing_is_named(api, campaign, query, parameter):
    answer = campaign.ask(api, f"stop-advice?{query}")
    assert answer.status_code == 422
    assert [e["parameter"] for e in answer.json()["errors"]] == [parameter]


def test_a_proposal_tells_pairs_commands_and_cost(api, campaign):
    class Score:
        pair, gain = ("Fe", "Ga"), 0.75

    campaign.decide(1.0, pairs=(Score(),), cost=2.5)
    shown = api.get(f"/v1/campaigns/{campaign.campaign}/proposals/next").json()
    assert (shown["pairs"], shown["cost"]) == ([{"pair": ["Fe", "Ga"], "gain": 0.75}], 2.5)
    assert shown["film"]["commands"] is None
