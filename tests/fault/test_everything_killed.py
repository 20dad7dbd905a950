"""Every process of `filmloop up` killed at once, and started again: the record is as it was."""

import random

import pytest

from benchmarks import restart

pytestmark = pytest.mark.fault


def test_the_record_is_as_it_was_after_everything_was_killed(tmp_path):
    up = restart.Up(tmp_path / "data")
    up.start()
    try:
        _, wrong, taken = restart.play(up, restart.furnish(up), random.Random(1))  # noqa: S311
    finally:
        up.end()
    wrong.pop("later than 10 s")  # how long it takes is measured elsewhere, on a machine that does nothing else
    assert wrong == dict.fromkeys(wrong, 0)
    assert taken > 0
