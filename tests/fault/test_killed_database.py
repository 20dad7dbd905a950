"""Postgres killed while instruments post: what was acknowledged is there; a database that may forget is refused."""

import pytest

from benchmarks.faults import killed_database
from service.embedded import PostgresServer
from service.store.schema import upgrade

pytestmark = pytest.mark.fault


def test_a_killed_database_loses_no_acknowledged_measurement(tmp_path):
    found = killed_database.run(tmp_path, kills=1, pause_s=1.0, seed=1)
    assert found.wrong == dict.fromkeys(found.wrong, 0), found.figure
    assert {"acknowledged and lost", "refused without Retry-After", "no sign of life meanwhile"} <= set(found.wrong)


def test_commits_that_are_answered_before_they_are_written_are_lost(tmp_path):
    found = killed_database.run(tmp_path, kills=1, pause_s=0.0, seed=1, naive="hurries_commits")
    assert found.wrong["acknowledged and lost"] > 0, found.figure


def test_such_a_database_is_refused(tmp_path):
    with PostgresServer(tmp_path / "data", durable=False) as server:
        server.start()
        upgrade(server.url)
        wrong = killed_database.refuses_what_may_be_lost(server, tmp_path / "api")
    assert wrong == dict.fromkeys(wrong, 0)
