"""Slow, sliced and cut connections: senders who never end are sent away, and nobody else notices them."""

import pytest

from benchmarks.faults import wire

pytestmark = pytest.mark.fault


def test_slow_senders_hold_nobody_up(database_url, tmp_path):
    found = wire.run(database_url, tmp_path, batches=8, slow=20, seed=1)
    assert found.wrong == dict.fromkeys(found.wrong, 0), found.figure
