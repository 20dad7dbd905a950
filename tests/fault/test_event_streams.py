"""Readers of events while the API is killed and started again: every event once, in order, for each of them."""

import asyncio
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from service.store import events
from service.supervisor.programs import api_command
from tests.fault.conftest import wait_for
from tests.integration.conftest import Lab
from tests.integration.test_event_streams import Reader

KILLS = 2
READERS = int(os.environ.get("FILMLOOP_TEST_READERS", "100"))

pytestmark = pytest.mark.fault


class Served:
    """An API process on a socket that outlives it, as the supervisor runs it."""

    def __init__(self, database_url: str, folder: str) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1000)
        self.port = int(self._listener.getsockname()[1])
        addresses = {"FILMLOOP_DATABASE__URL": database_url, "FILMLOOP_DATA_DIR": folder}
        self._environment = os.environ | addresses | {"OMP_NUM_THREADS": "1"}
        self.start()

    def start(self) -> None:
        descriptor = self._listener.fileno()
        self.process = subprocess.Popen(api_command(descriptor), env=self._environment, pass_fds=[descriptor])
        wait_for(self.answers, within_s=150)

    def answers(self) -> bool:
        assert self.process.poll() is None, "the API ended"
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/healthz", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def end(self, by: signal.Signals) -> int:
        """Send a signal; return the exit status."""
        self.process.send_signal(by)
        return self.process.wait(30)

    def close(self) -> None:
        self.end(signal.SIGKILL)
        self._listener.close()


@pytest.fixture
def served(database_url: str, tmp_path) -> Iterator[Served]:
    api = Served(database_url, str(tmp_path))
    yield api
    api.close()


@contextmanager
def things_happen(sessions, campaign: str) -> Iterator[None]:
    """An event every 20 ms and more meanwhile."""
    stop = threading.Event()

    def happen() -> None:
        while not stop.wait(0.02):
            with sessions.begin() as session:
                events.append(session, campaign, "test.happened", {})

    thread = threading.Thread(target=happen)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


async def killed_while_read(served: Served, sessions, campaign: str) -> tuple[list[Reader], int]:
    """Kill the API while all readers read; return them when they have read to the end, and the number of that."""
    readers = [Reader(served.port, campaign) for _ in range(READERS)]
    with things_happen(sessions, campaign):
        reading = [asyncio.create_task(reader.read_until(2**60)) for reader in readers]
        for _ in range(KILLS):
            seen = [len(reader.seen) for reader in readers]
            while any(len(r.seen) < n + 20 for r, n in zip(readers, seen, strict=True)):
                await asyncio.sleep(0.02)
            await asyncio.to_thread(served.end, signal.SIGKILL)
            await asyncio.to_thread(served.start)
    with sessions() as session:
        last = events.newest(session, campaign)
    while any(reader.seen[-1] < last for reader in readers):
        await asyncio.sleep(0.02)
    for task in reading:
        task.cancel()
    await asyncio.gather(*reading, return_exceptions=True)
    return readers, last


def test_no_reader_misses_an_event_or_has_one_twice(served, sessions):
    campaign = Lab(sessions).campaign()
    readers, last = asyncio.run(asyncio.wait_for(killed_while_read(served, sessions, campaign), 250))
    assert {tuple(reader.seen) for reader in readers} == {tuple(range(1, last + 1))}
    assert {reader.connected > KILLS for reader in readers} == {True}
    print(f"{READERS} readers, {KILLS} kills, {last} events: each had every event once")


def test_an_api_that_is_asked_to_end_does_not_wait_for_those_who_follow(served, sessions):
    campaign = Lab(sessions).campaign()
    with httpx.Client(base_url=f"http://127.0.0.1:{served.port}", timeout=30) as client:
        path, headers = f"/v1/campaigns/{campaign}/events", {"Accept": "text/event-stream"}
        with client.stream("GET", path, headers=headers) as response:
            lines = response.iter_lines()
            assert next(lines) == "retry: 2000"
            assert served.end(signal.SIGTERM) in (0, -signal.SIGTERM)
            assert {line for line in lines if not line.startswith(":")} == {""}  # ended, not cut off
