"""Readings that no longer count: from a revision on, until another one, and visible wherever they counted."""

import itertools

import pytest

from service.operations.decisions import publish_decision
from service.store import datasets
from service.store.tables import CampaignRow, JobRow


class Record:
    """A campaign with one made film of 3 devices, its readings, and what the API says of them."""

    def __init__(self, api, loop, reading):
        self.api, self.loop, self.reading = api, loop, reading
        self.id = loop.campaign()
        loop.decide(self.id)
        self.film = self.make()

    def make(self):
        path = f"/v1/campaigns/{self.id}/claims"
        lease = self.api.post(path, json={"robot": "ada"}).json()["lease"]
        token = {"Lease-Token": lease["token"]}
        film = self.api.post(f"/v1/leases/{lease['id']}/start", headers=token).json()["film_id"]
        self.api.post(f"/v1/leases/{lease['id']}/complete", json={"outcome": "ok"}, headers=token)
        return film

    def measure(self, *rows, instrument="squid"):
        answer = self.api.measure(self.id, list(rows), instrument=instrument)
        assert answer.status_code == 201, answer.text
        return answer.json()["measurement_ids"]

    def retract(self, **what):
        return self.api.post(f"/v1/campaigns/{self.id}/retractions", json={"reason": "wrong range"} | what)

    def reverse(self, retraction):
        return self.api.post(f"/v1/retractions/{retraction}/reversal", json={"reason": "it was right after all"})

    def uids(self, revision=None):
        query = "" if revision is None else f"?revision={revision}"
        rows = self.api.get(f"/v1/campaigns/{self.id}/dataset{query}").json()["rows"]
        return "".join(sorted(row["uid"] for row in rows))

    def proposals(self):
        return [p["state"] for p in self.api.get(f"/v1/campaigns/{self.id}/proposals").json()["items"]]

    def events(self):
        return [e["type"] for e in self.api.get(f"/v1/campaigns/{self.id}/events").json()["items"]]


@pytest.fixture
def record(api, loop, reading):
    return Record(api, loop, reading)


def test_a_retraction_and_its_reversal_change_what_follows_and_nothing_before(record, reading):
    ids = record.measure(*(reading(record.film, k, uid=uid) for k, uid in enumerate("abc")))
    before = {r: record.api.get(f"/v1/campaigns/{record.id}/dataset?revision={r}") for r in (0, 1)}
    made = record.retract(ids=ids[:2])
    assert made.status_code == 201, made.text
    body = made.json()
    assert (body["revision"], body["readings"], body["state"], body["reversal"]) == (2, 2, "in_force", None)
    assert body["what"] == {
        "kind": "ids",
        "measurement_ids": ids[:2],
        **dict.fromkeys(("film_id", "instrument", "measured_from", "measured_until", "calibration_id")),
    }
    assert (body["decision"]["wanted_revision"], body["also_later"]) == (2, False)
    assert (record.uids(), record.uids(1)) == ("c", "abc")
    now = record.api.get(f"/v1/campaigns/{record.id}/dataset").json()
    assert (now["retracted"], [row["id"] for row in now["rows"]]) == (2, ids[2:])
    reversed_ = record.reverse(body["id"])
    assert (reversed_.status_code, reversed_.json()["state"]) == (200, "reversed")
    assert reversed_.json()["reversal"]["revision"] == 3
    again = record.retract(ids=ids[1:]).json()
    assert (again["revision"], record.uids()) == (4, "a")
    assert [record.uids(r) for r in range(5)] == ["", "abc", "c", "abc", "a"]
    for revision, first in before.items():
        now = record.api.get(f"/v1/campaigns/{record.id}/dataset?revision={revision}")
        assert (now.content, now.headers["ETag"]) == (first.content, first.headers["ETag"])
    listed = record.api.get(f"/v1/campaigns/{record.id}/retractions").json()["items"]
    assert [(r["id"], r["state"]) for r in listed] == [(body["id"], "reversed"), (again["id"], "in_force")]
    assert record.api.get(f"/v1/retractions/{again['id']}").json() == listed[1]
    told = [e for e in record.api.get(f"/v1/campaigns/{record.id}/events").json()["items"] if "readings." in e["type"]]
    assert told[0]["data"] == {"retraction_id": body["id"], "revision": 2, "readings": 2, "compositions": 0}
    assert [e["type"] for e in told] == ["readings.retracted", "readings.restored", "readings.retracted"]


def test_equal_data_have_equal_hashes_whatever_was_retracted_between(record, reading):
    ids = record.measure(reading(record.film, 0, uid="a"))
    made = record.retract(ids=ids).json()
    record.reverse(made["id"])
    hashes = [record.api.get(f"/v1/campaigns/{record.id}/dataset?revision={r}").headers["ETag"] for r in range(4)]
    assert hashes[1] == hashes[3]
    assert hashes[0] == hashes[2] != hashes[1]


def test_a_reading_that_two_retractions_cover_counts_when_both_are_reversed(record, reading):
    ids = record.measure(reading(record.film, 0, uid="a"), reading(record.film, 1, uid="b"))
    first, second = record.retract(ids=ids).json(), record.retract(film_id=record.film).json()
    assert record.uids() == ""
    record.reverse(first["id"])
    assert record.uids() == ""
    record.reverse(second["id"])
    assert record.uids() == "ab"
    refused = record.reverse(first["id"])
    assert (refused.status_code, "was reversed at revision 4" in refused.json()["detail"]) == (409, True)


def test_a_window_is_half_open_and_of_one_instrument(record, reading):
    times = [f"2026-03-0{day}T00:00:00Z" for day in (1, 2, 3)]
    record.measure(*(reading(record.film, 0, uid=uid, measured_at=t) for uid, t in zip("abc", times, strict=True)))
    record.measure(reading(record.film, 1, uid="d", measured_at=times[1]), instrument="other")
    made = record.retract(instrument="squid", measured_from=times[0], measured_until=times[2]).json()
    assert (made["readings"], record.uids()) == (2, "cd")
    assert made["what"]["measured_until"] == "2026-03-03T00:00:00.000000Z"
    readings = record.api.get(f"/v1/retractions/{made['id']}/readings?limit=1").json()
    rest = record.api.get(f"/v1/retractions/{made['id']}/readings?after={readings['next']}").json()
    assert (sorted(r["uid"] for r in readings["items"] + rest["items"]), rest["next"]) == (["a", "b"], None)
    assert record.retract(instrument="other").json()["readings"] == 1


@pytest.mark.parametrize("also_later", [True, False])
def test_what_arrives_later_is_covered_if_it_was_said(record, reading, also_later):
    record.measure(reading(record.film, 0, uid="a"))
    made = record.retract(film_id=record.film, also_later=also_later).json()
    record.measure(reading(record.film, 1, uid="b"))
    assert record.uids() == ("" if also_later else "b")
    assert record.api.get(f"/v1/retractions/{made['id']}").json()["readings"] == (2 if also_later else 1)
    record.reverse(made["id"])
    assert record.uids() == "ab"
    record.measure(reading(record.film, 2, uid="c"))
    assert record.uids() == "abc"


def test_a_film_shows_what_was_retracted_and_keeps_its_state(record, reading):
    ids = record.measure(*(reading(record.film, k) for k in range(3)))
    record.retract(ids=ids[1:2])
    film = record.api.get(f"/v1/films/{record.film}").json()
    assert film["state"] == "measured"
    assert [(d["readings"], d["retracted"]) for d in film["devices"]] == [(1, 0), (0, 1), (1, 0)]


def test_what_is_ready_and_rests_on_it_is_superseded(record, reading):
    ids = record.measure(reading(record.film, 0))
    record.loop.decide(record.id)
    assert record.proposals() == ["made", "ready"]
    made = record.retract(ids=ids).json()
    assert record.proposals() == ["made", "superseded"]
    ready = record.api.get(f"/v1/proposals/{made['superseded'][0]}").json()
    assert (ready["state"], ready["rests_on_retracted"]) == ("superseded", True)
    assert record.events()[-1] == "proposals.superseded"
    assert record.api.post(f"/v1/campaigns/{record.id}/claims", json={"robot": "ada"}).status_code == 204
    decision = record.loop.decide(record.id)
    assert (decision.revision, len(decision.dataset), record.proposals()[-1]) == (2, 0, "ready")
    record.reverse(made["id"])
    read = record.api.get(f"/v1/campaigns/{record.id}/proposals").json()["items"]
    assert [p["rests_on_retracted"] for p in read] == [False, False, False]


def test_what_is_ready_and_does_not_rest_on_it_stays(record, reading):
    record.loop.decide(record.id)
    ids = record.measure(reading(record.film, 0))
    assert record.retract(ids=ids).json()["superseded"] == []
    assert record.proposals() == ["made", "ready"]


def test_a_decision_on_data_retracted_meanwhile_does_not_come_into_force(record, reading):
    """Row 18 of the fault matrix, every interleaving of one training with retraction and reversal."""
    ids = itertools.chain(record.measure(*(reading(record.film, 0, uid=uid) for uid in "abcd")))
    record.loop.decide(record.id)

    def training():
        record.measure(reading(record.film, 1))
        return record.loop.take(record.id)

    def publish(decision):
        return publish_decision(record.loop.sessions, decision, None, record.loop.advice(1))

    running = training()
    record.retract(ids=[next(ids)])
    assert not publish(running)
    assert "decision.overtaken" in record.events()
    assert record.proposals().count("ready") == 0
    running = record.loop.take(record.id)  # the decision that the retraction asked for
    assert publish(running)
    assert record.loop.row(CampaignRow, record.id).decided_revision == running.revision

    running = training()
    taken_back = record.retract(ids=[next(ids)]).json()
    record.reverse(taken_back["id"])  # the data are again what the training saw
    assert publish(running)

    late = record.retract(ids=[next(ids)]).json()
    running = record.loop.take(record.id)
    record.reverse(late["id"])  # more data than it saw, none that is wrong
    assert publish(running)
    assert record.loop.row(JobRow, running.job_id).state == "succeeded"

    record.retract(ids=[next(ids)])
    running = record.loop.take(record.id)
    record.retract(film_id=record.film)
    assert not publish(running)


def test_data_that_did_not_count_for_a_decision_do_not_spoil_it(record, reading):
    first, second = record.measure(reading(record.film, 0, uid="a"), reading(record.film, 1, uid="b"))
    record.retract(ids=[first])
    running = record.loop.take(record.id)
    record.retract(ids=[first])
    assert publish_decision(record.loop.sessions, running, None, record.loop.advice(1))
    assert record.retract(ids=[second]).json()["superseded"] != []


@pytest.mark.parametrize(
    ("what", "where"),
    [
        ({"ids": ["msr_nobody"]}, "/ids"),
        ({"film_id": "flm_nobody"}, "/film_id"),
        ({"instrument": "nobody"}, "/instrument"),
        ({"calibration_id": "cal_nobody"}, "/calibration_id"),
    ],
)
def test_what_is_not_of_the_campaign_is_refused(record, what, where):
    before = record.loop.row(CampaignRow, record.id).revision
    refused = record.retract(**what)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, where)
    assert record.loop.row(CampaignRow, record.id).revision == before


def test_a_reading_of_another_campaign_is_not_retracted(record, api, loop, reading):
    other = Record(api, loop, reading)
    (foreign,) = other.measure(reading(other.film, 0, uid="a"))
    assert record.retract(ids=[foreign]).status_code == 422
    assert record.retract(film_id=other.film).status_code == 422
    assert other.uids() == "a"


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ({}, "got none"),
        ({"film_id": "f", "instrument": "i"}, "got film_id, instrument"),
        ({"film_id": "f", "measured_from": "2026-03-01T00:00:00Z"}, "a window is of an instrument"),
        ({"ids": []}, "at least 1 item"),
        (
            {"instrument": "i", "measured_from": "2026-03-02T00:00:00Z", "measured_until": "2026-03-02T00:00:00Z"},
            "measured_until must be after measured_from",
        ),
    ],
)
def test_a_request_that_does_not_name_one_thing_is_refused(record, what, said):
    refused = record.retract(**what)
    assert refused.status_code == 422
    assert said in refused.text


def test_a_description_that_fits_nothing_is_refused(record):
    refused = record.retract(film_id=record.film)
    assert (refused.status_code, "no reading fits" in refused.json()["detail"]) == (422, True)
    assert record.api.get(f"/v1/campaigns/{record.id}/retractions").json()["items"] == []


def test_a_repeated_request_retracts_once(record, reading):
    record.measure(reading(record.film, 0))
    path, body = f"/v1/campaigns/{record.id}/retractions", {"film_id": record.film, "reason": "x"}
    first, second = (record.api.post(path, "one", json=body) for _ in range(2))
    assert (second.content, second.headers["Idempotency-Replayed"]) == (first.content, "true")
    assert len(record.api.get(path).json()["items"]) == 1


def test_the_store_and_the_door_agree_on_what_counts(record, reading):
    ids = record.measure(*(reading(record.film, k, uid=uid) for k, uid in enumerate("abc")))
    record.retract(ids=ids[:1])
    with record.loop.sessions() as session:
        assert [len(datasets.snapshot(session, record.id, r)) for r in (0, 1, 2)] == [0, 3, 2]


def test_a_wrong_composition_map_is_retracted_like_readings(record, reading):
    def fe():
        (row,) = record.api.get(f"/v1/campaigns/{record.id}/dataset").json()["rows"]
        return row["composition"]["Fe"]

    def send(day, share):
        row = {"film_id": record.film, "device": 0, "measured_at": f"2026-03-0{day}T00:00:00Z"}
        rows = [row | {"fractions": {"Fe": share, "Ga": 1.0 - share}}]
        body = {"instrument": "edx", "compositions": rows}
        answer = record.api.post(f"/v1/campaigns/{record.id}/composition-maps", json=body)
        assert answer.status_code == 201, answer.text

    record.measure(reading(record.film, 0))
    proposed = fe()
    edx = record.api.post(f"/v1/campaigns/{record.id}/instruments", json={"name": "edx"}).json()["id"]
    said = {"method": "pure standards", "valid_from": "2026-03-02T00:00:00Z"}
    calibration = record.api.post(f"/v1/instruments/{edx}/calibrations", json=said).json()["id"]
    send(1, 0.25)
    send(3, 0.75)
    record.loop.decide(record.id)
    assert fe() == 0.75
    made = record.retract(calibration_id=calibration).json()
    assert (made["readings"], made["compositions"], len(made["superseded"]), fe()) == (0, 1, 1, 0.25)
    send(4, 0.5)
    assert fe() == 0.25
    assert record.retract(instrument="edx", measured_until="2026-03-02T00:00:00Z").json()["compositions"] == 1
    assert fe() == proposed
    decision = record.loop.take(record.id)
    assert decision.dataset.X[0, 0] == pytest.approx(proposed)
    record.reverse(made["id"])
    assert fe() == 0.5
    assert publish_decision(record.loop.sessions, decision, None, record.loop.advice(1))
