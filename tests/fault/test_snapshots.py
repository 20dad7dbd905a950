"""A snapshot once read never changes, whatever writers do; a number drawn without the lock does not hold that."""

from benchmarks.faults import snapshots


def test_a_snapshot_once_read_never_changes(database_url):
    found = snapshots.run(database_url, snapshots=100)
    assert found.wrong == dict.fromkeys(found.wrong, 0), found.figure


def test_a_naive_one_does(database_url):
    found = snapshots.run(database_url, snapshots=600, make=snapshots.naive)
    assert found.wrong["snapshots that changed"] > 0, found.figure
