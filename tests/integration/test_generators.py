"""A campaign's generator: trained beside its decisions, judged, used only if healthy, and asked by researchers."""

import numpy as np
import pytest
from sqlalchemy import func, select, update

from service.operations import trainings
from service.operations.decisions import publish_decision, sweep
from service.store import jobs
from service.store.tables import EventRow, JobRow, ModelVersionRow
from tests.integration.test_replays import Campaign
from workers import decide, generate, train

SMALL = {"name": "conditional_vae", "steps": 60, "width": 8, "latent": 2, "batch": 16, "pool": 4}
COLLAPSED = SMALL | {"beta": 10.0, "free_bits": 0.0}
"""So heavy a weight on the divergence that the code says nothing."""
PROBLEM = {
    "space": {
        "elements": ["Fe", "Ga", "Pd"],
        "process": [{"kind": "continuous", "name": "anneal_c", "unit": "degC", "lower": 200.0, "upper": 700.0}],
    },
    "objectives": [{"property": "magnetisation", "unit": "emu/cm3"}],
    "film": {"devices": 8},
    "policy": {"name": "expected_improvement", "raw_films": 48, "restarts": 1, "mc_samples": 16, "starts": "merged"},
    "generator": SMALL,
    "seed": 5,
}


class Learning(Campaign):
    """A campaign with a generator, trained when the test says so."""

    def __init__(self, api, sessions, settings, generator=SMALL):
        super().__init__(api, sessions, settings, PROBLEM | {"generator": generator})

    def film(self, robot="ada"):
        """Make and read a film, and decide on the next."""
        film = self.make(robot)
        self.measure(film, devices=range(8))
        self.decide()

    def waiting(self):
        with self.sessions() as session:
            return [job.id for job in jobs.live(session, self.id, jobs.TRAIN) if job.state == "pending"]

    def train(self):
        (job_id,) = self.waiting()
        return train.run(self.sessions, self.settings, job_id, worker="trainer")

    def versions(self):
        items = self.api.get(f"/v1/campaigns/{self.id}/model-versions").json()["items"]
        return [m for m in items if m["kind"] == "generator"]

    def events(self, kind):
        with self.sessions() as session:
            query = select(EventRow.data).where(EventRow.campaign_id == self.id, EventRow.type == kind)
            return list(session.scalars(query.order_by(EventRow.seq)))

    def ask(self, **said):
        asked = self.api.post(f"/v1/campaigns/{self.id}/generations", json=said)
        assert asked.status_code == 202, asked.text
        generate.run(self.sessions, self.settings, asked.json()["id"], worker="worker")
        return self.api.get(asked.headers["Location"]).json()


@pytest.fixture
def campaign(api, sessions, settings):
    made = Learning(api, sessions, settings)
    made.decide()
    made.film()
    made.film()
    return made


def test_a_generator_is_trained_beside_the_decisions_and_the_next_one_uses_it(campaign):
    assert campaign.versions() == []
    version = campaign.train()
    (kept,) = campaign.versions()
    assert kept["id"] == version
    assert kept["metrics"]["health"]["verdict"] == "healthy"
    wanted = {"elbo", "importance_bound", "kl_per_dimension", "active_units", "validity", "uniqueness", "novel_share"}
    assert wanted <= set(kept["metrics"]["health"])
    (told,) = campaign.events("generator.trained")
    assert (told["model_version_id"], told["verdict"]) == (version, "healthy")
    assert campaign.waiting() == []
    campaign.film()
    newest = campaign.proposals()[-1]
    assert newest["provenance"]["generator_version_id"] == version
    assert newest["provenance"]["start"] in {"systematic", "uniform", "jitter", "generator"}
    assert campaign.replay(newest["id"])["verdict"] == "identical"
    assert len(campaign.waiting()) == 1, "new readings ask for a new training"
    again = campaign.train()
    assert [v["started_from_id"] for v in campaign.versions()] == [None, version]
    assert campaign.versions()[-1]["id"] == again


def test_whoever_asks_for_the_model_gets_the_one_that_predicts(campaign):
    version = campaign.train()
    body = {"compositions": [{"Fe": 0.5, "Ga": 0.5}]}
    told = campaign.api.post(f"/v1/campaigns/{campaign.id}/predictions", json=body).json()
    assert told["model_version_id"] != version
    assert campaign.api.post(f"/v1/model-versions/{version}/predictions", json=body).status_code == 404
    calibrated = campaign.api.get(f"/v1/campaigns/{campaign.id}/calibration").json()["items"]
    assert version not in {c["model_version_id"] for c in calibrated}


def test_a_collapsed_generator_is_kept_and_never_used(api, sessions, settings):
    campaign = Learning(api, sessions, settings, COLLAPSED)
    campaign.decide()
    campaign.film()
    campaign.film()
    version = campaign.train()
    (kept,) = campaign.versions()
    assert (kept["id"], kept["metrics"]["health"]["verdict"]) == (version, "collapsed")
    (told,) = campaign.events("generator.not_used")
    assert told["model_version_id"] == version
    assert "collapsed" in told["why"]
    campaign.film()
    assert campaign.proposals()[-1]["provenance"]["generator_version_id"] is None


def test_a_training_keeps_no_decision_waiting(campaign):
    (job_id,) = campaign.waiting()
    training = trainings.claim_training(campaign.sessions, job_id, "trainer")
    campaign.film()  # is decided upon while the training runs
    with campaign.sessions() as session:
        running = {job.kind: job.state for job in session.scalars(select(JobRow).where(JobRow.state == "leased"))}
        assert running == {"train": "leased"}
        assert jobs.due(session, jobs.TRAIN) == [], "one training of a campaign at a time"
    assert len(campaign.waiting()) == 1
    assert training.revision < campaign.api.get(f"/v1/campaigns/{campaign.id}").json()["revision"]


def test_of_two_workers_on_one_training_one_publishes(campaign):
    (job_id,) = campaign.waiting()
    slow = trainings.claim_training(campaign.sessions, job_id, "silent")
    from workers.learning import learn  # noqa: PLC0415  (brings torch, as in the worker itself)

    learned = learn(campaign.settings, slow, lambda _phase: None)
    with campaign.sessions.begin() as session:
        late = func.now() - func.make_interval(0, 0, 0, 0, 0, 1)
        session.execute(update(JobRow).where(JobRow.id == job_id).values(lease_until=late))
    sweep(campaign.sessions)
    version = campaign.train()
    assert trainings.publish_training(campaign.sessions, slow, learned) is None
    with campaign.sessions() as session:
        kept = session.scalars(select(ModelVersionRow.id).where(ModelVersionRow.kind == "generator")).all()
    assert kept == [version]
    (failed,) = campaign.events("training.failed")
    assert "fell silent" in failed["error"]
    assert campaign.events("decision.failed") == []


def test_a_generator_of_retracted_readings_is_neither_kept_nor_used(campaign):
    (job_id,) = campaign.waiting()
    training = trainings.claim_training(campaign.sessions, job_id, "trainer")
    from workers.learning import learn  # noqa: PLC0415

    learned = learn(campaign.settings, training, lambda _phase: None)
    rows = campaign.api.get(f"/v1/campaigns/{campaign.id}/dataset").json()["rows"]
    body = {"ids": [rows[0]["id"]], "reason": "scratched"}
    assert campaign.api.post(f"/v1/campaigns/{campaign.id}/retractions", json=body).status_code == 201
    assert trainings.publish_training(campaign.sessions, training, learned) is None
    (told,) = campaign.events("training.overtaken")
    assert "retracted" in told["why"]
    campaign.decide()
    version = campaign.train()
    rows = campaign.api.get(f"/v1/campaigns/{campaign.id}/dataset").json()["rows"]
    body = {"ids": [rows[0]["id"]], "reason": "scratched, too"}
    assert campaign.api.post(f"/v1/campaigns/{campaign.id}/retractions", json=body).status_code == 201
    campaign.decide()
    assert version not in {p["provenance"]["generator_version_id"] for p in campaign.proposals()[-1:]}


def test_a_generator_learns_from_prior_data_before_any_film_and_is_not_used_once_they_are_withdrawn(
    api, sessions, settings
):
    known = [{"Fe": 0.4, "Pd": 0.6}, {"Ga": 0.5, "Pd": 0.5}]
    campaign = Learning(api, sessions, settings, SMALL | {"known": known})
    said = {"property": "magnetisation", "unit": "emu/cm3", "process": {"anneal_c": 450.0}}
    rng = np.random.default_rng(3)
    drawn = (0.05 + 0.85 * rng.dirichlet(np.ones(3), 30)).round(6)
    rows = [said | {"composition": dict(zip(("Fe", "Ga", "Pd"), x, strict=True)), "value": 100.0 * x[0]} for x in drawn]
    taken = api.post(f"/v1/campaigns/{campaign.id}/prior-data/files", json={"rows": rows})
    assert taken.status_code == 201, taken.text
    campaign.decide()
    version = campaign.train()
    (kept,) = campaign.versions()
    assert kept["metrics"]["examples"] == 32
    assert kept["metrics"]["health"]["verdict"] == "healthy"
    campaign.film()
    assert campaign.proposals()[-1]["provenance"]["generator_version_id"] == version
    prior = taken.json()["prior_data"]["id"]
    gone = api.post(f"/v1/prior-data/{prior}/withdrawal", json={"reason": "another furnace"})
    assert gone.status_code in {200, 201}, gone.text
    campaign.decide()
    assert campaign.proposals()[-1]["provenance"]["generator_version_id"] != version


def test_too_few_readings_end_a_training_without_fuss(api, sessions, settings):
    campaign = Learning(api, sessions, settings)
    campaign.decide()
    film = campaign.make("ada")
    campaign.measure(film, devices=range(2))
    campaign.decide()
    assert campaign.train() is None
    assert campaign.versions() == campaign.events("training.dead") == campaign.events("training.failed") == []


def test_without_a_generator_nothing_is_trained(api, sessions, settings):
    campaign = Campaign(api, sessions, settings, {k: v for k, v in PROBLEM.items() if k != "generator"})
    campaign.decide()
    campaign.measure(campaign.make("ada"), devices=range(8))
    campaign.decide()
    with sessions() as session:
        assert list(jobs.live(session, campaign.id, jobs.TRAIN)) == []


def test_a_decision_under_way_loses_nothing_to_a_lost_training_request(campaign):
    """The wish is written with the decision, in its transaction: without the one there is not the other."""
    first = campaign.waiting()
    campaign.measure(campaign.make("bob"), devices=range(8))
    with campaign.sessions() as session:
        (job,) = [j.id for j in jobs.live(session, campaign.id)]
    taken = decide.decisions.claim_decision(campaign.sessions, job, "worker")
    assert publish_decision(campaign.sessions, taken, None, [])
    assert campaign.waiting() == first
    with campaign.sessions() as session:
        assert session.get(JobRow, first[0]).wanted_revision == taken.revision


def test_compositions_for_a_target_obey_the_rules_and_say_what_is_expected(campaign):
    version = campaign.train()
    bounds = [{"element": "Pd", "upper": 0.1}]
    told = campaign.ask(
        count=6,
        targets={"magnetisation": {"value": 60.0, "tolerance": 5.0}},
        constraints={"bounds": bounds},
        process={"anneal_c": 300.0},
    )
    assert told["state"] == "succeeded", told["error"]
    assert told["generator_version_id"] == version
    assert told["model_version_id"] is not None
    assert told["answer"]["drawn_by"] == "generator"
    assert told["answer"]["process"] == {"anneal_c": 300.0}
    found = told["answer"]["compositions"]
    assert 1 <= len(found) <= 6
    for each in found:
        assert abs(sum(each["composition"].values()) - 1.0) < 1e-9
        assert each["composition"]["Pd"] <= 0.1 + 1e-9
        assert each["predicted"]["magnetisation"]["sd"] > 0.0
        assert {"rules", "novelty", "magnetisation"} == {v["name"] for v in each["verdicts"]}
    body = {"compositions": [c["composition"] for c in found], "process": {"anneal_c": 300.0}}
    served = campaign.api.post(f"/v1/campaigns/{campaign.id}/predictions", json=body).json()["properties"][0]
    expected = [c["predicted"]["magnetisation"] for c in found]
    np.testing.assert_allclose([e["mean"] for e in expected], served["mean"], rtol=1e-6)
    np.testing.assert_allclose([e["sd"] for e in expected], served["latent_sd"], rtol=1e-5)
    listed = campaign.api.get(f"/v1/campaigns/{campaign.id}/generations").json()["items"]
    assert [g["id"] for g in listed] == [told["id"]]
    (event,) = campaign.events("generation.answered")
    assert event["generation_id"] == told["id"]


def test_compositions_are_there_before_any_model_is(api, sessions, settings):
    campaign = Learning(api, sessions, settings)
    told = campaign.ask(count=3)
    assert told["answer"]["drawn_by"] == "uniform"
    assert all(c["predicted"] is None and c["novelty"] is None for c in told["answer"]["compositions"])
    campaign.decide()
    campaign.film()
    assert campaign.ask(count=3)["answer"]["drawn_by"] == "jitter"


@pytest.mark.parametrize(
    ("said", "pointer"),
    [
        ({"targets": {"hardness": {"value": 1.0}}}, "/targets"),
        ({"constraints": {"bounds": [{"element": e, "lower": 0.9} for e in ("Pd", "Fe")]}}, "/constraints"),
        ({"constraints": {"bounds": [{"element": "Au", "lower": 0.1}]}}, "/constraints"),
        ({"process": {"pressure": 1.0}}, "/process"),
        ({"count": 0}, "/count"),
    ],
)
def test_what_cannot_be_drawn_is_refused_at_once(api, sessions, settings, said, pointer):
    campaign = Learning(api, sessions, settings)
    answer = api.post(f"/v1/campaigns/{campaign.id}/generations", json=said)
    assert answer.status_code == 422
    assert [e["pointer"] for e in answer.json()["errors"]] == [pointer]
