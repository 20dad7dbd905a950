"""Replicas that start at once on an old schema: one migrates, the others wait, and go on if the first is killed."""

import pytest

from benchmarks.faults import migrations

pytestmark = pytest.mark.fault


def test_replicas_that_start_at_once_migrate_once(empty_database_url, tmp_path):
    found = migrations.run([empty_database_url], tmp_path, replicas=3, seed=1)
    assert found.wrong == dict.fromkeys(found.wrong, 0), found.figure
    assert found.figure.endswith("1 killed while they migrated")


def test_without_the_lock_they_break_off(empty_database_urls, tmp_path):
    """At one of four starts: three replicas may happen to come one after the other."""
    found = migrations.run(empty_database_urls, tmp_path, replicas=3, program=migrations.NAIVE)
    assert found.wrong["a replica failed"] > 0
