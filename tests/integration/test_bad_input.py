"""Whatever is wrong with a request: a 4xx problem that names the value and the bound, and nothing written."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from sqlalchemy import URL

from service.app import create_app
from service.settings import DatabaseSettings, Settings
from tests.conftest import _database
from tests.integration.conftest import Api, serving

Case = tuple[dict[str, Any], str, list[str]]


@pytest.fixture(scope="module")
def database_url(server_url: URL, template: str) -> Iterator[str]:
    """One database for all of these tests: none of them may write anything."""
    with contextmanager(_database)(server_url, template) as url:
        yield url


@pytest.fixture(scope="module")
def api(database_url: str) -> Iterator[Api]:
    """One server for all of these tests."""
    with serving(create_app(Settings(database=DatabaseSettings(url=database_url)))) as client:
        yield Api(client)


ROWS: dict[str, Case] = {
    # what is wrong with row 1: (fields, pointer below the row, what the message must name)
    "value NaN": ({"value": float("nan")}, "/value", ["finite", "nan"]),
    "value infinite": ({"value": float("-inf")}, "/value", ["finite", "-inf"]),
    "value as text": ({"value": "12"}, "/value", ["number", '"12"']),
    "value true": ({"value": True}, "/value", ["number", "true"]),
    "value beyond every unit": ({"value": 1e101}, "/value", ["1e+100", "1e+101"]),
    "no value": ({"value": None}, "/value", ["null", "'ok'"]),
    "dead with a value": ({"status": "dead"}, "/value", ["dead", "null", "101.0"]),
    "unknown status": ({"status": "odd"}, "/status", ["'ok', 'dead'", '"odd"']),
    "saturated without its limit": ({"status": "above_limit", "value": None}, "/value", ["above_limit", "null"]),
    "one replicate": ({"replicates": 1}, "/replicates", ["equal to 2", "1"]),
    "replicates without scatter": ({"replicates": 3, "std_uncertainty": None}, "/std_uncertainty", ["3", "null"]),
    "negative uncertainty": ({"std_uncertainty": -0.5}, "/std_uncertainty", ["greater than 0", "-0.5"]),
    "zero uncertainty": ({"std_uncertainty": 0.0}, "/std_uncertainty", ["greater than 0", "0.0"]),
    "vanishing uncertainty": ({"std_uncertainty": 1e-200}, "/std_uncertainty", ["1e-100", "1e-200"]),
    "uncertainty NaN": ({"std_uncertainty": float("nan")}, "/std_uncertainty", ["finite", "nan"]),
    "unknown film": ({"film_id": "flm_nowhere"}, "/film_id", ["flm_nowhere"]),
    "film id that is no id": ({"film_id": "a b"}, "/film_id", ["pattern", "a b"]),
    "device beyond the film": ({"device": 5}, "/device", ["device 5", "0..4"]),
    "device negative": ({"device": -1}, "/device", ["greater than or equal to 0", "-1"]),
    "device beyond int4": ({"device": 2**31}, "/device", ["2147483647", "2147483648"]),
    "device a fraction": ({"device": 1.5}, "/device", ["integer", "1.5"]),
    "position beyond the film": ({"device": None, "position": 1.25}, "/position", ["equal to 1", "1.25"]),
    "position before the film": ({"device": None, "position": -0.1}, "/position", ["equal to 0", "-0.1"]),
    "position between devices": ({"device": None, "position": 0.3}, "/position", ["0.3", "0.25", "1e-06"]),
    "device and position": ({"position": 0.25}, "/device", ["exactly one", "both"]),
    "no device and no position": ({"device": None}, "/device", ["exactly one", "neither"]),
    "unknown property": ({"property": "colour"}, "/property", ["'colour'", "'magnetisation'"]),
    "wrong unit": ({"unit": "T"}, "/unit", ["'T'", "'emu/cm3'"]),
    "naive time": ({"measured_at": "2026-03-01T12:00:00"}, "/measured_at", ["timezone", "2026-03-01T12:00:00"]),
    "time as a number": ({"measured_at": 1_700_000_000}, "/measured_at", ["RFC 3339", "1700000000"]),
    "time as digits": ({"measured_at": "1700000000"}, "/measured_at", ["RFC 3339", "1700000000"]),
    "half a surrogate": ({"unit": "\ud800"}, "/unit", ["unicode"]),
    "time that is none": ({"measured_at": "2026-02-30T12:00:00Z"}, "/measured_at", ["2026-02-30"]),
    "time out of history": ({"measured_at": "0001-01-01T00:00:00+14:00"}, "/measured_at", ["1900-01-01"]),
    "unknown field": ({"colour": "red"}, "/colour", ["not permitted", "red"]),
    "uid with a NUL": ({"uid": "a\x00b"}, "/uid", ["pattern"]),
    "uid too long": ({"uid": "u" * 129}, "/uid", ["128"]),
    "uid twice in the batch": ({"uid": "first"}, "/uid", ["'first'", "row 0"]),
}


def check_problem(response: httpx.Response, status: int, named: list[str]) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert set(body) == {"type", "title", "status", "detail", "request_id", "errors"}
    assert body["type"].startswith("urn:filmloop:problem:")
    assert (body["status"], body["request_id"]) == (status, response.headers["x-request-id"])
    said = " ".join([body["detail"], *(e["message"] for e in body["errors"])])
    for word in named:
        assert word in said
    return body


@pytest.mark.parametrize("case", ROWS.values(), ids=ROWS.keys())
def test_a_bad_row_is_named_and_nothing_is_written(api, lab, reading, case):
    fields, pointer, named = case
    campaign = lab.campaign()
    film = lab.film(campaign)
    rows = [reading(film, 0, uid="first"), reading(film, 1, **fields)]
    before = lab.rows_by_table()
    body = {"instrument": "squid", "measurements": rows}
    headers = {"Content-Type": "application/json"}
    text = json.dumps(body)  # allows NaN, as a careless instrument would
    response = api.post(f"/v1/campaigns/{campaign}/measurement-batches", content=text, headers=headers)
    problem = check_problem(response, 422, named)
    assert [(e["pointer"], e["row"]) for e in problem["errors"]] == [(f"/measurements/1{pointer}", 1)]
    assert lab.rows_by_table() == before


def test_every_fault_of_a_batch_is_named_at_once(api, lab, reading):
    campaign = lab.campaign()
    film = lab.film(campaign)
    rows = [reading(film, 9), reading(film, 1), reading("flm_x", 0), reading(film, 2, unit="T", value=None)]
    before = lab.rows_by_table()
    problem = check_problem(api.measure(campaign, rows), 422, ["4 thing(s)"])
    places = [(e["pointer"], e["row"]) for e in problem["errors"]]
    assert places == [
        ("/measurements/0/device", 0),
        ("/measurements/2/film_id", 2),
        ("/measurements/3/unit", 3),
        ("/measurements/3/value", 3),
    ]
    assert lab.rows_by_table() == before


def test_a_film_of_another_campaign_is_unknown(api, lab, reading):
    campaign, other = lab.campaign(), lab.campaign()
    film = lab.film(other)
    before = lab.rows_by_table()
    problem = check_problem(api.measure(campaign, [reading(film, 0)]), 422, [film, campaign])
    assert problem["errors"][0]["pointer"] == "/measurements/0/film_id"
    assert lab.rows_by_table() == before


def _too_many(film: str, reading: Callable[..., Any]) -> Any:
    return {"instrument": "squid", "measurements": [reading(film, 0)] * 10_001}


BODIES: dict[str, tuple[Callable[[str, Any], Any], int, list[str]]] = {
    "10,001 rows": (_too_many, 422, ["1000", "10001"]),
    "no rows": (lambda film, reading: {"instrument": "squid", "measurements": []}, 422, ["at least 1", "0"]),
    "no instrument": (lambda film, reading: {"measurements": [reading(film, 0)]}, 422, ["required"]),
    "empty instrument": (lambda film, reading: {"instrument": "", "measurements": [reading(film, 0)]}, 422, ["1"]),
    "a list": (lambda film, reading: [reading(film, 0)], 422, ["object"]),
    "malformed": (lambda film, reading: '{"instrument": "squid", "measurements": [', 400, ["JSON"]),
    "no body": (lambda film, reading: "", 422, ["required"]),
    "not UTF-8": (lambda film, reading: b'{"instrument": "\xff"}', 400, ["body"]),
    "nested deeply": (lambda film, reading: "[" * 100_000, 400, ["body"]),
    "too large": (lambda film, reading: '{"instrument": "squid"}' + " " * (8 << 20), 413, ["8388608", "8388631"]),
}


@pytest.mark.parametrize("case", BODIES.values(), ids=BODIES.keys())
def test_a_bad_body_is_refused_and_nothing_is_written(api, lab, reading, case):
    make, status, named = case
    campaign = lab.campaign()
    body = make(lab.film(campaign), reading)
    before = lab.rows_by_table()
    content = body if isinstance(body, str | bytes) else json.dumps(body)
    headers = {"Content-Type": "application/json"}
    response = api.post(f"/v1/campaigns/{campaign}/measurement-batches", content=content, headers=headers)
    check_problem(response, status, named)
    assert lab.rows_by_table() == before


def test_an_unknown_campaign_is_not_found(api, lab, reading):
    film = lab.film(lab.campaign())
    before = lab.rows_by_table()
    check_problem(api.measure("cmp_nowhere", [reading(film, 0)]), 404, ["cmp_nowhere"])
    for noun in ("dataset", "events", "model-versions", "calibration", "stop-advice", "recommendation", "pareto"):
        check_problem(api.get(f"/v1/campaigns/cmp_nowhere/{noun}"), 404, ["cmp_nowhere"])
    assert lab.rows_by_table() == before


@pytest.mark.parametrize(
    ("query", "parameter", "named"),
    [
        ("events?limit=1001", "limit", ["1000", "1001"]),
        ("events?limit=0", "limit", ["1", "0"]),
        ("events?after=-1", "after", ["0", "-1"]),
        (f"events?after={2**63}", "after", [str(2**63 - 1), str(2**63)]),
        ("dataset?revision=-1", "revision", ["0", "-1"]),
        (f"dataset?revision={2**31}", "revision", [str(2**31 - 1), str(2**31)]),
        ("model-versions?after=%00", "after", ["pattern"]),
    ],
)
def test_a_parameter_out_of_bounds_is_named(api, lab, query, parameter, named):
    problem = check_problem(api.get(f"/v1/campaigns/{lab.campaign()}/{query}"), 422, named)
    assert [e["parameter"] for e in problem["errors"]] == [parameter]


@pytest.mark.parametrize("key", ["", "k" * 129, "tab\tkey"])
def test_a_key_that_is_none_is_refused(api, lab, reading, key):
    campaign = lab.campaign()
    film = lab.film(campaign)
    before = lab.rows_by_table()
    response = api.client.post(
        f"/v1/campaigns/{campaign}/measurement-batches",
        json={"instrument": "squid", "measurements": [reading(film, 0)]},
        headers={"Idempotency-Key": key},
    )
    check_problem(response, 400, ["Idempotency-Key"])
    assert lab.rows_by_table() == before


GOOD = {"Fe": 0.5, "Ga": 0.5}
COMPOSITIONS: dict[str, tuple[list[Any], str, list[str]]] = {
    "wrong element": ([GOOD, GOOD, {"Fe": 0.5, "Cu": 0.5}, GOOD, GOOD], "/compositions/2", ["Cu", "Fe, Ga, Pd"]),
    "sum below 1": ([GOOD, {"Fe": 0.5, "Ga": 0.4}, GOOD, GOOD, GOOD], "/compositions/1", ["sum to 1", "0.9"]),
    "sum above 1": ([GOOD, GOOD, GOOD, GOOD, {"Fe": 0.7, "Pd": 0.4}], "/compositions/4", ["sum to 1", "1.1"]),
    "negative fraction": ([{"Fe": 1.2, "Ga": -0.2}] * 5, "/compositions/0/Fe", ["equal to 1", "1.2", "0", "-0.2"]),
    "fraction NaN": ([GOOD, GOOD, {"Fe": float("nan")}, GOOD, GOOD], "/compositions/2/Fe", ["finite", "nan"]),
    "too few devices": ([GOOD] * 4, "/compositions", ["4", "5"]),
}


@pytest.mark.parametrize("case", COMPOSITIONS.values(), ids=COMPOSITIONS.keys())
def test_a_bad_composition_as_made_is_named_and_nothing_is_written(api, lab, case):
    compositions, pointer, named = case
    campaign = lab.campaign()
    lab.proposal(campaign)
    lease = api.post(f"/v1/campaigns/{campaign}/claims", json={"robot": "r"}).json()["lease"]
    token = {"Lease-Token": lease["token"], "Content-Type": "application/json"}
    assert api.post(f"/v1/leases/{lease['id']}/start", headers=token).is_success
    before = lab.rows_by_table()
    body = json.dumps({"outcome": "ok", "compositions": compositions})
    problem = check_problem(api.post(f"/v1/leases/{lease['id']}/complete", content=body, headers=token), 422, named)
    assert problem["errors"][0]["pointer"] == pointer
    assert lab.rows_by_table() == before


SPACE = {"elements": ["Fe", "Ga", "Pd"]}
PROBLEMS: dict[str, tuple[dict[str, Any], str, list[str]]] = {
    "one element": ({"space": {"elements": ["Fe"]}}, "/problem/space/elements", ["2", "1"]),
    "rule on a wrong element": (
        {"space": SPACE | {"bounds": [{"element": "Cu", "lower": 0.1}]}},
        "/problem/space",
        ["Cu", "Fe"],
    ),
    "bound above 1": (
        {"space": SPACE | {"bounds": [{"element": "Fe", "upper": 1.5}]}},
        "/problem/space/bounds/0/upper",
        ["equal to 1", "1.5"],
    ),
    "bound NaN": (
        {"space": SPACE | {"bounds": [{"element": "Fe", "upper": float("nan")}]}},
        "/problem/space/bounds/0/upper",
        ["finite", "nan"],
    ),
    "unknown policy": ({"policy": {"name": "crystal_ball"}}, "/problem/policy", ["expected_improvement"]),
}


@pytest.mark.parametrize("case", PROBLEMS.values(), ids=PROBLEMS.keys())
def test_a_bad_campaign_is_named_and_nothing_is_written(api, lab, case):
    fields, pointer, named = case
    good = {"space": SPACE, "objectives": [{"property": "magnetisation", "unit": "emu/cm3"}]}
    before = lab.rows_by_table()
    body = json.dumps({"name": "wafer", "problem": good | fields})
    headers = {"Content-Type": "application/json"}
    problem = check_problem(api.post("/v1/campaigns", content=body, headers=headers), 422, named)
    assert problem["errors"][0]["pointer"] == pointer
    assert lab.rows_by_table() == before
