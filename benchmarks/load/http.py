"""A small HTTP/1.1 client that costs little: the load and the service share the machine."""

import asyncio
from collections.abc import AsyncIterator, Mapping

ANSWER_S = 60.0
"""After so long a call counts as failed."""


class Door:
    """Kept connections to one address; as many as calls are under way at once."""

    def __init__(self, host: str, port: int, headers: Mapping[str, str]) -> None:
        self._host, self._port = host, port
        self._head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
        """One call; status and body. Status 0 means that there was no answer.

        Where a kept connection was ended before any answer, a fresh one is taken, as HTTP clients do.
        """
        request = self._request(method, path, len(body), headers) + body
        while kept := self._kept():
            told = await self._told(*kept, request)
            if told is not None:
                return told
        return await self._told(*await self._connected(), request) or (0, b"")

    async def _told(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, request: bytes
    ) -> tuple[int, bytes] | None:
        """The answer over one connection; None if that ended before it."""
        try:
            sink.write(request)
            async with asyncio.timeout(ANSWER_S):
                status, answer, kept = await _answer(source)
        except TimeoutError:
            sink.close()
            return 0, b""
        except (OSError, asyncio.IncompleteReadError):
            sink.close()
            return None
        if kept:
            self._idle.append((source, sink))
        else:
            sink.close()
        return status, answer

    async def follow(self, path: str) -> AsyncIterator[bytes]:
        """Data of an event stream, event by event, until it ends."""
        source, sink = await self._connected()
        try:
            sink.write(self._request("GET", path, 0, {"Accept": "text/event-stream"}))
            head = await source.readuntil(b"\r\n\r\n")
            if b" 200 " not in head.split(b"\r\n", 1)[0]:
                raise ConnectionRefusedError(head[:100])
            while line := await source.readline():
                if line.startswith(b"data: "):
                    yield line[6:]
        finally:
            sink.close()

    def _kept(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        """A connection of before that the service has not ended: it does so after some idle seconds."""
        while self._idle:
            source, sink = self._idle.pop()
            if not source.at_eof():
                return source, sink
            sink.close()
        return None

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(self._host, self._port, limit=2**20)

    def _request(self, method: str, path: str, size: int, headers: Mapping[str, str]) -> bytes:
        own = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        kind = f"Content-Type: application/json\r\nContent-Length: {size}\r\n" if size else "Content-Length: 0\r\n"
        return f"{method} {path} HTTP/1.1\r\nHost: {self._host}\r\n{self._head}{own}{kind}\r\n".encode()


async def _answer(source: asyncio.StreamReader) -> tuple[int, bytes, bool]:
    head = (await source.readuntil(b"\r\n\r\n")).lower()
    size = 0
    for line in head.split(b"\r\n")[1:]:
        if line.startswith(b"content-length:"):
            size = int(line[15:])
    body = await source.readexactly(size) if size else b""
    return int(head[9:12]), body, b"connection: close" not in head
