"""A campaign of two objectives and a limit, from its creation over HTTP to films chosen by the hypervolume they add."""

import numpy as np
import pytest

from service.store import jobs
from tests.integration.conftest import reading
from workers.decide import run

DEVICES = 3
PROBLEM = {
    "space": {"elements": ["Fe", "Ga", "Pd"]},
    "objectives": [
        {"property": "magnetisation", "unit": "emu/cm3"},
        {"property": "coercivity", "unit": "Oe", "direction": "minimise", "reference": 40.0},
    ],
    "outcomes": [{"property": "roughness", "unit": "nm", "upper": 3.0}],
    "film": {"devices": DEVICES},
    "policy": {"name": "hypervolume_improvement", "mc_samples": 16, "raw_films": 16, "restarts": 1},
}
UNITS = {"magnetisation": "emu/cm3", "coercivity": "Oe", "roughness": "nm"}


def truth(composition):
    """Every property of a composition: much iron is strong, some gallium is soft, palladium is rough."""
    fe, ga, pd = (composition[e] for e in ("Fe", "Ga", "Pd"))
    return {"magnetisation": 1700.0 * fe, "coercivity": 50.0 - 40.0 * ga, "roughness": 1.0 + 4.0 * pd}


@pytest.fixture
def campaign(api):
    created = api.post("/v1/campaigns", json={"name": "soft and strong", "problem": PROBLEM})
    assert created.status_code == 201, created.text
    assert api.post(f"{created.headers['Location']}/actions", json={"action": "activate"}).status_code == 200
    return created.json()["id"]


@pytest.fixture
def decide(sessions, settings, campaign):
    """Let a worker make the pending decision."""

    def made():
        with sessions() as session:
            (job,) = [job.id for job in jobs.live(session, campaign) if job.state == "pending"]
        assert run(sessions, settings, job, worker="worker")

    return made


def make(api, campaign):
    """Claim and make the film that is ready; returns its proposal and the film's id."""
    taken = api.post(f"/v1/campaigns/{campaign}/claims", json={"robot": "ada"})
    assert taken.status_code == 201, taken.text
    lease = taken.json()["lease"]
    token = {"Lease-Token": lease["token"]}
    film = api.post(f"/v1/leases/{lease['id']}/start", headers=token).json()["film_id"]
    done = api.post(f"/v1/leases/{lease['id']}/complete", json={"outcome": "ok"}, headers=token)
    assert done.status_code == 200, done.text
    return taken.json()["proposal"], film


def read(api, campaign, proposal, film, *properties, devices=range(DEVICES)):
    rows = [
        reading(
            film, k, property=name, unit=UNITS[name], value=truth(proposal["film"]["devices"][k]["composition"])[name]
        )
        for k in devices
        for name in properties
    ]
    answer = api.measure(campaign, rows)
    assert answer.status_code == 201, answer.text


def state(api, film):
    return api.get(f"/v1/films/{film}").json()["state"]


def test_a_film_is_measured_when_every_property_of_every_device_is_read_or_it_is_dead(api, campaign, decide):
    decide()
    proposal, film = make(api, campaign)
    read(api, campaign, proposal, film, "magnetisation", "coercivity")
    assert state(api, film) == "made"
    read(api, campaign, proposal, film, "roughness", devices=[0, 1])
    assert state(api, film) == "made"
    api.measure(
        campaign, [reading(film, 2, property="roughness", unit="nm", value=None, status="dead", std_uncertainty=...)]
    )
    assert state(api, film) == "measured"
    types = [e["type"] for e in api.get(f"/v1/campaigns/{campaign}/events").json()["items"]]
    assert types.count("film.measured") == 1


def test_units_and_names_are_those_of_each_property(api, campaign, decide):
    decide()
    _, film = make(api, campaign)
    wrong = [
        reading(film, 0, property="coercivity", unit="nm"),
        reading(film, 1, property="hardness", unit="GPa"),
    ]
    answer = api.measure(campaign, wrong)
    assert answer.status_code == 422
    assert [e["message"] for e in answer.json()["errors"]] == [
        "unit 'nm' is not of the dimension of 'Oe', the campaign's unit of 'coercivity'",
        "property 'hardness' is not one of the campaign's: 'magnetisation', 'coercivity', 'roughness'",
    ]


def test_films_are_chosen_by_the_hypervolume_they_add_and_the_trade_offs_are_told(api, campaign, decide):
    for _ in range(2):
        decide()
        proposal, film = make(api, campaign)
        assert proposal["source"] == "space_filling"
        read(api, campaign, proposal, film, *UNITS)
    decide()
    proposal, _ = make(api, campaign)
    assert proposal["source"] == "model"
    assert proposal["provenance"]["policy"] == "hypervolume_improvement"
    assert proposal["gain"] >= 0.0
    assert "coercivity below 40 Oe" in proposal["reason"]
    assert "roughness kept within limits" in proposal["reason"]
    for device in proposal["film"]["devices"]:
        assert set(device["predicted"]) == set(UNITS)
        assert all(p["sd"] > 0.0 for p in device["predicted"].values())
    told = api.get(f"/v1/campaigns/{campaign}/pareto").json()
    assert [(r["property"], r["inferred"]) for r in told["reference"]] == [
        ("magnetisation", True),
        ("coercivity", False),
    ]
    assert told["hypervolume_unit"] == "emu/cm3 x Oe"
    assert told["hypervolume_believed"]["mean"] >= told["hypervolume_measured"]["mean"] > 0.0
    means = np.array([[v["mean"] for v in p["values"][:2]] for p in told["points"]])
    assert (np.diff(means[:, 0]) <= 0.0).all()
    assert (np.diff(means[:, 1]) <= 0.0).all()  # along the front less magnetisation buys less coercivity
    version = api.get(f"/v1/campaigns/{campaign}/model-versions").json()["items"][-1]
    assert [o["readings"] for o in version["metrics"]["objectives"]] == [2 * DEVICES] * 3
    drawn = api.get(f"/v1/model-versions/{version['id']}/posterior").json()
    assert set(drawn["properties"]) == set(UNITS)
    assert len(drawn["properties"]["roughness"]["mean"]) == len(drawn["points"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"policy": {"name": "expected_improvement"}}, "serves 1 objectives, the problem has 2"),
        ({"outcomes": [{"property": "roughness", "unit": "nm"}]}, "has neither a lower nor an upper limit"),
        ({"outcomes": [{"property": "coercivity", "unit": "Oe", "upper": 3.0}]}, "coercivity is named more often"),
    ],
)
def test_a_problem_that_does_not_hang_together_is_refused(api, change, said):
    refused = api.post("/v1/campaigns", json={"name": "wrong", "problem": PROBLEM | change})
    assert refused.status_code == 422
    assert said in refused.text
