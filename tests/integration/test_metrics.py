"""Figures for Prometheus, read as Prometheus reads them."""

import re
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from service.operations.refill import request_decision


@pytest.fixture
def scrape(api):
    def read():
        answer = api.client.get("/metrics")
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/plain; version=1.0.0")
        found = {}
        for family in text_string_to_metric_families(answer.text):
            for sample in family.samples:
                found[sample.name, *sorted(sample.labels.items())] = sample.value
        return found

    return read


def test_every_figure_is_explained_to_operators(api):
    page = (Path(__file__).parents[2] / "docs/operating.md").read_text(encoding="utf-8")
    said = page.partition("## What to watch")[2].partition("\n## ")[0]
    explained = set(re.findall(r"`(filmloop_\w+)", said))
    api.client.get("/v1/campaigns")
    shown = {family.name for family in text_string_to_metric_families(api.client.get("/metrics").text)}
    assert explained == {name for name in shown if not name.endswith("_created")}  # when counting began


def test_requests_are_counted_by_operation_and_status(api, scrape):
    for _ in range(3):
        api.client.get("/v1/campaigns/none")
    api.client.get("/no/such/path")
    found = scrape()
    count = "filmloop_request_seconds_count"
    assert found[count, ("operation", "read_campaign"), ("status", "404")] == 3
    assert found[count, ("operation", "none"), ("status", "404")] == 1
    bucket = ("filmloop_request_seconds_bucket", ("le", "30.0"), ("operation", "read_campaign"), ("status", "404"))
    assert found[bucket] == 3


def test_the_record_is_seen_as_it_stands(api, loop, scrape):
    before = scrape()
    assert before["filmloop_database_up",] == 1
    assert before["filmloop_jobs", ("state", "pending")] == 0
    assert before["filmloop_job_oldest_due_seconds",] == 0
    campaign = loop.campaign(queue_depth=2)
    with loop.sessions.begin() as session:
        request_decision(session, campaign, 0)
    waiting = scrape()
    assert waiting["filmloop_jobs", ("state", "pending")] == 1
    assert waiting["filmloop_job_oldest_due_seconds",] > 0
    loop.decide(campaign)
    decided = scrape()
    assert decided["filmloop_jobs", ("state", "pending")] == 0
    assert decided["filmloop_decisions_last_hour",] == 1
    assert decided["filmloop_decision_seconds", ("quantile", "0.5")] > 0
    assert decided["filmloop_proposals", ("state", "ready")] == 2
    assert decided["filmloop_campaigns", ("state", "active")] == 1
    claimed = api.post(f"/v1/campaigns/{campaign}/claims", json={"robot": "ada"}).json()["lease"]
    token = {"Lease-Token": claimed["token"]}
    film = api.post(f"/v1/leases/{claimed['id']}/start", headers=token).json()["film_id"]
    row = {"property": "magnetisation", "unit": "emu/cm3", "measured_at": "2026-03-01T12:00:00Z", "value": 1.0}
    api.measure(campaign, [{**row, "film_id": film, "device": k} for k in range(3)])
    made = scrape()
    assert made["filmloop_leases",] == 1
    assert made["filmloop_proposals", ("state", "running")] == 1
    assert made["filmloop_readings", ("campaign", campaign)] == 3
    assert made["filmloop_revisions_behind", ("campaign", campaign)] >= 1


def test_how_true_the_newest_model_is(loop, settings, scrape):
    from service.operations.decisions import ModelRecord, publish_decision, store_artifact  # noqa: PLC0415

    campaign = loop.campaign()
    for share in (0.5, 0.96):
        with loop.sessions.begin() as session:
            request_decision(session, campaign, 0)
        decision = loop.take(campaign)
        reports = [{"leave_film_out": {"coverage_95": share, "log_density": -0.5}}, {"leave_film_out": None}]
        artifact = store_artifact(settings.artifacts_dir, str(share).encode())
        model = ModelRecord("film_gp", 1, {"objectives": reports}, {}, {"points": []}, artifact)
        assert publish_decision(loop.sessions, decision, model, loop.advice(1))
    found = scrape()
    here = (("campaign", campaign), ("property", "0"))
    assert found["filmloop_model_coverage_95", *here] == 0.96
    assert found["filmloop_model_log_density", *here] == -0.5
    assert ("filmloop_model_coverage_95", ("campaign", campaign), ("property", "1")) not in found
