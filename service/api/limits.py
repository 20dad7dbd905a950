"""Bounds on a request body, held before any route sees it: size and time while it streams in, JSON, finite numbers."""

import asyncio
import json
import math
import zlib
from collections.abc import Iterator
from typing import Any

import orjson
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.media import BATCH_TYPES, ZIP
from service.api.problems import FieldProblem, escaped, problem

MAX_BODY_BYTES = 8 * 1024 * 1024
"""Largest request body, 8 MiB."""
MAX_BATCH_BYTES = 32 * 1024 * 1024
"""Largest measurement batch that is not JSON, packed or unpacked, 32 MiB: 50,000 rows with all their fields. Also the
largest archive of a campaign that is imported."""
LETS_IN = "/v1/session"
"""Where a key is given for a cookie, and a cookie given back: nobody is known there yet."""
MAX_KEY_BYTES = 4096
"""Largest body there."""
SILENT_S = 30.0
"""Seconds without a byte of a body after which its sender is sent away."""
LONGEST_S = 600.0
"""Seconds that a body may take, however steadily it comes."""
MAX_LISTED = 100
"""Non-finite numbers that one answer lists."""
PARSED = "parsed"
"""Where a request's state holds what its body says, for a route that reads the body itself: a large one is parsed
once."""
NOTHING = object()
"""What it holds if the body is not JSON to the letter: another type, careless JSON, or none at all."""


class BodyTooLarge(Exception):
    """More bytes came than are allowed; answered here, never seen by a route."""


class BodyTooSlow(Exception):
    """The body does not come; answered here, never seen by a route."""


class BadEncoding(Exception):
    """The body is not packed as its header says, or in a way unknown here; answered here, never seen by a route."""

    def __init__(self, status: int, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind


class BoundedBody:
    """Reads the whole body, unpacking and counting, before the route runs.

    No database connection waits for a slow sender, and nothing that is small when packed becomes large unseen.
    """

    def __init__(
        self,
        app: ASGIApp,
        max_bytes: int = MAX_BODY_BYTES,
        max_batch_bytes: int = MAX_BATCH_BYTES,
        *,
        silent_s: float = SILENT_S,
        longest_s: float = LONGEST_S,
    ) -> None:
        self.app = app
        self.silent_s = silent_s
        self.longest_s = longest_s
        self.max_bytes = max_bytes
        self.max_batch_bytes = max_batch_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a request whose body is within bounds; answer 400, 408, 413, 415 or 422 to any other."""
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD", "OPTIONS"}:
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        media_type = headers.get(b"content-type", b"").split(b";")[0].strip().lower().decode("latin-1")
        is_batch = media_type in BATCH_TYPES and scope["path"].endswith(("/measurement-batches", "/prior-data/files"))
        is_batch = is_batch or (media_type == ZIP and scope["path"].endswith("/campaign-imports"))
        bound = self.max_batch_bytes if is_batch else self.max_bytes
        try:
            body = await self._read(headers, receive, MAX_KEY_BYTES if scope["path"] == LETS_IN else bound)
        except BodyTooLarge as error:
            answer = problem(scope, 413, "body-too-large", str(error), headers={"Connection": "close"})
            await answer(scope, receive, send)
            return
        except BodyTooSlow as error:
            answer = problem(scope, 408, "body-too-slow", str(error), headers={"Connection": "close"})
            await answer(scope, receive, send)
            return
        except BadEncoding as error:
            answer = problem(scope, error.status, error.kind, str(error), headers={"Connection": "close"})
            await answer(scope, receive, send)
            return
        if body is None:
            return
        kept = [(name, value) for name, value in scope["headers"] if name != b"content-encoding"]
        scope = {**scope, "headers": kept, "state": {**scope.get("state", {}), PARSED: NOTHING}}
        refusal = None if is_batch else _refusal(scope, media_type, body)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        await self.app(scope, _replay(body, receive), send)

    async def _read(self, headers: dict[bytes, bytes], receive: Receive, bound: int) -> bytes | None:
        """The body, unpacked; None if the client went away before it was complete."""
        announced = headers.get(b"content-length", b"0")
        if announced.isdigit() and int(announced) > bound:
            raise BodyTooLarge(f"the body has {int(announced)} bytes; the bound is {bound}")
        packed = headers.get(b"content-encoding", b"").strip().lower()
        if packed not in {b"", b"identity", b"gzip", b"x-gzip"}:
            detail = f"Content-Encoding must be gzip or absent, got {packed.decode('latin-1')[:50]!r}"
            raise BadEncoding(415, "unsupported-media-type", detail)
        unpacked = _Gzip(bound) if packed.endswith(b"gzip") else _Plain(bound)
        try:
            async with asyncio.timeout(self.longest_s):
                complete = await self._collect(receive, unpacked)
        except TimeoutError as error:
            raise BodyTooSlow(
                f"the body did not come: {self.silent_s:g} s of silence are borne, {self.longest_s:g} s in all"
            ) from error
        return unpacked.whole() if complete else None

    async def _collect(self, receive: Receive, unpacked: "_Plain") -> bool:
        """Take all parts of the body; whether they came."""
        more = True
        while more:
            async with asyncio.timeout(self.silent_s):
                message = await receive()
            if message["type"] == "http.disconnect":
                return False
            unpacked.add(message.get("body", b""))
            more = message.get("more_body", False)
        return True


class _Plain:
    """Collects a body that is not packed."""

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, part: bytes) -> None:
        """Keep a part.

        Raises:
            BodyTooLarge: If the bound is passed.
        """
        self._parts.append(part)
        self._size += len(part)
        if self._size > self._bound:
            raise BodyTooLarge(f"the body has more than {self._bound} bytes, which is the bound")

    def whole(self) -> bytes:
        """All of it."""
        return b"".join(self._parts)


class _Gzip(_Plain):
    """Collects a packed body. It unpacks no more than one byte beyond the bound, however much was packed."""

    def __init__(self, bound: int) -> None:
        super().__init__(bound)
        self._member = zlib.decompressobj(wbits=31)
        self._began = False

    def add(self, part: bytes) -> None:
        """Unpack a part; several gzip members in a row are one body, as RFC 1952 has it."""
        while part:
            self._began = True
            if self._member.eof:
                self._member = zlib.decompressobj(wbits=31)
            try:
                super().add(self._member.decompress(part, self._bound - self._size + 1))
            except zlib.error as error:
                raise BadEncoding(400, "malformed-request", f"the body is not gzip: {error}") from error
            part = self._member.unused_data if self._member.eof else self._member.unconsumed_tail

    def whole(self) -> bytes:
        """All of it.

        Raises:
            BadEncoding: If the end is missing.
        """
        if self._began and not self._member.eof:
            raise BadEncoding(400, "malformed-request", "the body is gzip whose end is missing")
        return super().whole()


def _refusal(scope: Scope, media_type: str, body: bytes) -> Response | None:
    """What is wrong with a body that should be JSON with finite numbers."""
    if body and not _is_json(media_type):
        sent = media_type[:100] or "no content type"
        also = f" (a measurement batch also {', '.join(BATCH_TYPES)})"
        return problem(scope, 415, "unsupported-media-type", f"the body must be application/json{also}, not {sent}")
    scope["state"][PARSED] = parsed = _strictly(body)
    if parsed is NOTHING and (bad := list(_not_finite(body))):
        detail = f"{len(bad)} number(s) are not finite; JSON knows no NaN and no infinity"
        return problem(scope, 422, "invalid-content", detail, errors=bad[:MAX_LISTED])
    return None


def _is_json(media_type: str) -> bool:
    return media_type == "application/json" or media_type.endswith("+json")


def _replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body once and then listens to the client again."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _strictly(body: bytes) -> object:
    """What a body says that is JSON to the letter, so that every number in it is finite; else `NOTHING`."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return NOTHING


def _not_finite(body: bytes) -> Iterator[FieldProblem]:
    """Every number of a JSON text that is NaN, infinite or too large for a double, with its place."""
    try:
        parsed = json.loads(body, parse_int=float)
    except (ValueError, RecursionError):  # not JSON at all: the route answers 400
        return
    waiting: list[tuple[Any, str, int | None]] = [(parsed, "", None)]
    while waiting:
        value, pointer, row = waiting.pop()
        if isinstance(value, dict):
            waiting.extend((inner, f"{pointer}/{escaped(key)}", row) for key, inner in reversed(value.items()))
        elif isinstance(value, list):
            places = reversed(list(enumerate(value)))
            waiting.extend((inner, f"{pointer}/{k}", k if row is None else row) for k, inner in places)
        elif isinstance(value, float) and not math.isfinite(value):
            yield FieldProblem(pointer=pointer, row=row, message=f"must be a finite number, got {value}")
