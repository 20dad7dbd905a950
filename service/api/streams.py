"""Events as they happen: one look at the database serves all who follow a campaign; who waits holds no connection.

A reader that is up to date is served from the tail, the newest events of its campaign in memory. One that is behind,
because it resumes or is slow, is served from the table like a page of the list. Numbers are given in the order of
commits, so that both have every event once.

Source: WHATWG HTML, server-sent events.
"""

import asyncio
import contextlib
import functools
import signal
import threading
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from types import FrameType

import structlog
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from service.api.schemas.events import EventRead
from service.errors import Unavailable
from service.operations import events
from service.operations.events import Event
from service.store.session import Sessions

log = structlog.get_logger("filmloop.streams")

Allowed = Callable[[], Awaitable[bool]]
"""Whether a reader may see the events still."""

MEDIA_TYPE = "text/event-stream"
PAUSE_S = 0.2
"""Between two looks of the process for new events: the longest that one stays unseen is this and the look itself."""
HEARTBEAT_S = 15.0
"""Longest silence on a stream: proxies keep it open, and a reader that vanished is found out."""
LOOK_S = 2.5
"""How often it is looked whether the reader of a silent stream may see it still."""
RETRY_MS = 2000
"""How long a browser should wait before it connects again."""
MOST_READERS = 1000
"""Streams that one process serves at once."""
PAGE = 500
"""Events of one reading of the table; also about how much one slow reader may hold in memory."""
KEPT = 1000
"""Newest events of a campaign in memory while somebody follows it."""
CATCHING_UP = 3
"""Readers that may read the table at once: many that resume together must leave connections to those who write."""


@dataclass
class _Tail:
    """The newest events of a campaign that somebody follows: all with numbers above `begin`, up to `end`."""

    begin: int
    end: int
    events: deque[tuple[int, bytes]] = field(default_factory=deque)
    readers: int = 0
    grown: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, found: list[Event]) -> None:
        """Append new events, written once for all readers, and wake those who wait."""
        # While the table was read, the last reader may have gone and another come, whose tail is newer.
        self.events.extend((event.seq, _written(event)) for event in found if event.seq > self.end)
        self.end = max(self.end, found[-1].seq)
        while len(self.events) > KEPT:
            self.begin = self.events.popleft()[0]
        grown, self.grown = self.grown, asyncio.Event()
        grown.set()

    def after(self, seq: int) -> list[tuple[int, bytes]]:
        """Events above a number that is not below `begin`."""
        newer: list[tuple[int, bytes]] = []
        for event in reversed(self.events):
            if event[0] <= seq:
                break
            newer.append(event)
        return newer[::-1]


class EventStreams:
    """All streams of events of this process."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._tails: dict[str, _Tail] = {}
        self._followed = asyncio.Event()
        self._catching_up = asyncio.Semaphore(CATCHING_UP)
        self._closing = False

    @property
    def readers(self) -> int:
        """How many streams are open."""
        return sum(tail.readers for tail in self._tails.values())

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Look for new events while somebody follows, until the process is asked to end: then the streams end, too.

        A server that stops waits for its answers, and these would never end by themselves.
        """
        looking = asyncio.create_task(self._look_again_and_again())
        with _before_stopping(self.close):
            yield
        self.close()
        looking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await looking

    def close(self) -> None:
        """End every stream; its reader may connect again and resume."""
        self._closing = True
        for tail in self._tails.values():
            tail.grown.set()

    async def open(self, campaign_id: str, after: int, allowed: Allowed) -> "EventStream":
        """A stream of all events with numbers above `after`, those to come included, while its reader may see them.

        Raises:
            NotFound: If there is no such campaign.
            Unavailable: If this process serves as many streams as it may.
        """
        if self.readers >= MOST_READERS:
            raise Unavailable(f"{MOST_READERS} readers follow events already; ask for pages, or again later")
        if campaign_id not in self._tails:
            async with self._catching_up:
                newest = await asyncio.to_thread(self._newest, campaign_id)
            self._tails.setdefault(campaign_id, _Tail(begin=newest, end=newest))
            self._followed.set()
        tail = self._tails[campaign_id]
        tail.readers += 1  # now, not with the first event: a tail without readers is let go
        return EventStream(self, campaign_id, tail, after, allowed)

    async def follow(self, campaign_id: str, tail: _Tail, after: int, allowed: Allowed) -> AsyncGenerator[bytes]:
        """What one reader is sent: every event once, and a sign of life where there is none."""
        yield f"retry: {RETRY_MS}\n\n".encode()
        silent_s, pause_s = 0.0, min(LOOK_S, HEARTBEAT_S)
        while not self._closing and await allowed():
            grown = tail.grown
            fresh = await self._missed(campaign_id, after) if after < tail.begin else tail.after(after)
            if fresh:
                after = fresh[-1][0]
                yield b"".join(written for _, written in fresh)
                silent_s = 0.0
                continue
            try:
                await asyncio.wait_for(grown.wait(), pause_s)
            except TimeoutError:
                silent_s += pause_s
            if silent_s >= HEARTBEAT_S:
                yield b": nothing new\n\n"
                silent_s = 0.0

    def leave(self, campaign_id: str, tail: _Tail) -> None:
        """Forget a reader; with the last one its campaign's tail goes."""
        tail.readers -= 1
        if not tail.readers:
            del self._tails[campaign_id]
        if not self._tails:
            self._followed.clear()

    async def _missed(self, campaign_id: str, after: int) -> list[tuple[int, bytes]]:
        async with self._catching_up:
            found = await asyncio.to_thread(self._page, campaign_id, after)
        return [(event.seq, _written(event)) for event in found]

    async def _look_again_and_again(self) -> None:
        while True:
            await self._followed.wait()
            try:
                found = await asyncio.to_thread(self._look, {c: tail.end for c, tail in self._tails.items()})
            except Exception as error:  # noqa: BLE001 - whatever it was: readers must not be left with heartbeats only
                log.warning("cannot look for events; trying again", error=f"{type(error).__name__}: {error}"[:500])
                found = {}
            for campaign_id, newer in found.items():
                if campaign_id in self._tails:
                    self._tails[campaign_id].add(newer)
            await asyncio.sleep(PAUSE_S)

    def _newest(self, campaign_id: str) -> int:
        with self._sessions() as session:
            return events.newest(session, campaign_id)

    def _page(self, campaign_id: str, after: int) -> list[Event]:
        with self._sessions() as session:
            return list(events.page(session, campaign_id, after, PAGE))

    def _look(self, seen: dict[str, int]) -> dict[str, list[Event]]:
        with self._sessions() as session:
            return events.since(session, seen, PAGE)


class EventStream(StreamingResponse):
    """One reader's answer."""

    def __init__(self, streams: EventStreams, campaign_id: str, tail: _Tail, after: int, allowed: Allowed) -> None:
        self._leave = functools.partial(streams.leave, campaign_id, tail)
        self._sent = streams.follow(campaign_id, tail, after, allowed)
        headers = {"Cache-Control": "no-store", "Vary": "Accept", "X-Accel-Buffering": "no"}
        super().__init__(self._sent, media_type=MEDIA_TYPE, headers=headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the reader goes away."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._leave()
            await self._sent.aclose()


def _written(event: Event) -> bytes:
    """An event without a name of its own, so that one handler takes all of them; its type is in the data."""
    read = EventRead(seq=event.seq, type=event.type, at=event.at, data=event.data)
    told = read.model_dump_json(ensure_ascii=True)  # many clients take U+2028 for the end of a line
    return f"id: {event.seq}\ndata: {told}\n\n".encode()


@contextlib.contextmanager
def _before_stopping(act: Callable[[], None]) -> Iterator[None]:
    """Let `act` run when the process is asked to end, before the server begins to wait for its answers."""
    if threading.current_thread() is not threading.main_thread():  # only there can signals be heard, and are
        yield
        return
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def asked(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(act)
        handler = before[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)

    for number in before:
        signal.signal(number, asked)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
