"""The broker is a doorbell: decisions come without it, and one wish is decided once however often it is rung for."""

import pytest

from benchmarks.faults import bells

pytestmark = pytest.mark.fault


def test_decisions_come_while_there_is_no_broker_at_all(database_url, tmp_path):
    found = bells.never(database_url, tmp_path, decisions=1)
    assert found.wrong == dict.fromkeys(found.wrong, 0), found.figure


def test_one_wish_is_decided_once_however_often_it_is_rung_for(database_url, tmp_path):
    found = bells.repeated(database_url, tmp_path, rounds=1, bells=100, seed=1)
    assert found.wrong == dict.fromkeys(found.wrong, 0), found.figure
