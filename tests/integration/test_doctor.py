"""`filmloop doctor` on a live record: what is wrong is said with what to do about it."""

import inspect
import re
from pathlib import Path

import pytest
from sqlalchemy import text

from benchmarks.keys import admit
from service.settings import DatabaseSettings, Settings
from service.supervisor import doctor


@pytest.fixture
def found(database_url, tmp_path):
    """What is found, by part."""
    admit(database_url)
    settings = Settings(database=DatabaseSettings(url=database_url), data_dir=tmp_path)

    def examine():
        return {finding.part: finding for finding in doctor.examine(settings)}

    return examine


def change(sessions, statement):
    with sessions.begin() as session:
        session.execute(text(statement))


def test_what_is_well_has_nothing_to_mend(found):
    parts = found()
    well = {"database", "schema", "synchronous_commit", "clock", "connections", "jobs", "silent jobs", "dead jobs"}
    assert {part for part in well if parts[part].mend is not None} == set()
    assert {"broker", "workers", "disk", "fsync", "keys", "overdue films"} <= set(parts)
    assert "no address" in parts["broker"].state


def test_a_decision_that_waits_and_a_worker_that_fell_silent_are_found(found, loop):
    campaign = loop.campaign()
    change(loop.sessions, "update job set run_after = now() - interval '5 min'")
    assert "look whether workers run" in found()["jobs"].mend
    assert loop.take(campaign) is not None
    change(loop.sessions, "update job set lease_until = now() - interval '5 min'")
    assert "housekeeping" in found()["silent jobs"].mend
    change(loop.sessions, "update job set state = 'dead', lease_until = null")
    assert "decision.dead" in found()["dead jobs"].mend


def test_a_film_that_nobody_reports_on_is_found(found, loop):
    campaign = loop.campaign()
    loop.decide(campaign)
    change(loop.sessions, "update proposal set state = 'overdue'")
    assert "resolve" in found()["overdue films"].mend


def test_a_server_without_fsync_is_found(found, sessions):
    with sessions() as session:
        safe = session.execute(text("show fsync")).scalar_one() == "on"
    assert (found()["fsync"].mend is None) == safe


def test_a_full_disk_is_found(found, monkeypatch):
    assert found()["disk"].mend is None
    monkeypatch.setattr(doctor, "LEAST_FREE_MB", 10**9)
    assert "make room" in found()["disk"].mend


def test_a_clock_that_differs_is_found(found, monkeypatch):
    monkeypatch.setattr("service.operations.examination.time.time", lambda: 0.0)
    assert "NTP" in found()["clock"].mend


def test_every_part_is_explained_to_operators(found):
    page = (Path(__file__).parents[2] / "docs/operating.md").read_text(encoding="utf-8")
    said = page.partition("`filmloop doctor` looks at every part")[2].partition("What happens when")[0]
    explained = dict(re.findall(r"^\| `([^`]+)` \| (.*) \|$", said, flags=re.MULTILINE))
    assert set(explained) == set(re.findall(r'Finding\(\s*"([^"]+)"', inspect.getsource(doctor)))
    assert set(found()) <= set(explained)
    assert f"{doctor.CLOCKS_APART_S:.0f} s" in explained["clock"]
    assert f"{100 * doctor.CONNECTIONS:.0f} %" in explained["connections"]
    assert all(f"{doctor.LATE_S:.0f} s" in explained[part] for part in ("jobs", "silent jobs"))
    assert f"{doctor.LEAST_FREE_MB / 1000:.0f} GB or {100 * doctor.LEAST_FREE:.0f} %" in explained["disk"]
