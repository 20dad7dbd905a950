"""Measurement batches over HTTP: what is stored, what a repetition does, what closes a film."""

import threading

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError, OperationalError

from service.store import measurements
from service.store.tables import FilmRow, JobRow, MeasurementRow, ProposalRow
from tests.integration.conftest import DEVICES, PROBLEM


def state_of(sessions, table, row_id):
    with sessions() as session:
        return session.execute(select(table.state).where(table.id == row_id)).scalar_one()


def test_a_batch_is_stored_numbered_and_asks_for_a_decision(api, lab, reading):
    campaign = lab.campaign()
    film = lab.film(campaign)
    response = api.measure(campaign, [reading(film, 0, uid="a"), reading(film, 1)])
    assert response.status_code == 201, response.text
    receipt = response.json()
    assert (receipt["campaign_id"], receipt["instrument"]) == (campaign, "squid")
    assert (receipt["revision"], receipt["accepted"], receipt["duplicates"]) == (1, 2, 0)
    assert len(set(receipt["measurement_ids"])) == 2
    assert receipt["decision"]["wanted_revision"] == 1
    with lab.sessions() as session:
        job = session.get(JobRow, receipt["decision"]["job_id"])
        assert (job.state, job.kind, job.wanted_revision) == ("pending", "decide", 1)
        stored = {m.id: m for m in session.scalars(select(MeasurementRow))}
    assert set(stored) == set(receipt["measurement_ids"])
    first, second = (stored[i] for i in receipt["measurement_ids"])
    assert (first.uid, first.value, first.std_uncertainty, first.device) == ("a", 100.0, 0.5, 0)
    assert first.measured_at.isoformat() == "2026-03-01T12:00:00+00:00"
    assert second.uid == second.id


def test_batches_share_one_pending_decision(api, lab, reading):
    campaign = lab.campaign()
    film = lab.film(campaign)
    receipts = [api.measure(campaign, [reading(film, k)]).json() for k in range(3)]
    assert [r["revision"] for r in receipts] == [1, 2, 3]
    assert len({r["decision"]["job_id"] for r in receipts}) == 1
    with lab.sessions() as session:
        pending = session.scalars(select(JobRow).where(JobRow.state == "pending")).all()
    assert [j.wanted_revision for j in pending] == [3]


def test_the_thirtieth_batch_is_like_the_first(api, lab, reading):
    """From the eleventh on, statements are prepared and planned for any value: what the first shows is not enough."""
    campaign = lab.campaign()
    film = lab.film(campaign)
    for k in range(30):
        assert api.measure(campaign, [reading(film, k % 5)]).status_code == 201


def test_a_position_finds_its_device(api, lab, reading):
    campaign = lab.campaign()
    film = lab.film(campaign)
    row = reading(film, 1, device=..., position=0.25 + 9e-7)
    assert api.measure(campaign, [row]).status_code == 201
    with lab.sessions() as session:
        assert session.scalars(select(MeasurementRow.device)).all() == [1]


def test_a_place_in_mm_is_along_the_film_as_it_was_proposed(api, lab, reading):
    campaign = lab.campaign(problem=PROBLEM | {"film": {"devices": DEVICES, "length_mm": 76.0}})
    film = lab.film(campaign)
    rows = [reading(film, k, device=..., position_mm=19.0 * k + 0.05) for k in (0, 3)]
    assert api.measure(campaign, rows).status_code == 201
    with lab.sessions() as session:
        assert session.scalars(select(MeasurementRow.device).order_by(MeasurementRow.device)).all() == [0, 3]
    between = api.measure(campaign, [reading(film, 0, device=..., position_mm=9.5)])
    assert between.status_code == 422
    assert "the nearest is" in between.json()["errors"][0]["message"]


def test_a_repeated_request_gets_the_first_answer(api, lab, reading):
    campaign = lab.campaign()
    film = lab.film(campaign)
    rows = [reading(film, 0)]
    first, again = (api.measure(campaign, rows, key="once") for _ in range(2))
    assert first.content == again.content
    assert (first.status_code, again.status_code) == (201, 201)
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert lab.rows_by_table()["measurement"] == 1


def test_a_request_sent_by_many_at_once_has_one_effect(api, lab, reading):
    campaign = lab.campaign()
    rows = [reading(lab.film(campaign), 0)]
    answers = []
    senders = [
        threading.Thread(target=lambda: answers.append(api.measure(campaign, rows, key="once"))) for _ in range(20)
    ]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    stored = [a for a in answers if a.status_code == 201]
    refused = [a for a in answers if a.status_code == 409]
    assert len(stored) + len(refused) == 20
    assert len({a.content for a in stored}) == 1
    assert sum("idempotency-replayed" not in a.headers for a in stored) == 1
    assert {a.json()["type"] for a in refused} <= {"urn:filmloop:problem:in-flight"}
    assert lab.rows_by_table()["measurement"] == 1


def test_a_key_is_good_for_one_request_only(api, lab, reading):
    campaign = lab.campaign()
    film = lab.film(campaign)
    api.measure(campaign, [reading(film, 0)], key="once")
    before = lab.rows_by_table()
    other = api.measure(campaign, [reading(film, 1)], key="once")
    assert other.status_code == 422
    assert other.json()["type"] == "urn:filmloop:problem:idempotency-mismatch"
    assert lab.rows_by_table() == before


def test_a_missing_key_is_refused(api, lab, reading):
    campaign = lab.campaign()
    path = f"/v1/campaigns/{campaign}/measurement-batches"
    body = {"instrument": "squid", "measurements": [reading(lab.film(campaign), 0)]}
    response = api.client.post(path, json=body)
    assert response.status_code == 400
    assert "Idempotency-Key" in response.json()["detail"]
    assert lab.rows_by_table()["measurement"] == 0


def test_the_same_reading_sent_twice_is_kept_once(api, lab, reading):
    campaign = lab.campaign()
    film = lab.film(campaign)
    first = api.measure(campaign, [reading(film, 0, uid="a")]).json()
    mixed = api.measure(campaign, [reading(film, 0, uid="a"), reading(film, 1, uid="b")]).json()
    assert (mixed["accepted"], mixed["duplicates"], mixed["revision"]) == (1, 1, 2)
    assert mixed["measurement_ids"][0] == first["measurement_ids"][0]
    # The same reading by position and with the time in another zone is still the same reading.
    known = reading(film, 0, device=..., position=0.0, uid="a", measured_at="2026-03-01T14:00:00+02:00")
    nothing_new = api.measure(campaign, [known]).json()
    assert (nothing_new["accepted"], nothing_new["duplicates"], nothing_new["revision"]) == (0, 1, 2)
    assert nothing_new["decision"] is None
    assert lab.rows_by_table()["measurement"] == 2


def test_another_instrument_may_use_the_same_uid(api, lab, reading):
    campaign = lab.campaign()
    row = reading(lab.film(campaign), 0, uid="a")
    assert api.measure(campaign, [row]).json()["accepted"] == 1
    assert api.measure(campaign, [row], instrument="moke").json()["accepted"] == 1
    assert lab.rows_by_table()["instrument"] == 2


def test_a_uid_with_other_content_is_a_conflict(api, lab, reading):
    campaign = lab.campaign()
    film = lab.film(campaign)
    api.measure(campaign, [reading(film, 0, uid="a")])
    before = lab.rows_by_table()
    response = api.measure(campaign, [reading(film, 1), reading(film, 0, uid="a", value=7.0)])
    assert response.status_code == 409
    assert "'a'" in response.json()["detail"]
    assert lab.rows_by_table() == before


def test_a_film_is_measured_when_every_device_is_read_or_dead(api, lab, reading):
    campaign = lab.campaign()
    film = lab.film(campaign)
    api.measure(campaign, [reading(film, k) for k in range(4)])
    assert state_of(lab.sessions, FilmRow, film) == "made"
    dead = reading(film, 4, value=..., std_uncertainty=..., status="dead")
    assert api.measure(campaign, [dead]).status_code == 201
    with lab.sessions() as session:
        row = session.get(FilmRow, film)
        assert (row.state, session.get(ProposalRow, row.proposal_id).state) == ("measured", "measured")
    events = api.get(f"/v1/campaigns/{campaign}/events").json()["items"]
    assert [e["type"] for e in events] == ["batch.recorded", "batch.recorded", "film.measured"]
    assert events[-1]["data"]["film_id"] == film


def test_two_batches_that_meet_close_the_film_between_them(api, lab, reading):
    campaign = lab.campaign()
    for _ in range(10):
        film = lab.film(campaign)
        halves = [[reading(film, k) for k in ks] for ks in ((0, 1, 2), (3, 4))]
        threads = [threading.Thread(target=api.measure, args=(campaign, rows)) for rows in halves]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert state_of(lab.sessions, FilmRow, film) == "measured"


@pytest.mark.parametrize("state", ["active", "paused", "draining", "completed", "aborted"])
def test_late_data_is_data(api, lab, reading, state):
    """Of every film in every campaign: it is stored, counts from a revision of its own, and is served."""
    campaign = lab.campaign(state)
    for revision, film_state in enumerate(["running", "made", "measured", "failed", "overdue"], start=1):
        film = lab.film(campaign, film_state)
        response = api.measure(campaign, [reading(film, 0), reading(film, 1, status="below_limit")])
        assert response.status_code == 201
        assert (response.json()["revision"], response.json()["decision"] is None) == (
            revision,
            state in {"paused", "aborted"},
        )
        rows = api.get(f"/v1/campaigns/{campaign}/dataset").json()["rows"]
        read = sorted((r["device"], r["status"]) for r in rows if r["film_id"] == film)
        assert read == [(0, "ok"), (1, "below_limit")]
        assert state_of(lab.sessions, FilmRow, film) == film_state


def test_a_draft_takes_no_measurements(api, lab, reading):
    campaign = lab.campaign("draft")
    before = lab.rows_by_table()
    response = api.measure(campaign, [reading("flm_any", 0)])
    assert response.status_code == 409
    assert "draft" in response.json()["detail"]
    assert "activate" in response.json()["detail"]
    assert lab.rows_by_table() == before


def test_a_thousand_rows_are_taken(api, lab, reading):
    campaign = lab.campaign()
    film = lab.film(campaign)
    rows = [reading(film, k % 5, uid=f"u{k}") for k in range(1000)]
    assert api.measure(campaign, rows).json()["accepted"] == 1000


def test_without_a_broker_measurements_are_still_stored(api, lab, reading):
    assert api.get("/readyz").json()["broker"] == "not set"
    campaign = lab.campaign()
    assert api.measure(campaign, [reading(lab.film(campaign), 0)]).status_code == 201


def test_a_server_that_goes_away_while_rows_are_copied_is_said_to_be_away(lab):
    """The copy goes past SQLAlchemy; its failure must be the one that is answered 503, and must not outlive it."""
    with lab.sessions() as session:
        victim = session.execute(text("select pg_backend_pid()")).scalar_one()
        with lab.sessions.begin() as other:
            other.execute(text("select pg_terminate_backend(:pid)"), {"pid": victim})
        with pytest.raises(OperationalError):
            measurements.store(session, [{"id": "msr_1"}])
        session.invalidate()
    with lab.sessions() as session:
        assert session.execute(text("select 1")).scalar_one() == 1


def test_a_row_that_the_database_refuses_is_an_integrity_error(lab):
    with pytest.raises(IntegrityError), lab.sessions.begin() as session:
        measurements.store(session, [{"id": "msr_1"}])
