"""What every proposal carries of where it came from: all that is needed to compute it again."""

import json

import numpy as np
import pytest

from models.film import Film
from models.problem import Problem
from service.operations.decision_records import FlightReference, Making, read_flight, written_flight
from service.operations.decisions import ModelRecord, publish_decision, store_artifact
from service.operations.recommendations import MadeFilm
from service.operations.refill import request_decision

LISTED = {
    "config_revision",
    "revision",
    "snapshot_hash",
    "model_version_id",
    "policy",
    "policy_options",
    "seed",
    "pending",
    "decision_id",
    "code_version",
    "versions",
}


def start(api, campaign, robot):
    lease = api.post(f"/v1/campaigns/{campaign}/claims", json={"robot": robot}).json()["lease"]
    token = {"Lease-Token": lease["token"]}
    return lease, token, api.post(f"/v1/leases/{lease['id']}/start", headers=token).json()["film_id"]


def test_a_proposal_says_what_it_was_computed_from(api, loop):
    campaign = loop.campaign()
    loop.decide(campaign)
    lease, token, film = start(api, campaign, "ada")
    made = [{"Fe": 0.2, "Ga": 0.3, "Pd": 0.5}, {"Fe": 0.25, "Ga": 0.25, "Pd": 0.5}, {"Fe": 0.1, "Ga": 0.4, "Pd": 0.5}]
    api.post(f"/v1/leases/{lease['id']}/complete", json={"outcome": "ok", "compositions": made}, headers=token)
    row = {"film_id": film, "property": "magnetisation", "unit": "emu/cm3", "measured_at": "2026-03-01T12:00:00Z"}
    assert api.measure(campaign, [{**row, "device": 1, "value": 2.0}]).status_code == 201
    decision = loop.take(campaign)
    making = Making(None, {"device": "cpu", "threads": "1", "processor": "x"})
    assert publish_decision(loop.sessions, decision, None, loop.advice(1), making)
    (shown,) = api.get(f"/v1/campaigns/{campaign}/proposals?state=ready").json()["items"]
    provenance = shown["provenance"]
    assert provenance.keys() >= LISTED
    assert {"torch", "botorch", "gpytorch", "filmloop"} <= provenance["versions"].keys()
    assert provenance["code_version"].startswith(f"{provenance['versions']['filmloop']}+")
    flight = {"proposal_id": lease["id"] and api.get(f"/v1/films/{film}").json()["proposal_id"], "film_id": film}
    assert provenance["pending"] == [{**flight, "devices": [0, 2]}]
    inputs = api.get(f"/v1/proposals/{shown['id']}/inputs").json()
    assert (inputs["seed"], inputs["left"], inputs["films_known"]) == (provenance["seed"], None, 1)
    assert inputs["environment"]["device"] == "cpu"
    assert inputs["pending"][0]["as_made"] == [made[0], made[2]]
    problem = Problem.model_validate(loop.problem())
    assert np.array_equal(read_flight(inputs["pending"][0], problem).points(), decision.pending[0].points())


def test_of_a_film_that_a_person_wanted_there_is_nothing_to_compute(api, loop):
    campaign = loop.campaign()
    wanted = {"a": {"Fe": 1.0}, "b": {"Ga": 1.0}, "process": {"anneal_c": 300.0, "substrate": "Si"}, "reason": "mine"}
    mine = api.post(f"/v1/campaigns/{campaign}/proposals", json=wanted).json()
    assert mine["provenance"]["decision_id"] is None
    assert api.get(f"/v1/proposals/{mine['id']}/inputs").status_code == 404


def test_a_model_version_says_which_one_its_training_began_from(api, loop, tmp_path):
    campaign, known = loop.campaign(), []
    for weights in (b"one", b"two"):
        with loop.sessions.begin() as session:
            request_decision(session, campaign, 0)
        decision = loop.take(campaign)
        began = None if decision.previous is None else decision.previous.id
        artifact = store_artifact(tmp_path, weights)
        model = ModelRecord("film_gp", 1, {}, {}, {"points": []}, artifact, started_from=began)
        assert publish_decision(loop.sessions, decision, model, loop.advice(1))
        known.append(began)
    first, second = api.get(f"/v1/campaigns/{campaign}/model-versions").json()["items"]
    assert (first["started_from_id"], second["started_from_id"]) == (None, first["id"])
    assert known == [None, first["id"]]


@pytest.mark.parametrize("made", [False, True])
def test_a_film_in_flight_is_kept_to_the_last_digit(loop, made):
    problem, random = Problem.model_validate(loop.problem()), np.random.default_rng(3)
    a, b = random.dirichlet(np.ones(3), 2)
    process, s = np.array([random.random(), 0.0, 1.0]), random.random(2)
    film = MadeFilm(a, b, process, s, random.dirichlet(np.ones(3), 2)) if made else Film(a, b, process, s)
    kept = json.loads(json.dumps(written_flight(FlightReference("prp_1", None, (0, 2)), film, problem)))
    assert np.array_equal(read_flight(kept, problem).points(), film.points())
