from datetime import UTC, datetime

import pytest
from pydantic import BaseModel, ValidationError

from filmloop_client import Client, Reading
from tests.unit.client.scripted_server import Answer

CAMPAIGN = {"id": "cmp_1", "name": "n", "state": "draft", "problem": {}, "a_newer_field": [1]}
BATCH = {"id": "bat_1", "campaign_id": "cmp_1", "instrument": "squid", "revision": 4, "accepted": 2, "duplicates": 0}
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Small(BaseModel):
    space: dict[str, list[str]]


@pytest.mark.parametrize("problem", [{"space": {"elements": ["Fe", "Ga"]}}, Small(space={"elements": ["Fe", "Ga"]})])
def test_create_and_activate(server, problem):
    server.answers = [Answer(201, CAMPAIGN), Answer(200, CAMPAIGN | {"state": "active"})]
    with Client(server.url) as client:
        campaign = client.campaigns.create("n", problem, queue_depth=2, films=9)
        assert campaign.state == "draft"
        campaign.activate()
        assert campaign.state == "active"
    assert server.asked[0].body == {
        "name": "n", "problem": {"space": {"elements": ["Fe", "Ga"]}}, "queue_depth": 2, "budget": {"films": 9},
    }  # fmt: skip
    assert server.asked[1].body == {"action": "activate"}


def test_pages_are_followed_to_the_end(server):
    def film(n):
        return {"id": f"flm_{n}", "campaign_id": "cmp_1", "state": "made", "devices": []}

    server.answers = [
        Answer(200, CAMPAIGN),
        Answer(200, {"items": [film(1), film(2)], "next": "two"}),
        Answer(200, {"items": [film(3)], "next": None}),
    ]
    with Client(server.url) as client:
        films = list(client.campaigns.get("cmp_1").films(state="made"))
    assert [f.id for f in films] == ["flm_1", "flm_2", "flm_3"]
    assert server.asked[1].path == "/v1/campaigns/cmp_1/films?state=made"
    assert server.asked[2].path == "/v1/campaigns/cmp_1/films?state=made&after=two"


def test_newest_model_knows_the_most_data(server):
    def model(n, revision):
        return {"id": f"mdl_{n}", "campaign_id": "cmp_1", "revision": revision}

    server.answers = [
        Answer(200, CAMPAIGN),
        Answer(200, {"items": [model(1, 2), model(2, 11), model(3, 9)], "next": None}),
        Answer(200, {"items": [], "next": None}),
    ]
    with Client(server.url) as client:
        campaign = client.campaigns.get("cmp_1")
        assert campaign.newest_model().id == "mdl_2"
        assert campaign.newest_model() is None


def test_best_is_what_the_newest_model_recommends(server):
    best = {"composition": {"Fe": 0.6, "Ga": 0.4}, "mean": 9.0, "sd": 0.5}
    server.answers = [
        Answer(200, CAMPAIGN),
        Answer(200, {"items": [{"id": "mdl_1", "campaign_id": "cmp_1", "revision": 3}], "next": None}),
        Answer(200, {"points": [{"Fe": 1.0, "Ga": 0.0}], "mean": [1.0], "sd": [2.0], "best": best}),
        Answer(200, {"items": [], "next": None}),
    ]
    with Client(server.url) as client:
        campaign = client.campaigns.get("cmp_1")
        assert campaign.best().model_dump() == best
        assert campaign.best() is None


def test_address_comes_from_the_environment_unless_given(server, monkeypatch):
    server.answers = [Answer(200, {"items": [CAMPAIGN], "next": None})]
    monkeypatch.setenv("FILMLOOP_URL", server.url)
    with Client() as client:
        assert [c.id for c in client.campaigns.list()] == ["cmp_1"]


def test_events_are_read_from_where_one_left_off(server):
    event = {"seq": 5, "type": "proposal.ready", "at": AT.isoformat(), "data": {}}
    server.answers = [
        Answer(200, CAMPAIGN),
        Answer(200, {"items": [event], "next": 5}),
        Answer(200, {"items": [], "next": 5}),
    ]
    with Client(server.url) as client:
        assert [e.seq for e in client.campaigns.get("cmp_1").events(after=4)] == [5]
    assert server.asked[2].path.endswith("events?after=5")


def test_next_proposal_is_none_when_nothing_is_ready(server):
    server.answers = [Answer(200, CAMPAIGN), Answer(204)]
    with Client(server.url) as client:
        assert client.campaigns.get("cmp_1").next_proposal("r") is None
    assert server.asked[1].path == "/v1/campaigns/cmp_1/proposals/next?robot=r"


def test_batch_on_the_wire(server):
    server.answers = [Answer(200, CAMPAIGN), Answer(201, BATCH)]
    with Client(server.url) as client:
        batch = client.campaigns.get("cmp_1").instrument("squid").measure(
            [
                Reading(film_id="f", device=0, property="m", unit="V", value=7.5, measured_at=AT, uid="u"),
                Reading(film_id="f", position=0.5, property="m", unit="V", status="dead", measured_at=AT),
            ]
        )  # fmt: skip
    assert (batch.accepted, batch.revision) == (2, 4)
    common = {"film_id": "f", "property": "m", "unit": "V", "std_uncertainty": None}
    at = "2026-01-02T03:04:05Z"
    assert server.asked[1].body == {
        "instrument": "squid",
        "measurements": [
            common | {"device": 0, "value": 7.5, "status": "ok", "measured_at": at, "uid": "u"},
            common | {"position": 0.5, "value": None, "status": "dead", "measured_at": at},
        ],
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {"value": 1.0},
        {"device": 0, "position": 0.0, "value": 1.0},
        {"device": 0, "value": None},
        {"device": 0, "value": 0.0, "status": "dead"},
        {"device": 0, "value": float("nan")},
        {"device": 0, "value": 1.0, "std_uncertainty": -1.0},
        {"device": 0, "value": 1.0, "measured_at": datetime(2026, 1, 2)},
    ],
)
def test_readings_that_cannot_be_true_are_refused_here(wrong):
    with pytest.raises(ValidationError):
        Reading(film_id="f", property="m", unit="V", **wrong)
