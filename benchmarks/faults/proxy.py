"""A TCP proxy between a client and the API that loses requests and answers, and remembers the answers it lost."""

import asyncio
import random
import threading
from abc import ABC, abstractmethod
from collections import Counter
from typing import Literal, Self

Cut = Literal["none", "request", "answer", "half"]
"""Nothing; before the request goes on; after the whole answer came; in the middle of handing the answer on."""


class Between(ABC):
    """Stands between clients and a port of this machine, in a thread of its own for the length of a `with` block."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = ""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self) -> Self:
        self._thread.start()
        opening = asyncio.run_coroutine_threadsafe(asyncio.start_server(self._serve, "127.0.0.1", 0), self._loop)
        self._server = opening.result(10)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        await self.cut_all()

    async def cut_all(self) -> None:
        """End every connection."""
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    @abstractmethod
    async def _serve(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        """Serve one connection of a client."""


class Proxy(Between):
    """It knows where an HTTP message ends."""

    def __init__(self, port: int, cuts: dict[Cut, float], seed: int) -> None:
        """Prepare.

        Args:
            port: Of the API.
            cuts: How often each kind of cut shall come, as weights.
            seed: Of the choice.
        """
        super().__init__(port)
        self._cuts = cuts
        self._chance = random.Random(seed)  # noqa: S311 - not a secret
        self.done: Counter[Cut] = Counter()
        self.lost: dict[bytes, bytes] = {}
        """Bodies of answers that did not come through, by the Idempotency-Key of their request."""

    async def _serve(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        source, sink = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            while (request := await _message(client)) is not None:
                kinds = list(self._cuts)
                (cut,) = self._chance.choices(kinds, [self._cuts[kind] for kind in kinds])
                self.done[cut] += 1
                if cut == "request":
                    break
                sink.write(b"".join(request))
                answer = await _message(source)
                if answer is None:
                    break
                whole = b"".join(answer)
                if cut == "none":
                    back.write(whole)
                    continue
                self.lost[_header(request[0], b"idempotency-key")] = answer[1]
                if cut == "half":
                    back.write(whole[: len(whole) // 2])
                    await back.drain()
                break
        finally:
            back.close()
            sink.close()


async def _message(source: asyncio.StreamReader) -> tuple[bytes, bytes] | None:
    """Head and body of the next HTTP message; none if there is no more."""
    try:
        head = await source.readuntil(b"\r\n\r\n")
        return head, await source.readexactly(int(_header(head, b"content-length") or b"0"))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


def _header(head: bytes, name: bytes) -> bytes:
    for line in head.split(b"\r\n")[1:]:
        key, _, value = line.partition(b":")
        if key.strip().lower() == name:
            return value.strip()
    return b""
