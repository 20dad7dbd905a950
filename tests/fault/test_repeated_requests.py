"""Requests repeated after a lost answer, or sent at once, have one effect; without the care for keys they have more."""

import pytest

from benchmarks.faults import lost_answers, one_key

pytestmark = pytest.mark.fault


def test_a_lost_answer_is_given_again_and_nothing_is_stored_twice(database_url, tmp_path):
    found = lost_answers.run(database_url, tmp_path, batches=10, seed=2)
    assert found.wrong == dict.fromkeys(found.wrong, 0), found.figure
    assert found.count > 2


def test_an_api_that_forgets_keys_stores_twice(database_url, tmp_path):
    found = lost_answers.run(database_url, tmp_path, batches=4, seed=2, naive="forgets_keys")
    assert found.wrong["not stored once"] > 0, found.figure
    assert found.wrong["answered otherwise than at first"] > 0


def test_fifty_requests_with_one_key_have_one_effect(database_url, tmp_path):
    found = one_key.run(database_url, tmp_path, rounds=2)
    assert found.wrong == dict.fromkeys(found.wrong, 0), found.figure


def test_an_api_that_checks_and_then_inserts_has_more(database_url, tmp_path):
    found = one_key.run(database_url, tmp_path, rounds=1, naive="checks_then_inserts")
    assert found.wrong["further effects"] > 0, found.figure
    assert found.wrong["not stored once"] == 1
