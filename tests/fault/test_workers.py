"""Workers that die at each phase of a decision, hang, are late, meet poison, damaged files and a full disk."""

import pytest

from benchmarks.faults import damaged, full_disk, killed_workers, old_jobs, poison
from benchmarks.faults.hands import PHASES

pytestmark = pytest.mark.fault


def held(found):
    assert found.wrong == dict.fromkeys(found.wrong, 0), found.figure


def test_nothing_is_half_published_wherever_a_worker_dies(database_url, tmp_path):
    held(killed_workers.run(database_url, tmp_path, kills=len(PHASES), hangs=1, seed=1))


def test_poison_ends_in_films_that_say_so(database_url, tmp_path):
    kinds = ("equal", "contradictions", "huge")
    held(poison.run(database_url, tmp_path, rounds=1, seed=1, kinds=kinds))


def test_the_decision_in_force_never_goes_back(database_url):
    held(old_jobs.run(database_url, enough=8, seed=1))


def test_it_does_where_the_last_one_wins(database_url):
    with old_jobs.last_one_wins():
        found = old_jobs.run(database_url, enough=15, seed=1)
    assert found.violations > 0, found.figure


def test_a_damaged_model_is_refused_and_the_one_before_serves(database_url, tmp_path):
    held(damaged.run(database_url, tmp_path, rounds=1, seed=1, harms=("flipped",)))


@pytest.mark.skipif(not full_disk.may_mount(), reason="needs the right to mount a small file system")
def test_a_decision_comes_when_there_is_room_again(database_url, tmp_path):
    held(full_disk.artifacts(database_url, tmp_path, times=1, seed=1))
