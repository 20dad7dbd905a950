"""Row 16: many idle readers of events, some of them slow, while the API is killed and started again."""

import asyncio
import random
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from benchmarks.faults.found import Found
from benchmarks.faults.loop import Loop, record
from benchmarks.faults.served import Served, served
from benchmarks.keys import HEADERS
from service.store import events
from service.store.session import Sessions
from service.store.tables import EventRow

Happening = Callable[[], AbstractContextManager[Callable[[], int]]]
Append = Callable[[Session, str], int]
WRITERS = 4
SLOW_S = 1.0
"""So long a slow reader looks away after each event, and its window is small."""


@dataclass(frozen=True)
class Pace:
    """How fast things happen."""

    pause_s: float = 0.08
    """Of each writer, between two events."""
    linger_s: float = 0.02
    """Longest work between the event and the commit of its transaction."""
    more: int = 20
    """So many events every reader reads before each kill, and after the last."""


HASTY = Pace(pause_s=0.01, linger_s=0.1, more=100)
"""At this pace transactions overlap all the time."""


class Reader:
    """A reader with a socket of its own, which notes the number of every event."""

    def __init__(self, port: int, campaign: str, *, slow: bool = False) -> None:
        self.port, self.campaign, self.slow = port, campaign, slow
        self.seen: list[int] = []
        self.connected = 0

    async def lines(self, buffer: int | None = None) -> AsyncIterator[bytes]:
        """Lines of a stream from after the last event that was seen, until the server ends it."""
        connection = socket.socket()
        if buffer is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", self.port))
        source, sink = await asyncio.open_connection(sock=connection, limit=buffer or 2**16)
        resume = f"Last-Event-ID: {self.seen[-1]}\r\n" if self.seen else ""
        head = f"GET /v1/campaigns/{self.campaign}/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n"
        head += f"Authorization: {HEADERS['Authorization']}\r\n"
        sink.write(f"{head}{resume}\r\n".encode())
        self.connected += 1
        try:
            status = await source.readline()
            if status and b" 200 " not in status:
                raise ConnectionRefusedError(status)  # told to come again: the connection itself stays open
            while line := await source.readline():
                yield line
        finally:
            sink.close()

    async def read_until(self, last: int) -> None:
        """Read on, connecting again as often as it takes, until an event of this number came."""
        while not (self.seen and self.seen[-1] >= last):
            try:
                async for line in self.lines(4096 if self.slow else None):
                    if line.startswith(b"id: "):
                        self.seen.append(int(line[4:]))
                        if self.seen[-1] >= last:
                            break
                        if self.slow and len(self.seen) % 50 == 0:
                            await asyncio.sleep(SLOW_S)
            except OSError:
                await asyncio.sleep(0.05)


def append(session: Session, campaign_id: str) -> int:
    """An event as the service writes it."""
    return events.append(session, campaign_id, "test.happened", {})


def append_by_sequence(session: Session, campaign_id: str) -> int:
    """An event whose number is drawn from a sequence, without the campaign's lock."""
    row = text(
        "insert into event (campaign_id, seq, type, data) values (:c, nextval('naive'), 'test.happened', '{}')"
        " returning seq"
    )
    return int(session.execute(row, {"c": campaign_id}).scalar_one())


def numbers(sessions: Sessions, campaign: str) -> list[int]:
    """Of all events of a campaign."""
    query = select(EventRow.seq).where(EventRow.campaign_id == campaign).order_by(EventRow.seq)
    with sessions() as session:
        return list(session.scalars(query))


@contextmanager
def things_happen(sessions: Sessions, campaign: str, how: Append, pace: Pace) -> Iterator[Callable[[], int]]:
    """Writers append events, with a pause between two of each, and have other work in the same transaction."""
    stop = threading.Event()

    def happen(writer: int) -> None:
        chance = random.Random(writer)  # noqa: S311 - not a secret
        while not stop.wait(pace.pause_s):
            with sessions.begin() as session:
                how(session, campaign)
                time.sleep(chance.uniform(0.0, pace.linger_s))

    threads = [threading.Thread(target=happen, args=(writer,)) for writer in range(WRITERS)]
    for thread in threads:
        thread.start()
    try:
        yield lambda: max(numbers(sessions, campaign))
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def run(
    database_url: str,
    folder: Path,
    *,
    readers: int,
    kills: int,
    slow: int = 1,
    how: Append = append,
    pace: Pace = Pace(),
    naive: str | None = None,
) -> Found:
    """Kill the API while all read; every reader must have had every event once, in order.

    Args:
        database_url: A database with the schema.
        folder: For logs.
        readers: How many follow one campaign; most of the time nothing happens for most of them.
        kills: How often the API is killed.
        slow: How many of the readers hardly read.
        how: How events are written.
        pace: How fast.
        naive: A variant of the API.
    """
    with record(database_url) as sessions, served(database_url, folder, naive) as api:
        with sessions.begin() as session:
            session.execute(text("create sequence if not exists naive start 1000"))
        campaign = Loop(sessions).campaign()
        following = [Reader(api.port, campaign, slow=k < slow) for k in range(readers)]
        happening = partial(things_happen, sessions, campaign, how, pace)
        asyncio.run(asyncio.wait_for(_killed_while_read(api, following, [pace.more] * (kills + 1), happening), 1800))
        there = numbers(sessions, campaign)
    missed = sum(len(set(there) - set(reader.seen)) for reader in following)
    wrong = {
        "events missed": missed,
        "events told twice": sum(len(reader.seen) - len(set(reader.seen)) for reader in following),
        "events out of order": sum(reader.seen != sorted(reader.seen) for reader in following),
        "readers who never came back": sum(reader.connected <= kills for reader in following),
    }
    figure = f"{readers} readers, {slow} of them slow, {kills} kills of the API, {len(there)} events"
    return Found(readers * len(there), wrong, figure)


async def _killed_while_read(
    api: Served,
    readers: list[Reader],
    parts: list[int],
    happening: Callable[[], AbstractContextManager[Callable[[], int]]],
) -> None:
    """Kill the API while all read, and let everybody read to the end."""
    reading = [asyncio.create_task(reader.read_until(2**60)) for reader in readers]
    quick = [reader for reader in readers if not reader.slow]
    with happening() as newest:
        for more in parts[:-1]:
            await _all_read(quick, more)
            await asyncio.to_thread(api.end)
            await asyncio.to_thread(api.start)
        await _all_read(quick, parts[-1])
    last = newest()
    while any(max(reader.seen, default=0) < last for reader in readers):
        await asyncio.sleep(0.02)
    for task in reading:
        task.cancel()
    await asyncio.gather(*reading, return_exceptions=True)


async def _all_read(readers: list[Reader], more: int) -> None:
    """Wait until each has read so many more events."""
    seen = [len(reader.seen) for reader in readers]
    while any(len(reader.seen) < n + more for reader, n in zip(readers, seen, strict=True)):
        await asyncio.sleep(0.02)
