"""Replicas that start at once on an old schema: one brings it up to date, the others wait."""

import pytest

from benchmarks.faults import migrations

pytestmark = pytest.mark.fault


def test_replicas_that_start_at_once_migrate_once(empty_database_url, tmp_path):
    found = migrations.run([empty_database_url], tmp_path, replicas=3)
    assert found.wrong == dict.fromkeys(found.wrong, 0), found.figure


def test_without_the_lock_they_break_off(empty_database_url, tmp_path):
    found = migrations.run([empty_database_url], tmp_path, replicas=3, program=migrations.NAIVE)
    assert found.wrong["a replica failed"] > 0
