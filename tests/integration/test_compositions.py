"""Composition maps over HTTP: what an instrument found counts from its revision on, and never before."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from sqlalchemy import URL

from models.problem import Problem
from service.app import create_app
from service.settings import DatabaseSettings, Settings
from service.store import datasets
from tests.conftest import _database
from tests.integration.conftest import DEVICES, PROBLEM, Api, serving
from tests.integration.test_bad_input import check_problem

TIME = "2026-03-02T12:00:00Z"


@pytest.fixture(scope="module")
def database_url(server_url: URL, template: str) -> Iterator[str]:
    """One database for all of these tests; each has a campaign of its own."""
    with contextmanager(_database)(server_url, template) as url:
        yield url


@pytest.fixture(scope="module")
def api(database_url: str) -> Iterator[Api]:
    """One server for all of these tests."""
    with serving(create_app(Settings(database=DatabaseSettings(url=database_url)))) as client:
        yield Api(client)


def found(film, device, fractions, **said):
    row = {"film_id": film, "device": device, "fractions": fractions, "measured_at": TIME} | said
    return {k: v for k, v in row.items() if v is not ...}


def post(api, campaign, rows, key=None, **said):
    body = {"instrument": "edx", "compositions": rows} | said
    return api.post(f"/v1/campaigns/{campaign}/composition-maps", key, json=body)


def dataset(api, campaign, revision=None):
    query = "" if revision is None else f"?revision={revision}"
    return api.get(f"/v1/campaigns/{campaign}/dataset{query}")


def test_a_composition_as_measured_is_the_one_that_the_surrogate_learns_from(api, lab, reading):
    campaign = lab.campaign()
    film = lab.film(campaign)
    api.measure(campaign, [reading(film, k, uid=f"u{k}") for k in range(DEVICES)])
    before = dataset(api, campaign)
    rows = [found(film, k, {"Fe": 0.9 - 0.1 * k, "Ga": 0.1 * k, "Pd": 0.1}) for k in range(DEVICES)]
    answer = post(api, campaign, rows)
    assert answer.status_code == 201, answer.text
    receipt = answer.json()
    assert (receipt["revision"], receipt["accepted"], receipt["duplicates"]) == (2, DEVICES, 0)
    assert receipt["decision"]["wanted_revision"] == 2
    after = dataset(api, campaign)
    assert after.json()["rows"][1]["composition"] == pytest.approx({"Fe": 0.8, "Ga": 0.1, "Pd": 0.1})
    assert after.headers["etag"] != before.headers["etag"]
    assert dataset(api, campaign, 1).content == before.content
    with lab.sessions() as session:
        arrays = datasets.to_dataset(Problem.model_validate(PROBLEM), datasets.snapshot(session, campaign, 2))
    np.testing.assert_allclose(np.sort(arrays.X[:, 0]), np.arange(0.5, 0.91, 0.1), atol=1e-12)
    events = api.get(f"/v1/campaigns/{campaign}/events").json()["items"]
    assert [e["type"] for e in events] == ["batch.recorded", "film.measured", "compositions.recorded"]
    assert events[-1]["data"]["film_ids"] == [film]


def test_the_film_shows_what_was_found_beside_what_was_proposed(api, lab):
    campaign = lab.campaign()
    film = lab.film(campaign)
    row = found(film, ..., {"Fe": 60.4, "Ga": 20.2, "Pd": 20.0}, position=0.25, std_uncertainty={"Fe": 1.006})
    assert post(api, campaign, [row], unit="at.%").status_code == 201
    devices = api.get(f"/v1/films/{film}").json()["devices"]
    assert [d["measured"] is None for d in devices] == [True, False, True, True, True]
    measured = devices[1]["measured"]
    assert measured["composition"] == pytest.approx({"Fe": 60.4 / 100.6, "Ga": 20.2 / 100.6, "Pd": 20.0 / 100.6})
    assert sum(measured["composition"].values()) == pytest.approx(1.0, abs=1e-15)
    assert measured["std_uncertainty"] == pytest.approx({"Fe": 0.01})
    assert measured["measured_at"] == "2026-03-02T12:00:00.000000Z"
    assert devices[1]["proposed"]["Ga"] == 0.25


def test_what_the_robot_reports_later_does_not_count_before_what_was_measured(api, lab, reading):
    campaign = lab.campaign()
    lab.proposal(campaign)
    lease = api.post(f"/v1/campaigns/{campaign}/claims", json={"robot": "r"}).json()["lease"]
    token = {"Lease-Token": lease["token"]}
    film = api.post(f"/v1/leases/{lease['id']}/start", headers=token).json()["film_id"]
    api.measure(campaign, [reading(film, 0)])
    post(api, campaign, [found(film, 0, {"Fe": 0.5, "Ga": 0.5})])
    reported = {"outcome": "ok", "compositions": [{"Fe": 1.0}] * DEVICES}
    assert api.post(f"/v1/leases/{lease['id']}/complete", headers=token, json=reported).status_code == 200
    assert dataset(api, campaign).json()["rows"][0]["composition"]["Ga"] == 0.5
    post(api, campaign, [found(film, 0, {"Fe": 0.4, "Ga": 0.6}, measured_at="2026-03-03T12:00:00Z")])
    assert dataset(api, campaign).json()["rows"][0]["composition"]["Ga"] == 0.6
    assert api.get(f"/v1/films/{film}").json()["devices"][0]["as_made"]["Fe"] == 1.0


def test_a_map_said_again_is_stored_once(api, lab):
    campaign = lab.campaign()
    film = lab.film(campaign)
    rows = [found(film, k, {"Fe": 0.5, "Ga": 0.3, "Pd": 0.2}, std_uncertainty={"Fe": 0.01}) for k in (0, 1)]
    assert post(api, campaign, rows, key="k").content == post(api, campaign, rows, key="k").content
    again = post(api, campaign, [*rows, found(film, 2, {"Fe": 1.0})]).json()
    assert (again["accepted"], again["duplicates"], again["revision"]) == (1, 2, 2)
    nothing = post(api, campaign, rows).json()
    assert (nothing["accepted"], nothing["duplicates"], nothing["revision"], nothing["decision"]) == (0, 2, 2, None)


@pytest.mark.parametrize("state", ["paused", "completed", "aborted"])
def test_late_maps_are_taken(api, lab, state):
    campaign = lab.campaign(state)
    assert post(api, campaign, [found(lab.film(campaign, "failed"), 0, {"Fe": 1.0})]).status_code == 201


GOOD = {"Fe": 0.5, "Ga": 0.5}
BAD = {
    "unknown element": ({"fractions": {"Fe": 0.5, "O": 0.5}}, "fractions", ["O", "Fe, Ga, Pd"]),
    "sum": ({"fractions": {"Fe": 0.5, "Ga": 0.4}}, "fractions", ["0.02", "0.9"]),
    "percent as fractions": ({"fractions": {"Fe": 50.0, "Ga": 50.0}}, "fractions", ["100"]),
    "negative": ({"fractions": {"Fe": 1.1, "Ga": -0.1}}, "fractions/Ga", ["0", "-0.1"]),
    "uncertainty of another": ({"std_uncertainty": {"O": 0.1}}, "std_uncertainty", ["O"]),
    "zero uncertainty": ({"std_uncertainty": {"Fe": 0.0}}, "std_uncertainty/Fe", ["greater than 0"]),
    "device": ({"device": 9}, "device", ["device 9", "0..4"]),
    "device twice": ({"device": 0}, "device", ["twice"]),
    "film": ({"film_id": "flm_nowhere"}, "film_id", ["flm_nowhere"]),
    "no place": ({"device": None}, "device", ["exactly one"]),
}


@pytest.mark.parametrize("case", BAD.values(), ids=BAD.keys())
def test_a_bad_map_is_named_and_nothing_is_written(api, lab, case):
    fields, pointer, named = case
    campaign = lab.campaign()
    film = lab.film(campaign)
    before = lab.rows_by_table()
    answer = post(api, campaign, [found(film, 0, GOOD), found(film, 1, GOOD) | fields])
    problem = check_problem(answer, 422, named)
    assert [e["pointer"] for e in problem["errors"]] == [f"/compositions/1/{pointer}"]
    assert lab.rows_by_table() == before


def test_a_draft_takes_no_maps(api, lab):
    campaign = lab.campaign("draft")
    check_problem(post(api, campaign, [found("flm_x", 0, GOOD)]), 409, ["draft"])
    check_problem(post(api, "cmp_nowhere", [found("flm_x", 0, GOOD)]), 404, ["cmp_nowhere"])
