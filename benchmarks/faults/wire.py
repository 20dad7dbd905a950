"""Row 15: a slow, sliced or cut network between instruments and the API."""

import asyncio
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from sqlalchemy import text

from benchmarks.faults.found import Found
from benchmarks.faults.killed_api import ROWS, body, stored
from benchmarks.faults.loop import Loop, record
from benchmarks.faults.patient import Patient
from benchmarks.faults.proxy import Between
from benchmarks.faults.served import served
from filmloop_client.transport import Transport
from service.store.session import Sessions

SILENT_S = 3
"""After so long without a byte of a body the API hangs up, here."""
SLACK_S = 4.0
LATEST_CUT = 12_000
"""Bytes: a batch is some 1,700 of them."""
QUICK_S = 2.0
"""In which a batch is taken while others dribble; it is milliseconds on a quiet machine."""
IN_USE = text(
    "select count(*) from pg_stat_activity where datname = current_database() and application_name = 'filmloop'"
    " and state like 'idle in transaction%' and xact_start < now() - interval '1 s'"
)


class Wire(Between):
    """A proxy that hands bytes on in slices, with pauses, and cuts some connections at a byte of its choice."""

    def __init__(self, port: int, *, slice_bytes: int, pause_s: float, cut: float, seed: int) -> None:
        """Prepare.

        Args:
            port: Of the API.
            slice_bytes: Most bytes that go on at once.
            pause_s: Longest pause after each slice.
            cut: Share of the connections that are cut, at a random byte of either direction.
            seed: Of all that.
        """
        super().__init__(port)
        self._slice, self._pause, self._cut = slice_bytes, pause_s, cut
        self._chance = random.Random(seed)  # noqa: S311 - not a secret
        self.cuts = 0

    async def _serve(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        source, sink = await asyncio.open_connection("127.0.0.1", self.port)
        bounds: list[float] = [float("inf"), float("inf")]
        if self._chance.random() < self._cut:
            bounds[self._chance.randrange(2)] = self._chance.randrange(1, LATEST_CUT)
        ways = [self._carry(client, sink, bounds[0]), self._carry(source, back, bounds[1])]
        tasks = [asyncio.ensure_future(way) for way in ways]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for writer in (sink, back):
                writer.transport.abort()

    async def _carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, bound: float) -> None:
        carried = 0
        while part := await source.read(self._slice):
            if carried + len(part) > bound:
                self.cuts += 1
                return
            carried += len(part)
            sink.write(part)
            await sink.drain()
            await asyncio.sleep(self._chance.uniform(0.0, self._pause))


def run(database_url: str, folder: Path, *, batches: int, slow: int, seed: int, naive: str | None = None) -> Found:
    """Send through a bad network, and let others dribble their bodies meanwhile.

    Args:
        database_url: A database with the schema.
        folder: For logs.
        batches: How many come through the bad network.
        slow: How many connections send a byte now and then and never come to an end.
        seed: Of cuts and pauses.
        naive: A variant of the API.
    """
    more = {"FILMLOOP_API__BODY_SILENT_S": str(SILENT_S), "FILMLOOP_API__BODY_S": str(2 * SILENT_S)}
    with record(database_url) as sessions, served(database_url, folder, naive, more) as api:
        campaign_id, film_id = Loop(sessions).made()
        path = f"/v1/campaigns/{campaign_id}/measurement-batches"
        wrong = _beside_the_slow(sessions, api.port, path, film_id, slow)
        cuts = 0
        if naive is None:
            with Wire(api.port, slice_bytes=97, pause_s=0.004, cut=1.0, seed=seed) as wire:
                transport = Transport(wire.url, patience=300, timeout=30)
                for number in range(1, batches + 1):
                    transport.post(path, body(film_id, number), headers={"Idempotency-Key": f"wire-{number}"})
                transport.close()
                cuts = wire.cuts
            held = stored(sessions, campaign_id)
            wrong["not stored once"] = sum(held[number] != ROWS for number in range(1, batches + 1))
    figure = f"{slow} senders who never end, {batches} batches in slices of 97 bytes, {cuts} connections cut"
    return Found(slow + (batches if naive is None else 0), dict(wrong), figure)


def _beside_the_slow(sessions: Sessions, port: int, path: str, film_id: str, slow: int) -> Counter[str]:
    """While many dribble, others are served as always, no transaction waits for a body, and the slow are sent away."""
    campaign_id, wrong, url = path.split("/")[3], Counter[str](), f"http://127.0.0.1:{port}"
    numbers = iter(range(10**6, 10**7))
    with _dribbling(port, path, slow) as lasted:
        until = time.monotonic() + 2 * SILENT_S + SLACK_S
        instrument = Patient(url, campaign_id, film_id, numbers, timeout_s=30.0)
        while time.monotonic() < until:
            instrument.send_one()
            with sessions() as session:
                wrong["a transaction open while a body comes"] += session.execute(IN_USE).scalar_one()
            time.sleep(0.1)
        wrong["others refused"] = sum(a.status != 201 for a in instrument.attempts)
        wrong["others kept waiting"] = sum(a.seconds > QUICK_S for a in instrument.attempts)
        wrong["slow senders that are waited for"] = slow - len(lasted)
        wrong["hung up on without a word"] = sum(status != 408 for status in lasted.values())
    wrong["no sign of life"] = int(httpx.get(f"{url}/healthz", timeout=10).status_code != 200)
    return wrong


@contextmanager
def _dribbling(port: int, path: str, number: int) -> Iterator[dict[int, int]]:
    """Connections that send a body byte by byte: half of them stop altogether, half go on for ever.

    Yields:
        The status with which each was ended, as it happens.
    """
    ended: dict[int, int] = {}
    over = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(_dribble(port, path, number, ended, over)))
    thread.start()
    try:
        yield ended
    finally:
        over.set()
        thread.join()


async def _dribble(port: int, path: str, number: int, ended: dict[int, int], over: threading.Event) -> None:
    async def one(k: int) -> None:
        source, sink = await asyncio.open_connection("127.0.0.1", port)
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        head += f"Idempotency-Key: slow-{k}\r\nContent-Length: 100000\r\n\r\n"
        sink.write(f"{head}{json.dumps({'instrument': 'x' * 20})[:-1]}".encode())
        answer = asyncio.ensure_future(source.readline())
        while not over.is_set() and not answer.done():
            if k % 2:
                sink.write(b" ")
            await asyncio.wait([answer], timeout=0.5)
        if answer.done():
            line = answer.result()
            ended[k] = int(line.split()[1]) if line else 0
        answer.cancel()
        sink.transport.abort()

    await asyncio.gather(*(one(k) for k in range(number)), return_exceptions=True)
