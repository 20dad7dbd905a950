"""Predictions over HTTP: what a stored model believes, computed by a process that has no torch."""

import numpy as np
import pytest
from sqlalchemy import insert

from models.checkpoint import to_bytes
from models.dataset import Dataset
from models.problem import Problem
from models.train import train
from service.store import artifacts
from service.store.tables import ArtifactRow, ModelVersionRow
from tests.integration.conftest import PROBLEM

MINIMISE = PROBLEM | {"objectives": [{"property": "magnetisation", "unit": "emu/cm3", "direction": "minimise"}]}
FE, GA, PD = ({e: 1.0} for e in ("Fe", "Ga", "Pd"))


def data(rng: np.random.Generator) -> Dataset:
    """Readings of 4 films of 5 devices at two temperatures; the property falls towards Fe and with temperature."""
    ends = rng.dirichlet(np.ones(3), size=(4, 2))
    x = np.vstack([np.linspace(0, 1, 5)[:, None] * (b - a) + a for a, b in ends])
    t = np.repeat([[0.2], [0.8], [0.2], [0.8]], 5, axis=0)
    y = 100.0 - 50.0 * x[:, :1] - 20.0 * t + rng.normal(0, 0.5, (20, 1))
    films = np.repeat([f"film {k}" for k in range(4)], 5)
    dead = np.arange(20) % 7 == 6
    y[dead] = np.nan
    return Dataset(np.hstack([x, t]), y, np.full((20, 1), np.nan), films, np.arange(20.0), dead=dead)


@pytest.fixture(scope="module")
def bundle():
    return train(Problem.model_validate(MINIMISE), data(np.random.default_rng(3)), seed=1)


@pytest.fixture
def campaign(lab):
    return lab.campaign(problem=MINIMISE)


@pytest.fixture
def model(lab, settings, campaign, bundle):
    """Id of a model version whose bytes are in the artifact store."""
    stored = artifacts.store(settings.artifacts_dir, to_bytes(bundle))
    row = {
        "id": "mdl_1",
        "campaign_id": campaign,
        "job_id": lab.proposal(campaign).replace("prp_", "job_"),
        "artifact_sha256": stored.sha256,
        "kind": "surrogate",
        "name": "film_gp",
        "revision": 0,
        "snapshot_hash": "0" * 64,
        "seed": 1,
        "metrics": {},
        "versions": {},
    }
    with lab.sessions.begin() as session:
        session.execute(insert(ArtifactRow).values(sha256=stored.sha256, size=stored.size))
        session.execute(insert(ModelVersionRow).values(row))
    return row["id"]


def ask(api, where, **body):
    return api.client.post(f"/v1/{where}/predictions", json=body)


def test_listed_compositions_are_predicted_as_the_model_does(api, campaign, model, bundle):
    points = [FE, {"Ga": 0.25, "Pd": 0.75}]
    answer = ask(api, f"model-versions/{model}", compositions=points, process={"anneal_c": 300.0})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    (said,) = body["properties"]
    X = np.array([[1.0, 0.0, 0.0, 0.2], [0.0, 0.25, 0.75, 0.2]])
    mean, sd = bundle.predict(Problem.model_validate(MINIMISE), X)
    np.testing.assert_allclose(said["mean"], mean[:, 0], rtol=1e-9)
    np.testing.assert_allclose(said["latent_sd"], sd[:, 0], rtol=1e-6)
    parts = np.array([said[f"{part}_sd"] for part in ("latent", "noise", "film_effect")])
    np.testing.assert_allclose(said["reading_sd"], np.sqrt((parts**2).sum(0)))
    assert said["mean"][0] < said["mean"][1]  # in the property's own direction, though it is to be small
    assert (said["property"], said["unit"]) == ("magnetisation", "emu/cm3")
    assert (body["campaign_id"], body["model_version_id"], body["revision"]) == (campaign, model, 0)
    assert body["process"] == {"anneal_c": 300.0}
    assert body["points"][1] == {"Fe": 0.0, "Ga": 0.25, "Pd": 0.75}
    assert body["feasible"] == [True, True]
    assert all(0.5 < works < 1.0 for works in body["works"])  # 2 of 20 devices are dead


def test_a_grid_and_a_line_by_the_newest_model_at_mid_process(api, campaign, model):
    grid = ask(api, f"campaigns/{campaign}", grid={"divisions": 4}).json()
    assert len(grid["points"]) == 15
    assert grid["process"] == {"anneal_c": 450.0}
    line = ask(api, f"campaigns/{campaign}", line={"a": FE, "b": PD, "points": 3}).json()
    assert [p["Pd"] for p in line["points"]] == [0.0, 0.5, 1.0]
    middle = grid["points"].index({"Fe": 0.5, "Ga": 0.0, "Pd": 0.5})
    assert line["properties"][0]["mean"][1] == pytest.approx(grid["properties"][0]["mean"][middle])


def test_a_grid_keeps_to_the_rules_and_a_point_beyond_them_is_marked(api, lab, settings, campaign, model):
    problem = {**MINIMISE, "space": MINIMISE["space"] | {"bounds": [{"element": "Fe", "lower": 0.5}]}}
    narrower = lab.campaign(problem=problem)
    with lab.sessions.begin() as session:
        session.get_one(ModelVersionRow, model).campaign_id = narrower
    grid = ask(api, f"model-versions/{model}", grid={"divisions": 4}).json()
    assert [p["Fe"] >= 0.5 for p in grid["points"]] == [True] * 6
    assert ask(api, f"model-versions/{model}", compositions=[GA, FE]).json()["feasible"] == [False, True]


BAD = {
    "nothing": ({}, "", ["exactly one", "none"]),
    "two things": ({"grid": {"divisions": 4}, "compositions": [FE]}, "", ["compositions and grid"]),
    "foreign element": ({"compositions": [FE, {"Cu": 1.0}]}, "/compositions/1", ["Cu", "Fe, Ga, Pd"]),
    "sum below 1": ({"compositions": [FE, {"Fe": 0.5, "Ga": 0.4}]}, "/compositions/1", ["sum to 1", "0.9"]),
    "fraction above 1": ({"compositions": [{"Fe": 1.5}]}, "/compositions/0/Fe", ["equal to 1", "1.5"]),
    "no composition": ({"compositions": []}, "/compositions", ["at least 1", "0"]),
    "too many": ({"compositions": [FE] * 5001}, "/compositions", ["5000", "5001"]),
    "grid too fine": ({"grid": {"divisions": 120}}, "/grid/divisions", ["7381", "5000"]),
    "grid far too fine": ({"grid": {"divisions": 1000}}, "/grid/divisions", ["501501", "100000"]),
    "grid of none": ({"grid": {"divisions": 0}}, "/grid/divisions", ["equal to 1", "0"]),
    "line of one": ({"line": {"a": FE, "b": PD, "points": 1}}, "/line/points", ["equal to 2", "1"]),
    "line to nowhere": ({"line": {"a": FE, "b": {"Pd": 0.4}, "points": 9}}, "/line/b", ["sum to 1", "0.4"]),
    "unknown process": ({"compositions": [FE], "process": {"bias": 1.0}}, "/process", ["bias", "anneal_c"]),
    "process too hot": ({"compositions": [FE], "process": {"anneal_c": 900.0}}, "/process", ["900", "700"]),
    "unknown field": ({"compositions": [FE], "colour": 1}, "/colour", ["not permitted"]),
}


def test_what_cannot_be_predicted_is_named_with_value_and_bound(api, lab, campaign, model):
    before = lab.rows_by_table()
    for name, (body, pointer, named) in BAD.items():
        answer = ask(api, f"campaigns/{campaign}", **body)
        assert answer.status_code == 422, (name, answer.text)
        problem = answer.json()
        assert problem["errors"][0]["pointer"] == pointer, name
        said = problem["detail"] + problem["errors"][0]["message"]
        assert all(word in said for word in named), (name, said)
    assert lab.rows_by_table() == before


def test_without_a_model_there_is_nothing_to_predict_with(api, lab, campaign):
    for where, named in (
        (f"campaigns/{campaign}", f"no trained model yet in campaign '{campaign}'"),
        ("campaigns/cmp_nowhere", "cmp_nowhere"),
        ("model-versions/mdl_nowhere", "mdl_nowhere"),
    ):
        answer = ask(api, where, compositions=[FE])
        assert answer.status_code == 404
        assert named in answer.json()["detail"]


def test_a_damaged_model_is_reported_and_harms_nothing_else(api, lab, settings, campaign, model):
    for file in settings.artifacts_dir.rglob("*"):
        if file.is_file():
            file.write_bytes(b"flipped")
    answer = ask(api, f"model-versions/{model}", compositions=[FE])
    assert (answer.status_code, answer.json()["type"]) == (500, "urn:filmloop:problem:artifact-damaged")
    assert api.get(f"/v1/model-versions/{model}").status_code == 200


def test_every_property_is_told_in_its_own_direction_and_unit(api, lab, settings, model):
    objectives = [*MINIMISE["objectives"], {"property": "hardness", "unit": "GPa"}]
    outcomes = [{"property": "roughness", "unit": "nm", "upper": 5.0}]
    problem = MINIMISE | {"objectives": objectives, "outcomes": outcomes, "policy": {"name": "hypervolume_improvement"}}
    one = data(np.random.default_rng(3))
    Y = np.hstack([one.Y, 200.0 + one.Y, 0.05 * one.Y])
    three = Dataset(one.X, Y, np.full_like(Y, np.nan), one.films, one.times, dead=one.dead)
    trained = train(Problem.model_validate(problem), three, seed=1)
    stored = artifacts.store(settings.artifacts_dir, to_bytes(trained))
    several = lab.campaign(problem=problem)
    with lab.sessions.begin() as session:
        session.execute(insert(ArtifactRow).values(sha256=stored.sha256, size=stored.size))
        row = session.get_one(ModelVersionRow, model)
        row.campaign_id, row.artifact_sha256 = several, stored.sha256
    said = ask(api, f"campaigns/{several}", compositions=[FE]).json()["properties"]
    assert [(p["property"], p["unit"]) for p in said] == [
        ("magnetisation", "emu/cm3"),
        ("hardness", "GPa"),
        ("roughness", "nm"),
    ]
    # Pure Fe at mid temperature, by the truth of `data`: 100 - 50 - 20 / 2.
    for one_property, truth in zip(said, (40.0, 240.0, 2.0), strict=True):
        assert one_property["mean"][0] == pytest.approx(truth, abs=4.0 * one_property["reading_sd"][0])
    # Each in its own unit: the second is the first and 200, the third a twentieth of it.
    sd = [p["reading_sd"][0] for p in said]
    assert sd[0] < 0.25 * 40.0
    assert sd[1:] == pytest.approx([sd[0], 0.05 * sd[0]], rel=0.1)
