"""The network is cut while instruments measure; API and instrument are killed, too: nothing is lost or doubled."""

import pytest

from benchmarks.faults import unplugged

pytestmark = pytest.mark.fault


def test_what_is_measured_without_network_arrives_once_and_in_order(database_url, tmp_path):
    found = unplugged.run(database_url, tmp_path, down_s=3.0, plugged_s=0.5)
    assert found.wrong == dict.fromkeys(found.wrong, 0), found.figure
    assert found.count > 100
