"""The API killed again and again while instruments post: what was acknowledged is there once, the rest whole or not."""

import pytest

from benchmarks.faults import killed_api

pytestmark = pytest.mark.fault


def test_a_killed_api_loses_no_acknowledged_measurement(database_url, tmp_path):
    found = killed_api.run(database_url, tmp_path, kills=2, seed=1)
    assert found.wrong == dict.fromkeys(found.wrong, 0), found.figure
    assert "sent again and not stored once" in found.wrong


@pytest.mark.parametrize(
    ("naive", "kind"),
    [("acknowledges_first", "acknowledged and lost"), ("row_by_row", "unanswered and stored in part")],
)
def test_a_naive_api_does(database_url, tmp_path, naive, kind):
    found = killed_api.run(database_url, tmp_path, kills=4, seed=1, naive=naive, send_again=False)
    assert found.wrong[kind] > 0, found.figure
