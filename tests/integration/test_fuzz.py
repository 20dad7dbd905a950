"""Whatever a client sends, the answer is never the service's own failure, and never anything but JSON or a problem."""

import json
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.conftest import Lab

SCALARS: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([2**31, 2**63, -(2**63) - 1, 10**400]),
    st.floats(),
    st.text(st.characters(codec=None), max_size=8),
    st.sampled_from(["\ud800", "\x00", "1700000000", "2026-03-01T12:00:00", "9999-12-31T23:59:59-12:00", "NaN"]),
)
PARAMETERS = ["after", "limit", "revision", "state", "robot", "patience", "worth"]
VALUES = st.recursive(
    SCALARS, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=5), v, max_size=3), max_leaves=6
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place of a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(p for k, v in inner for p in places(v, (*path, k)))]


def replaced(value: Any, path: tuple[Any, ...], by: Any) -> Any:
    """A copy of a JSON value with something else at one place."""
    if not path:
        return by
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], by)
    return copy


def check(response: httpx.Response) -> None:
    assert response.status_code < 500, response.text
    if response.status_code >= 400:
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["status"] == response.status_code


@pytest.fixture
def requests_that_are_good(api, lab: Lab, reading) -> list[tuple[str, dict[str, Any]]]:
    campaign = lab.campaign()
    film = lab.film(campaign)
    proposal = lab.proposal(campaign)
    instrument = api.post(f"/v1/campaigns/{campaign}/instruments", json={"name": "squid"}).json()["id"]
    magnet = {"property": "magnetisation", "unit": "emu/cm3"}
    sample = api.post(f"/v1/campaigns/{campaign}/samples", json={"name": "coupon"} | magnet).json()["id"]
    window = {"measured_from": "2026-03-01T00:00:00Z", "measured_until": "2026-03-02T00:00:00Z"}
    calibrated = {"valid_from": window["measured_from"], "valid_until": window["measured_until"]}
    read = {"unit": "emu/cm3", "std_uncertainty": 0.1, "replicates": 3, "measured_at": window["measured_from"]}
    ends = {"a": {"Fe": 1.0}, "b": {"Ga": 1.0}}
    row = reading(film, 0, uid="u", status="ok") | {"position": None}
    at = {"film_id": film, "position": 0.25, "measured_at": window["measured_from"]}
    made_of = at | {"fractions": {"Fe": 0.5, "Ga": 0.5}, "std_uncertainty": {"Fe": 0.01}}
    axis = {"name": "x", "unit": "nm", "values": [0.0, 1.0], "dtype": "float32"}
    bytes_of_two = {"base64": "AAAAAAAAAAAAAAAAAAAAAA==", "dtype": "float64"}
    pattern = at | {"kind": "curve", "label": "l", "unit": "V", "axes": [axis], "data": bytes_of_two}
    problem = {
        "space": {
            "elements": ["Fe", "Ga", "Pd"],
            "bounds": [{"element": "Fe", "lower": 0.1, "upper": 0.9, "absent_or_at_least": None}],
            "groups": [{"name": "g", "elements": ["Fe", "Ga"], "lower": 0.0, "upper": 1.0, "max_present": None}],
            "linear": [{"name": "l", "coefficients": {"Fe": 1.0}, "lower": None, "upper": 1.0}],
            "process": [{"kind": "continuous", "name": "t", "unit": "degC", "lower": 0.0, "upper": 1.0}],
        },
        "objectives": [{"property": "m", "unit": "T", "direction": "maximise"}],
        "film": {"devices": 5, "positions": None, "grading": "free", "span_min": 0.0},
        "policy": {"name": "expected_improvement", "mc_samples": 16},
        "seed": 1,
    }
    return [
        (f"/v1/campaigns/{campaign}/measurement-batches", {"instrument": "squid", "measurements": [row]}),
        (f"/v1/campaigns/{campaign}/measurement-batches?atomic=false", {"instrument": "moke", "measurements": [row]}),
        (f"/v1/campaigns/{campaign}/composition-maps", {"instrument": "edx", "unit": "1", "compositions": [made_of]}),
        (f"/v1/campaigns/{campaign}/attachments", {"instrument": "xrd", "attachments": [pattern]}),
        ("/v1/campaigns", {"name": "n", "problem": problem, "queue_depth": 1, "budget": {"films": 3}}),
        (f"/v1/campaigns/{campaign}/actions", {"action": "pause"}),
        (f"/v1/campaigns/{campaign}/retractions", {"ids": ["msr_x"], "reason": "r", "also_later": False}),
        (f"/v1/campaigns/{campaign}/retractions", window | {"instrument": "squid", "reason": "r"}),
        ("/v1/retractions/rtr_x/reversal", {"reason": "r"}),
        (f"/v1/campaigns/{campaign}/instruments", {"name": "squid", "kind": "k", "owner": "o", "notes": "n"}),
        (f"/v1/instruments/{instrument}/calibrations", {"method": "m", "property": None} | calibrated),
        (f"/v1/campaigns/{campaign}/samples", {"name": "c", "assigned_value": 1.0, "std_uncertainty": 0.1} | magnet),
        (f"/v1/samples/{sample}/readings", {"instrument": "squid", "readings": [{"uid": "s", "value": 1.0} | read]}),
        (f"/v1/campaigns/{campaign}/proposals", ends | {"process": {"anneal_c": 300.0}, "reason": "r"}),
        (f"/v1/campaigns/{campaign}/proposals", {"commands": ends, "reason": "r"}),
        (f"/v1/proposals/{proposal}/actions", {"action": "resolve", "outcome": "ok", "compositions": [{"Fe": 1.0}]}),
        (f"/v1/campaigns/{campaign}/claims", {"robot": "r", "wait_s": 0}),
        ("/v1/leases/lse_x/complete", {"outcome": "ok", "compositions": [{"Fe": 0.5, "Ga": 0.5}], "note": None}),
        ("/v1/leases/lse_x/fail", {"reason": "x", "outcome": "operator"}),
        (f"/v1/campaigns/{campaign}/predictions", {"compositions": [{"Fe": 1.0}], "process": {"anneal_c": 300.0}}),
        (f"/v1/campaigns/{campaign}/predictions", {"line": {"a": {"Fe": 1.0}, "b": {"Ga": 1.0}, "points": 9}}),
    ]


@settings(
    max_examples=120, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_no_body_makes_the_service_fail(api, requests_that_are_good, data):
    path, body = data.draw(st.sampled_from(requests_that_are_good), label="request")
    place = data.draw(st.sampled_from(places(body)), label="place")
    text = json.dumps(replaced(body, place, data.draw(VALUES, label="value")))
    headers = {"Content-Type": "application/json", "Lease-Token": "t"}
    check(api.post(path, content=text, headers=headers))


CHANGE: dict[str, Any] = {
    "problem": {
        "space": {"elements": ["Fe", "Ga", "Pd"], "process": []},
        "objectives": [{"property": "magnetisation", "unit": "emu/cm3"}],
        "film": {"devices": 5},
        "policy": {"name": "mapping"},
        "initial_films": 2,
    },
    "queue_depth": 2,
    "budget": {"films": 3, "devices": 15, "hours": 2.5},
    "lease": {"ttl_s": 60},
}


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_change_makes_the_service_fail(api, requests_that_are_good, data):
    campaign = requests_that_are_good[0][0].split("/")[3]
    place = data.draw(st.sampled_from(places(CHANGE)), label="place")
    text = json.dumps(replaced(CHANGE, place, data.draw(VALUES, label="value")))
    tag = data.draw(st.sampled_from(["*", '"1.0"', "", '"9999999999.' + 32 * "0" + '"', 'W/"x"']), label="tag")
    key = f"key-{data.draw(st.integers(0, 10**9), label='key')}"
    headers = {"Content-Type": "application/json", "If-Match": tag, "Idempotency-Key": key}
    check(api.client.patch(f"/v1/campaigns/{campaign}", content=text, headers=headers))


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.text(max_size=10),
    query=st.dictionaries(st.sampled_from(PARAMETERS), st.text(max_size=6)),
)
def test_no_address_makes_the_service_fail(api, name, query):
    of_campaign = ("dataset", "events", "films", "calibration", "pareto", "recommendation", "stop-advice")
    of_campaign += ("retractions", "instruments", "samples", "proposals", "configurations/1")
    single = ("model-versions/{}", "films/{}", "retractions/{}/readings", "samples/{}/readings", "calibrations/{}")
    for path in (*(f"campaigns/{{}}/{noun}" for noun in of_campaign), *single):
        check(api.get(f"/v1/{path.format(quote(name, safe=''))}", params=query))
