"""What a researcher asks for through the client: the request on the wire and the typed answer."""

import pytest
from pydantic import ValidationError

from filmloop_client import Client, Reading
from tests.unit.client.scripted_server import Answer

CAMPAIGN = {"id": "cmp_1", "name": "n", "state": "active", "problem": {}}
NUMBERS = {"mean": [1.0], "latent_sd": [0.3], "noise_sd": [0.4], "film_effect_sd": [0.0], "reading_sd": [0.5]}
PREDICTIONS = {
    "model_version_id": "mdl_1",
    "campaign_id": "cmp_1",
    "revision": 3,
    "points": [{"Fe": 1.0}],
    "feasible": [True],
    "properties": [{"property": "m", "unit": "T", **NUMBERS}],
}
BEST = {
    "composition": {"Fe": 1.0},
    "process": {"anneal_c": 450.0},
    "mean": 1.0,
    "sd": 0.3,
    "chance_within_limits": 1.0,
    "probability_best": 0.5,
}
LINEAGE = {"model_version_id": "mdl_1", "revision": 3, "stale": True}


@pytest.fixture
def campaign(server):
    def ask(*answers):
        server.answers = [Answer(200, CAMPAIGN), *(Answer(200, body) for body in answers)]
        return client.campaigns.get("cmp_1")

    with Client(server.url) as client:
        yield ask


def test_predictions_are_asked_for_in_three_ways(server, campaign):
    asking = campaign(PREDICTIONS)
    found = asking.predict([{"Fe": 1.0}], process={"anneal_c": 450.0})
    assert found.properties[0].reading_sd == [0.5]
    asking.predict(grid=20, model_version_id="mdl_1")
    asking.predict(line=({"Fe": 1.0}, {"Ga": 1.0}, 9))
    first, second, third = server.asked[1:]
    assert first.path == third.path == "/v1/campaigns/cmp_1/predictions"
    assert second.path == "/v1/model-versions/mdl_1/predictions"
    assert first.body == {"compositions": [{"Fe": 1.0}], "process": {"anneal_c": 450.0}}
    assert second.body == {"grid": {"divisions": 20}, "process": None}
    assert third.body == {"line": {"a": {"Fe": 1.0}, "b": {"Ga": 1.0}, "points": 9}, "process": None}


def test_recommendation_and_front_are_typed(campaign):
    said = {"property": "m", "unit": "T", "distance_to_measured": 0.02, "rivals": [BEST]}
    point = {"composition": {"Fe": 1.0}, "values": [{"property": "m", "mean": 1.0, "sd": 0.3}]}
    front = {
        "points": [point | {"probability_on_front": 0.5, "distance_to_measured": 0.0}],
        "reference": [{"property": "m", "unit": "T", "value": 0.0}],
        "hypervolume_measured": {"mean": 2.0, "sd": 0.1},
        "hypervolume_believed": {"mean": 3.0, "sd": 0.2},
    }
    asking = campaign(BEST | LINEAGE | said, front | LINEAGE)
    found = asking.recommendation()
    assert (found.probability_best, found.rivals[0].sd, found.stale) == (0.5, 0.3, True)
    seen = asking.pareto()
    assert (seen.hypervolume_believed.sd, seen.points[0].values[0].mean) == (0.2, 1.0)


def test_stop_advice_states_only_what_was_given(server, campaign):
    said = {"advice": "go on", "why": "because", "history": [{"revision": 1, "films": 2, "expected_gain": 0.5}]}
    asking = campaign(said)
    assert asking.stop_advice().history[0].expected_gain == 0.5
    asking.stop_advice(patience=2, resolution=0.1)
    assert [a.path for a in server.asked[1:]] == [
        "/v1/campaigns/cmp_1/stop-advice",
        "/v1/campaigns/cmp_1/stop-advice?patience=2&resolution=0.1",
    ]


def test_calibration_is_read_page_by_page(campaign):
    def version(n):
        return {"model_version_id": f"mdl_{n}", "revision": n, "properties": [{"property": "m", "unit": "T"}]}

    asking = campaign({"items": [version(1)], "next": "mdl_1"}, {"items": [version(2)], "next": None})
    assert [c.revision for c in asking.calibration()] == [1, 2]


def test_saturated_and_repeated_readings_on_the_wire(server, campaign):
    receipt = {"id": "bat_1", "campaign_id": "cmp_1", "instrument": "squid", "revision": 4, "accepted": 2}
    row = {"film_id": "f", "property": "m", "unit": "V"}
    campaign(receipt).instrument("squid").measure(
        [
            Reading(device=0, value=10.0, status="above_limit", **row),
            Reading(device=1, value=7.0, std_uncertainty=0.1, replicates=5, **row),
        ]
    )
    first, second = server.asked[1].body["measurements"]
    assert (first["status"], "replicates" in first) == ("above_limit", False)
    assert (second["replicates"], second["std_uncertainty"]) == (5, 0.1)


@pytest.mark.parametrize("wrong", [{"replicates": 3}, {"replicates": 1, "std_uncertainty": 1.0}])
def test_replicates_without_a_scatter_are_refused_here(wrong):
    with pytest.raises(ValidationError):
        Reading(film_id="f", device=0, property="m", unit="V", value=1.0, **wrong)
