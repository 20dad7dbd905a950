"""Bounds on a request body, held before any route sees it: size while it streams in, JSON, finite numbers."""

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.problems import FieldProblem, escaped, problem

MAX_BODY_BYTES = 8 * 1024 * 1024
"""Largest request body, 8 MiB."""
MAX_LISTED = 100
"""Non-finite numbers that one answer lists."""
_PERHAPS_NOT_FINITE = re.compile(rb"NaN|Infinity|[eE]\+?\d{3}|\d{300}")


class BodyTooLarge(Exception):
    """More bytes came than are allowed; answered here, never seen by a route."""


class JsonBody:
    """Reads the whole body, counting, before the route runs: no database connection waits for a slow sender."""

    def __init__(self, app: ASGIApp, max_bytes: int = MAX_BODY_BYTES) -> None:
        self.app = app
        self.max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a request whose body is within bounds; answer 413, 415 or 422 to any other."""
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD", "OPTIONS"}:
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        try:
            body = await self._read(headers, receive)
        except BodyTooLarge as error:
            answer = problem(scope, 413, "body-too-large", str(error), headers={"Connection": "close"})
            await answer(scope, receive, send)
            return
        if body is None:
            return
        if body and not _is_json(headers):
            sent = headers.get(b"content-type", b"").decode("latin-1")[:100] or "no content type"
            detail = f"the body must be application/json, not {sent}"
            await problem(scope, 415, "unsupported-media-type", detail)(scope, receive, send)
            return
        if bad := list(_not_finite(body)):
            detail = f"{len(bad)} number(s) are not finite; JSON knows no NaN and no infinity"
            answer = problem(scope, 422, "invalid-content", detail, errors=bad[:MAX_LISTED])
            await answer(scope, receive, send)
            return
        await self.app(scope, _replay(body, receive), send)

    async def _read(self, headers: dict[bytes, bytes], receive: Receive) -> bytes | None:
        """The body; None if the client went away before it was complete."""
        announced = headers.get(b"content-length", b"0")
        if announced.isdigit() and int(announced) > self.max_bytes:
            raise BodyTooLarge(f"the body has {int(announced)} bytes; the bound is {self.max_bytes}")
        parts, size, more = [], 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            more = message.get("more_body", False)
            if size > self.max_bytes:
                raise BodyTooLarge(f"the body has more than {self.max_bytes} bytes, which is the bound")
        return b"".join(parts)


def _is_json(headers: dict[bytes, bytes]) -> bool:
    media_type = headers.get(b"content-type", b"").split(b";")[0].strip().lower()
    return media_type == b"application/json" or media_type.endswith(b"+json")


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


def _not_finite(body: bytes) -> Iterator[FieldProblem]:
    """Every number of a JSON text that is NaN, infinite or too large for a double, with its place.

    The search by pattern keeps the usual, clean body cheap: only a suspicious one is parsed here.
    """
    if not _PERHAPS_NOT_FINITE.search(body):
        return
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
