"""Events as they happen: every one once, whoever reads, resumes or is slow; and who waits costs no connection."""

import asyncio
import json
import os
import threading
import time
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from benchmarks.faults.readers import Reader
from service.api import streams
from service.api.events import wants_stream
from service.app import create_app
from service.store import events
from tests.integration.conftest import serving

STREAM = {"Accept": "text/event-stream"}
READERS = int(os.environ.get("FILMLOOP_TEST_READERS", "100"))


@pytest.fixture
def campaign(lab) -> str:
    return lab.campaign()


@pytest.fixture
def write(sessions):
    def write(campaign: str, number: int = 1) -> None:
        """Events, each in a transaction of its own."""
        for _ in range(number):
            with sessions.begin() as session:
                events.append(session, campaign, "test.happened", {"text": "ü\n\r\u2028"})

    return write


def read(response: httpx.Response, number: int) -> list[dict[str, Any]]:
    """The next events of a stream, each checked against its id."""
    found: list[dict[str, Any]] = []
    name = None
    for line in response.iter_lines():
        if line.startswith("id: "):
            name = int(line[4:])
        elif line.startswith("data: "):
            found.append(json.loads(line[6:]))
            assert found[-1]["seq"] == name
            if len(found) == number:
                return found
    return found


def test_a_stream_tells_what_the_list_tells_and_what_happens_then(api, campaign, write):
    write(campaign, 3)
    with api.client.stream("GET", f"/v1/campaigns/{campaign}/events", headers=STREAM) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        thread = threading.Thread(target=lambda: (time.sleep(0.5), write(campaign, 2)))
        thread.start()
        told = read(response, 5)
        thread.join()
    assert told == api.get(f"/v1/campaigns/{campaign}/events").json()["items"]


def test_a_stream_resumes_where_it_is_told(api, campaign, write):
    write(campaign, 6)
    for query, last, first in (("", {}, 1), ("", {"Last-Event-ID": "3"}, 4), ("?after=2", {}, 3)):
        path = f"/v1/campaigns/{campaign}/events{query}"
        with api.client.stream("GET", path, headers=STREAM | last) as response:
            assert [e["seq"] for e in read(response, 7 - first)] == list(range(first, 7))
    path = f"/v1/campaigns/{campaign}/events?after=1"  # the place where it began, and where a browser resumes
    with api.client.stream("GET", path, headers=STREAM | {"Last-Event-ID": "4"}) as response:
        assert [e["seq"] for e in read(response, 2)] == [5, 6]


def test_a_silent_stream_gives_signs_of_life(api, campaign, monkeypatch):
    monkeypatch.setattr(streams, "HEARTBEAT_S", 0.1)
    with api.client.stream("GET", f"/v1/campaigns/{campaign}/events", headers=STREAM) as response:
        lines = response.iter_lines()
        assert [next(lines) for _ in range(6)] == ["retry: 2000", "", ": nothing new", "", ": nothing new", ""]


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        (None, False),
        ("*/*", False),
        ("text/*", False),
        ("application/json", False),
        ("text/event-stream", True),
        ("Text/Event-Stream, application/json", True),
        ("application/json, text/event-stream; q=0.5", False),
        ("text/event-stream;q=0", False),
        ("text/event-stream;q=x", False),
    ],
)
def test_a_stream_is_sent_only_if_it_is_preferred(accept, wanted):
    assert wants_stream(accept) is wanted


def test_what_cannot_be_streamed_is_a_problem(api, campaign, monkeypatch):
    path = f"/v1/campaigns/{campaign}/events"
    assert api.get("/v1/campaigns/cmp_none/events", headers=STREAM).status_code == 404
    assert api.get(path, headers=STREAM | {"Last-Event-ID": "x"}).json()["errors"][0]["parameter"] == "Last-Event-ID"
    monkeypatch.setattr(streams, "MOST_READERS", 1)
    with api.client.stream("GET", path, headers=STREAM):
        refused = api.get(path, headers=STREAM)
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "2")
        assert api.get(path).status_code == 200


def test_a_reader_that_left_is_forgotten(settings, lab):
    app, campaign = create_app(settings), lab.campaign()
    with serving(app) as client:
        path = f"/v1/campaigns/{campaign}/events"
        with client.stream("GET", path, headers=STREAM), client.stream("GET", path, headers=STREAM):
            assert app.state.streams.readers == 2
        soon = time.monotonic() + 10
        while app.state.streams.readers and time.monotonic() < soon:
            time.sleep(0.01)
        assert app.state.streams.readers == 0


def busy_connections(sessions) -> int:
    """Connections of the test's database that are not idle, beside the one that asks."""
    asked = "select count(*) from pg_stat_activity where datname = current_database() and state <> 'idle'"
    with sessions() as session:
        return int(session.execute(text(asked)).scalar_one()) - 1


def test_many_readers_at_rest_hold_no_connection_and_all_are_told(api, campaign, write, sessions):
    write(campaign, 2)
    readers = [Reader(api.client.base_url.port, campaign) for _ in range(READERS)]
    busy: list[int] = []

    async def all_read() -> None:
        reading = [asyncio.create_task(reader.read_until(12)) for reader in readers]
        while min(len(reader.seen) for reader in readers) < 2:
            await asyncio.sleep(0.02)
        for _ in range(20):
            busy.append(await asyncio.to_thread(busy_connections, sessions))
            await asyncio.sleep(0.02)
        await asyncio.to_thread(write, campaign, 10)
        await asyncio.gather(*reading)

    asyncio.run(asyncio.wait_for(all_read(), 120))
    assert {tuple(reader.seen) for reader in readers} == {tuple(range(1, 13))}
    assert max(busy) <= 1  # the one look that serves all of them


def test_a_slow_reader_gets_everything_and_holds_nobody_up(api, campaign, sessions, monkeypatch):
    monkeypatch.setattr(streams, "KEPT", 50)  # so that it falls behind what is kept in memory
    many = 12_000  # 5 MB, more than sockets hold
    slow, quick = (Reader(api.client.base_url.port, campaign) for _ in range(2))
    fill = text(
        "insert into event (campaign_id, seq, type, data)"
        " select :c, k, 'test.happened', jsonb_build_object('text', repeat('x', 300))"
        " from generate_series(cast(:first as bigint), cast(:last as bigint)) k"
    )

    def happen(first: int, last: int) -> None:
        with sessions.begin() as session:
            session.execute(fill, {"c": campaign, "first": first, "last": last})

    async def both_read() -> None:
        stream = slow.lines(buffer=4096)
        await anext(stream)  # it is there, and reads nothing more
        happen(1, many)
        await quick.read_until(many)
        for last in range(many + 1, many + 21):
            await asyncio.to_thread(happen, last, last)
        await quick.read_until(many + 20)
        async for line in stream:
            if line.startswith(b"id: "):
                slow.seen.append(int(line[4:]))
                if slow.seen[-1] == many + 20:
                    break
        await stream.aclose()

    asyncio.run(asyncio.wait_for(both_read(), 200))
    assert slow.seen == list(range(1, many + 21))
    assert slow.connected == 1
    assert (quick.seen, quick.connected) == (slow.seen, 2)
