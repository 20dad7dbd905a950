"""What came from what: the whole graph of a small campaign, and what one film came from."""

import pytest

from service.operations import lineage
from service.operations.decisions import ModelRecord, publish_decision, store_artifact
from service.operations.refill import request_decision

INSTANT = "2026-03-01T12:00:00Z"


@pytest.fixture
def told(api, loop, tmp_path):
    """Two films, one chosen beside the other; a batch, a model, a map, a retraction, another configuration."""
    campaign = loop.campaign()
    path = f"/v1/campaigns/{campaign}"

    def decide(model=None):
        with loop.sessions.begin() as session:
            request_decision(session, campaign, 0)
        decision = loop.take(campaign)
        record = None
        if model is not None:
            began = None if decision.previous is None else decision.previous.id
            artifact = store_artifact(tmp_path, model)
            record = ModelRecord("film_gp", 1, {}, {}, {"points": []}, artifact, started_from=began)
        assert publish_decision(loop.sessions, decision, record, loop.advice(1))

    def start(robot):
        claimed = api.post(f"{path}/claims", json={"robot": robot}).json()
        token = {"Lease-Token": claimed["lease"]["token"]}
        film = api.post(f"/v1/leases/{claimed['lease']['id']}/start", headers=token).json()["film_id"]
        return claimed["proposal"]["id"], film

    decide()
    first, film = start("ada")
    decide(b"one")
    second, other = start("bob")
    row = {"film_id": film, "property": "magnetisation", "unit": "emu/cm3", "measured_at": INSTANT}
    batch = api.measure(campaign, [{**row, "device": k, "value": 1.0} for k in range(3)]).json()
    decide(b"two")
    found = {"film_id": film, "device": 0, "fractions": {"Fe": 1.0}, "measured_at": INSTANT}
    api.post(f"{path}/composition-maps", json={"instrument": "edx", "compositions": [found]})
    body = {"ids": batch["measurement_ids"][:1], "reason": "scratched"}
    retraction = api.post(f"{path}/retractions", json=body).json()["id"]
    etag = api.get(path).headers["ETag"]
    change = api.client.patch(path, json={"queue_depth": 2}, headers={"If-Match": etag, "Idempotency-Key": "c"})
    assert change.status_code == 200
    decide()
    names = {"first": first, "second": second, "film": film, "other": other, "batch": batch["id"]}
    return path, names | {"retraction": retraction, "campaign": campaign}


def test_the_graph_of_a_campaign(api, told):
    path, names = told
    graph = api.get(f"{path}/lineage").json()
    nodes = {node["id"]: node for node in graph["nodes"]}
    edges = {(e["source"], e["target"], e["relation"]) for e in graph["edges"]}
    one, two = (n for n, node in nodes.items() if node["kind"] == "model_version")
    wanted = {
        ("configuration:1", names["first"], "chose"),
        ("revision:0", names["first"], "chose"),
        (names["first"], names["film"], "made"),
        (names["first"], names["second"], "beside"),
        (one, names["second"], "chose"),
        (names["film"], names["batch"], "read"),
        (names["batch"], "revision:1", "caused"),
        ("revision:0", "revision:1", "followed_by"),
        ("revision:1", two, "trained"),
        (one, two, "started"),
        (names["retraction"], "revision:3", "caused"),
        ("configuration:1", "configuration:2", "followed_by"),
    }
    assert wanted <= edges, wanted - edges
    assert {nodes[e["source"]]["kind"] for e in graph["edges"] if e["target"] == "revision:2"} == {
        "revision",
        "composition",
    }
    assert all(e["source"] in nodes and e["target"] in nodes for e in graph["edges"])
    assert len(edges) == len(graph["edges"])
    assert not any(target == source for source, target, _ in edges)


def test_what_one_thing_came_from(api, told):
    path, names = told
    graph = api.get(f"{path}/lineage?of={names['film']}").json()
    assert {node["id"] for node in graph["nodes"]} == {
        names["film"],
        names["first"],
        "configuration:1",
        "revision:0",
    }
    whole = {node["id"] for node in api.get(f"{path}/lineage?of=revision:3").json()["nodes"]}
    assert whole >= {names["batch"], names["film"], names["retraction"], "revision:2"}
    assert names["second"] not in whole
    for unknown in (f"{path}/lineage?of=flm_none", "/v1/campaigns/cmp_none/lineage"):
        assert api.get(unknown).status_code == 404


def test_a_graph_that_is_too_large_is_asked_for_in_parts(api, told, monkeypatch):
    path, names = told
    monkeypatch.setattr(lineage, "MOST", 2)
    refused = api.get(f"{path}/lineage")
    assert (refused.status_code, "'of'" in refused.json()["detail"]) == (422, True)
    assert api.get(f"{path}/lineage?of={names['film']}").status_code == 200
