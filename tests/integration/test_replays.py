"""Every proposal of a campaign, computed again from what was kept of it; and what was tampered with, found out."""

import copy
from dataclasses import replace

import numpy as np
import pytest
from sqlalchemy import update

from service.operations import replays
from service.store import jobs
from service.store.tables import ModelVersionRow, ProposalRow, ReplayRow
from tests.integration.conftest import reading
from workers import decide, replay

DEVICES = 3
PROBLEM = {
    "space": {
        "elements": ["Fe", "Ga", "Pd"],
        "process": [
            {"kind": "continuous", "name": "anneal_c", "unit": "degC", "lower": 200.0, "upper": 700.0},
            {"kind": "categorical", "name": "substrate", "choices": ["Si", "glass"]},
        ],
    },
    "objectives": [{"property": "magnetisation", "unit": "emu/cm3"}],
    "film": {"devices": DEVICES},
    "policy": {"name": "expected_improvement", "raw_films": 16, "restarts": 1},
    "seed": 11,
}


class Campaign:
    """A campaign whose decisions a worker makes when the test says so."""

    def __init__(self, api, sessions, settings, problem=PROBLEM):
        self.api, self.sessions, self.settings = api, sessions, settings
        created = api.post("/v1/campaigns", json={"name": "again", "problem": problem, "queue_depth": 2})
        assert created.status_code == 201, created.text
        self.id = created.json()["id"]
        api.post(f"/v1/campaigns/{self.id}/actions", json={"action": "activate"})
        self._random = np.random.default_rng(1)

    def decide(self):
        with self.sessions() as session:
            waiting = [job.id for job in jobs.live(session, self.id) if job.state == "pending"]
        for job_id in waiting:
            assert decide.run(self.sessions, self.settings, job_id, worker="worker")

    def make(self, robot, *, exactly=True):
        lease = self.api.post(f"/v1/campaigns/{self.id}/claims", json={"robot": robot}).json()["lease"]
        token = {"Lease-Token": lease["token"]}
        film = self.api.post(f"/v1/leases/{lease['id']}/start", headers=token).json()["film_id"]
        made = None if exactly else [dict(zip(("Fe", "Ga", "Pd"), x, strict=True)) for x in self._drawn()]
        body = {"outcome": "ok", "compositions": made}
        assert self.api.post(f"/v1/leases/{lease['id']}/complete", json=body, headers=token).status_code == 200
        return film

    def measure(self, film, devices=range(DEVICES)):
        shown = self.api.get(f"/v1/films/{film}").json()["devices"]
        made = [(d["as_made"] or d["proposed"])["Fe"] for d in shown]
        rows = [reading(film, k, value=100.0 * made[k] + self._random.normal(), std_uncertainty=...) for k in devices]
        answer = self.api.measure(self.id, rows)
        assert answer.status_code == 201, answer.text
        return answer.json()["measurement_ids"]

    def proposals(self):
        return self.api.get(f"/v1/campaigns/{self.id}/proposals").json()["items"]

    def replay(self, proposal_id):
        asked = self.api.post(f"/v1/proposals/{proposal_id}/replays")
        assert asked.status_code == 202, asked.text
        assert asked.json()["state"] == "pending"
        replay.run(self.sessions, self.settings, asked.json()["id"], worker="worker")
        return self.api.get(asked.headers["Location"]).json()

    def _drawn(self):
        drawn = self._random.dirichlet(np.ones(3), DEVICES)
        return (drawn / drawn.sum(axis=1, keepdims=True)).tolist()


@pytest.fixture
def campaign(api, sessions, settings):
    return Campaign(api, sessions, settings)


def finished(campaign):
    """Two robots at once, a film as it was made, a film read in two parts, readings that are retracted."""
    campaign.decide()
    first, second = campaign.make("ada"), campaign.make("bob", exactly=False)
    campaign.decide()
    campaign.measure(first, devices=[0])
    campaign.decide()
    campaign.measure(first, devices=[1, 2])
    spoilt = campaign.measure(second)
    campaign.decide()
    third = campaign.make("ada")
    campaign.decide()
    body = {"ids": spoilt[:1], "reason": "scratched"}
    assert campaign.api.post(f"/v1/campaigns/{campaign.id}/retractions", json=body).status_code == 201
    campaign.decide()
    campaign.measure(third)
    campaign.decide()
    campaign.api.post(f"/v1/campaigns/{campaign.id}/actions", json={"action": "complete"})


def test_every_proposal_of_a_finished_campaign_comes_out_the_same(campaign):
    finished(campaign)
    made = campaign.proposals()
    assert {p["source"] for p in made} == {"space_filling", "model"}
    assert {p["rank"] for p in made} == {0, 1}
    assert max(len(p["provenance"]["pending"]) for p in made) == 2
    found = {p["id"]: campaign.replay(p["id"]) for p in made}
    assert {r["verdict"] for r in found.values()} == {"identical"}, found
    assert {r["report"]["model_identical"] for r in found.values()} == {None, True}
    assert all(r["report"]["differences"] == [] and not r["report"]["versions"] for r in found.values())
    events = campaign.api.get(f"/v1/campaigns/{campaign.id}/events?limit=1000").json()["items"]
    assert [e["data"]["verdict"] for e in events if e["type"] == "proposal.replayed"] == ["identical"] * len(made)
    (last,) = campaign.api.get(f"/v1/proposals/{made[-1]['id']}/replays").json()["items"]
    assert last == found[made[-1]["id"]]
    _tampered_with(campaign, made[-1])


def _tampered_with(campaign, proposal):
    """Each thing that a proposal rests on is changed behind the record's back, and is found out."""

    def changed(**values):
        with campaign.sessions.begin() as session:
            session.execute(update(ProposalRow).where(ProposalRow.id == proposal["id"]).values(**values))

    provenance = proposal["provenance"]
    recorded = {k: v for k, v in provenance.items() if v is not None}
    changed(provenance=recorded | {"seed": provenance["seed"] + 1})
    report = campaign.replay(proposal["id"])
    assert report["verdict"] == "differs"
    seed = next(d for d in report["report"]["differences"] if d["field"] == "/provenance/seed")
    assert (seed["recorded"], seed["recomputed"]) == (provenance["seed"] + 1, provenance["seed"])
    changed(provenance=recorded | {"snapshot_hash": "0" * 64})
    assert campaign.replay(proposal["id"])["report"]["differences"][0]["field"] == "/provenance/snapshot_hash"
    film = copy.deepcopy(proposal["film"])
    film["devices"][0]["predicted"]["mean"] += 0.001 * film["devices"][0]["predicted"]["sd"]
    changed(provenance=recorded | {"versions": {**provenance["versions"], "torch": "1.0"}}, film=film)
    report = campaign.replay(proposal["id"])
    assert (report["verdict"], report["report"]["differing"]) == ("within_tolerance", 1)
    (difference,) = report["report"]["differences"]
    assert difference["field"] == "/film/devices/0/predicted/mean"
    assert difference["difference"] < difference["tolerance"]
    assert report["report"]["versions"]["torch"]["recorded"] == "1.0"
    changed(provenance=recorded, film=proposal["film"])
    with campaign.sessions.begin() as session:
        other = update(ModelVersionRow).where(ModelVersionRow.id == provenance["model_version_id"])
        session.execute(other.values(started_from_id=None, seed=ModelVersionRow.seed + 1))
    assert campaign.replay(proposal["id"])["report"]["model_identical"] is False


def test_a_film_that_a_person_wanted_cannot_be_computed(api, loop):
    campaign = loop.campaign()
    wanted = {"a": {"Fe": 1.0}, "b": {"Ga": 1.0}, "process": {"anneal_c": 300.0, "substrate": "Si"}, "reason": "mine"}
    mine = api.post(f"/v1/campaigns/{campaign}/proposals", json=wanted).json()
    refused = api.post(f"/v1/proposals/{mine['id']}/replays")
    assert (refused.status_code, "person" in refused.json()["detail"]) == (409, True)
    assert api.post("/v1/proposals/prp_none/replays").status_code == 404
    assert api.get("/v1/replays/rpl_none").status_code == 404


@pytest.fixture
def asked(api, loop):
    """A replay that waits."""
    campaign = loop.campaign()
    loop.decide(campaign)
    (proposal,) = api.get(f"/v1/campaigns/{campaign}/proposals").json()["items"]
    return api.post(f"/v1/proposals/{proposal['id']}/replays").json()["id"]


def test_a_replay_whose_worker_fell_silent_is_taken_up_and_not_for_ever(loop, asked):
    sessions = loop.sessions
    for attempt in (1, 2, 3):
        assert replays.due(sessions) == [asked]
        taken = replays.claim_replay(sessions, asked, "worker")
        assert taken.fence == attempt
        assert replays.due(sessions) == []
        assert replays.claim_replay(sessions, asked, "another") is None
        loop.let_pass(ReplayRow, asked, "lease_until")
    assert not replays.report_replay(sessions, replace(taken, fence=taken.fence - 1), "identical", {})
    assert replays.claim_replay(sessions, asked, "worker") is None
    assert loop.row(ReplayRow, asked).state == "dead"
    assert replays.due(sessions) == []


def test_a_replay_that_fails_is_tried_again_later(loop, asked):
    for _ in range(3):
        loop.let_pass(ReplayRow, asked, "run_after")
        taken = replays.claim_replay(loop.sessions, asked, "worker")
        assert replays.fail_replay(loop.sessions, taken, "no memory", retry=True)
    row = loop.row(ReplayRow, asked)
    assert (row.state, row.error, row.verdict) == ("dead", "no memory", None)
