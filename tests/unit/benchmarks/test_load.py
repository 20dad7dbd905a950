"""The load's own arithmetic: latencies count from when a call was due, and a slow service does not slow the asking."""

import asyncio
import time

import pytest

from benchmarks.load.played import Taken, beat
from benchmarks.load.watched import _slope, _top


def test_a_stalled_service_is_charged_with_all_who_would_have_come():
    taken, busy = Taken(), asyncio.Lock()

    async def call(due):
        async with busy:  # one at a time, each of them longer than the period
            await asyncio.sleep(0.03)
        taken.note(due, 200)

    asyncio.run(beat(0.01, 0.0, time.perf_counter() + 0.2, call))
    assert len(taken.seconds) >= 19  # asked as often as wanted
    assert max(taken.seconds) > 10 * 0.03  # the last ones have waited for all before


def test_quantiles_and_errors():
    taken = Taken()
    for k in range(100):
        taken.note(time.perf_counter() - k / 1000, 503 if k < 3 else 201)
    figures = taken.figures("x", 10.0, frozenset({201}))
    assert figures["errors"] == 3
    assert figures["per_s"] == 10.0
    assert figures["p50_ms"] == pytest.approx(50.0, abs=2.0)
    assert figures["max_ms"] == pytest.approx(99.0, abs=2.0)


def test_growth_is_that_of_the_second_half():
    samples = [(float(t), 100.0 + (5.0 * t if t < 50 else 250.0 + 0.1 * (t - 50))) for t in range(100)]
    assert _slope(samples) == pytest.approx(0.1)


def test_a_profile_names_what_takes_time_and_leaves_out_who_waits():
    top = _top(["a;b;c 3", "a;b 1", "a;wait (threading.py:1) 100"])
    assert [(row["function"], row["own_share"], row["with_callees"]) for row in top] == [
        ("c", 0.75, 0.75),
        ("b", 0.25, 1.0),
    ]
