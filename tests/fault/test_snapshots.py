"""A snapshot once read never changes, whatever writers do; a number drawn without the lock does not hold that."""

from benchmarks.faults import snapshots


def test_a_snapshot_once_read_never_changes(database_url):
    found = snapshots.run(database_url, snapshots=100)
    assert found.wrong == dict.fromkeys(found.wrong, 0), found.figure


def test_a_naive_one_does(database_url):
    """Whether a reader meets the gap is chance: on a quiet machine 600 snapshots may pass beside it, so it tries on."""
    tries = (snapshots.run(database_url, snapshots=600, make=snapshots.naive) for _ in range(5))
    assert any(found.wrong["snapshots that changed"] for found in tries)
