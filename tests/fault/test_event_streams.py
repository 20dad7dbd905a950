"""Readers of events while the API is killed and started again: every event once, in order, for each of them."""

import os
import signal

import httpx
import pytest

from benchmarks.faults import readers
from benchmarks.faults.loop import Loop
from benchmarks.faults.served import served

READERS = int(os.environ.get("FILMLOOP_TEST_READERS", "100"))

pytestmark = pytest.mark.fault


def test_no_reader_misses_an_event_or_has_one_twice(database_url, tmp_path):
    found = readers.run(database_url, tmp_path, readers=READERS, kills=2)
    assert found.wrong == dict.fromkeys(found.wrong, 0), found.figure
    assert found.count > 40 * READERS


def test_a_stream_that_begins_anew_at_every_connection_has_gaps(database_url, tmp_path):
    found = readers.run(database_url, tmp_path, readers=5, kills=1, slow=0, naive="starts_at_now")
    assert found.wrong["events missed"] > 0, found.figure


def test_numbers_from_a_sequence_leave_gaps(database_url, tmp_path):
    drawn = {"how": readers.append_by_sequence, "pace": readers.HASTY}
    found = readers.run(database_url, tmp_path, readers=5, kills=0, slow=0, **drawn)
    assert found.wrong["events missed"] > 0, found.figure


def test_an_api_that_is_asked_to_end_does_not_wait_for_those_who_follow(database_url, sessions, tmp_path):
    campaign = Loop(sessions).campaign()
    with served(database_url, tmp_path) as api, httpx.Client(base_url=api.url, timeout=30) as client:
        path, headers = f"/v1/campaigns/{campaign}/events", {"Accept": "text/event-stream"}
        with client.stream("GET", path, headers=headers) as response:
            lines = response.iter_lines()
            assert next(lines) == "retry: 2000"
            assert api.end(signal.SIGTERM) in (0, -signal.SIGTERM)
            # Ended, not cut off: the rest can be read to its end.
            assert {line for line in lines if not line.startswith((":", "id:", "data:"))} == {""}
