"""Calibration samples: registered, read again and again, and what a drifting instrument's films are worth with them."""

import numpy as np
import pytest

from service.operations.decisions import publish_decision
from service.store import jobs
from tests.integration.test_retractions import Record
from workers.decide import run

AT = "2026-03-{:02}T{:02}:00:00Z"


@pytest.fixture
def record(api, loop, reading):
    return Record(api, loop, reading)


@pytest.fixture
def coupon(record):
    said = {"name": "coupon 7", "property": "magnetisation", "unit": "emu/cm3", "assigned_value": 50.0}
    made = record.api.post(f"/v1/campaigns/{record.id}/samples", json=said)
    assert made.status_code == 201, made.text
    return made.json()["id"]


def read(record, sample, *values, instrument="squid", **said):
    rows = [{"unit": "emu/cm3", "value": v, "measured_at": AT.format(k + 1, 8)} | said for k, v in enumerate(values)]
    return record.api.post(f"/v1/samples/{sample}/readings", json={"instrument": instrument, "readings": rows})


def test_a_sample_is_registered_read_and_listed(record, coupon):
    path = f"/v1/campaigns/{record.id}/samples"
    sample = record.api.get(f"/v1/samples/{coupon}").json()
    assert (sample["assigned_value"], sample["std_uncertainty"], sample["unit"]) == (50.0, None, "emu/cm3")
    assert record.api.get(path).json() == {"items": [sample], "next": None}
    batch = read(record, coupon, 50.5, 51.0, std_uncertainty=0.1)
    assert batch.status_code == 201, batch.text
    body = batch.json()
    assert (body["revision"], body["accepted"], body["duplicates"], body["sample_id"]) == (1, 2, 0, coupon)
    assert body["decision"]["wanted_revision"] == 1
    first = record.api.get(f"/v1/samples/{coupon}/readings?limit=1").json()
    rest = record.api.get(f"/v1/samples/{coupon}/readings?after={first['next']}").json()
    items = sorted(first["items"] + rest["items"], key=lambda r: r["value"])
    assert [(r["value"], r["deviation"], r["retracted"]) for r in items] == [(50.5, 0.5, False), (51.0, 1.0, False)]
    assert {r["id"] for r in items} == set(body["measurement_ids"])
    assert record.events()[-2:] == ["sample.registered", "sample.read"]
    assert record.uids() == ""


def test_other_units_are_understood(record):
    path = f"/v1/campaigns/{record.id}/samples"
    said = {"name": "c", "property": "magnetisation", "unit": "kA/m", "assigned_value": 2.0, "std_uncertainty": 1.0}
    made = record.api.post(path, json=said).json()
    assert (made["assigned_value"], made["std_uncertainty"], made["unit"]) == (2.0, 1.0, "emu/cm3")
    assert read(record, made["id"], 3000.0, unit="A/m", uid="u").json()["accepted"] == 1
    (row,) = record.api.get(f"/v1/samples/{made['id']}/readings").json()["items"]
    assert (row["value"], row["deviation"]) == (pytest.approx(3.0), pytest.approx(1.0))
    assert read(record, made["id"], 3000.0, unit="A/m", uid="u").json()["duplicates"] == 1
    refused = read(record, made["id"], 3.0, unit="A/m", uid="u")
    assert (refused.status_code, "readings never change" in refused.json()["detail"]) == (409, True)
    refused = read(record, made["id"], 3.0, unit="V")
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/readings/0/unit")


@pytest.mark.parametrize(
    ("change", "where"),
    [({"property": "colour"}, "/property"), ({"unit": "V"}, "/unit"), ({"name": ""}, "/name")],
)
def test_a_sample_that_cannot_be_is_refused(record, change, where):
    said = {"name": "c", "property": "magnetisation", "unit": "emu/cm3"} | change
    refused = record.api.post(f"/v1/campaigns/{record.id}/samples", json=said)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, where)


def test_a_name_is_given_once(record, coupon):
    said = {"name": "coupon 7", "property": "magnetisation", "unit": "emu/cm3"}
    refused = record.api.post(f"/v1/campaigns/{record.id}/samples", json=said)
    assert (refused.status_code, coupon in refused.json()["detail"]) == (409, True)


def test_every_fault_of_readings_is_named(record, coupon):
    faults = [{"uid": "u", "replicates": 3}, {"uid": "u"}]
    rows = [{"unit": "emu/cm3", "value": 1.0, "measured_at": AT.format(1, 0)} | fault for fault in faults]
    refused = record.api.post(f"/v1/samples/{coupon}/readings", json={"instrument": "squid", "readings": rows})
    assert refused.status_code == 422
    assert [e["pointer"] for e in refused.json()["errors"]] == ["/readings/0/std_uncertainty", "/readings/1/uid"]
    assert record.api.get(f"/v1/samples/{coupon}/readings").json()["items"] == []


def test_a_decision_sees_samples_apart_from_films(record, coupon, reading):
    record.measure(reading(record.film, 0))
    record.loop.decide(record.id)
    before = record.api.get(f"/v1/campaigns/{record.id}/dataset").headers["ETag"]
    read(record, coupon, 50.5, 51.0)
    read(record, coupon, 70.0, instrument="other")
    decision = record.loop.take(record.id)
    data = decision.dataset
    assert (len(data), data.calibration.sum(), len(data.of_films())) == (4, 3, 1)
    assert set(data.films[data.calibration]) == {"squid/coupon 7", "other/coupon 7"}
    assert sorted(data.Y[data.calibration, 0]) == [50.5, 51.0, 70.0]
    assert decision.films_known == 1  # no sample is a film
    after = record.api.get(f"/v1/campaigns/{record.id}/dataset").headers["ETag"]
    assert (after, after != before) == (f'"{decision.snapshot_hash}"', True)


def test_readings_of_a_sample_are_retracted_like_any_other(record, coupon):
    ids = read(record, coupon, 50.5, 51.0).json()["measurement_ids"]
    running = record.loop.take(record.id)
    assert record.retract(instrument="squid", measured_until=AT.format(2, 0)).json()["readings"] == 1
    assert not publish_decision(record.loop.sessions, running, None, record.loop.advice(1))
    seen = record.api.get(f"/v1/samples/{coupon}/readings").json()["items"]
    assert {r["id"]: r["retracted"] for r in seen} == {ids[0]: True, ids[1]: False}
    path = f"/v1/campaigns/{record.id}/dataset"
    assert {r["id"] for r in record.api.get(f"{path}/samples?revision=1").json()["items"]} == set(ids)
    (left,) = record.api.get(f"{path}/samples").json()["items"]
    assert (left["id"], left["sample"], left["value"], left["instrument"]) == (ids[1], "coupon 7", 51.0, "squid")
    assert record.api.get(path).json()["retracted"] == 1
    assert record.api.get(f"{path}/samples?revision=9").status_code == 404
    assert len(record.loop.take(record.id).dataset) == 1


@pytest.mark.parametrize("path", ["samples/smp_x", "samples/smp_x/readings"])
def test_an_unknown_sample_is_not_found(api, path):
    assert api.get(f"/v1/{path}").status_code == 404


def test_a_drifting_instrument_that_reads_a_sample_is_seen_through(record, coupon, settings):
    """The same films twice: with the sample's readings the property is known far better than without."""
    slope, rng = 1.0, np.random.default_rng(5)

    def truth(x):
        return 6.0 * x["Fe"] - 3.0 * x["Ga"] ** 2

    def decide():
        with record.loop.sessions() as session:
            (job,) = [j.id for j in jobs.live(session, record.id) if j.state == "pending"]
        assert run(record.loop.sessions, settings, job, worker="worker")

    def error():
        process = {"anneal_c": 450.0, "substrate": "Si"}
        body = {"grid": {"divisions": 8}, "process": process}
        found = record.api.post(f"/v1/campaigns/{record.id}/predictions", json=body).json()
        said = np.array(found["properties"][0]["mean"])
        return float(np.sqrt(np.mean((said - [truth(x) for x in found["points"]]) ** 2)))

    for day in range(7):
        film = record.film if day == 0 else record.make()
        drift = slope * day
        made = record.api.get(f"/v1/films/{film}").json()["devices"]
        values = [truth(d["proposed"]) + drift + 0.02 * rng.standard_normal() for d in made]
        when = AT.format(day + 1, 9)
        record.measure(*(record.reading(film, k, value=v, measured_at=when) for k, v in enumerate(values)))
        if day < 6:
            record.loop.decide(record.id)
    decide()
    without = error()
    read(record, coupon, *(50.0 + slope * day + 0.02 * rng.standard_normal() for day in range(7)))
    decide()
    assert error() < 0.5 * without
