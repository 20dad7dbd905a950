"""What surrounds every request: its id, one log line, its place in the figures, and the last resort."""

import logging
import re
import time
import uuid
from collections.abc import Iterable

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.api.metrics import Metrics
from service.api.problems import unexpected
from service.telemetry import told

log = structlog.get_logger("filmloop.api")
_OF_PAGES = ((b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"same-origin"))
_OF_DATA = (
    *_OF_PAGES,
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"private, no-cache"),
)
"""Data are no document: nothing in them runs, no foreign page shows them, nobody keeps them for others."""
_ACCEPTED = re.compile(rb"[A-Za-z0-9._:-]{1,64}")


class RequestContext:
    """Gives each request an id (`X-Request-Id`, the caller's own if it is well formed) and logs one line for it."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; an error that nobody foresaw becomes a problem without its innards."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        started, status = time.perf_counter(), 0

        async def send_marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [*message.get("headers", []), (b"x-request-id", request_id.encode())]
                message["headers"] = [*headers, *_missing(headers)]
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id), told() as said:
            try:
                await self.app(scope, receive, send_marked)
            except Exception:
                log.exception("request failed", method=scope["method"], path=scope["path"])
                if status:  # half an answer is out: only the server can end it, by closing the connection
                    raise
                await unexpected(scope)(scope, receive, send_marked)
            elapsed_s = time.perf_counter() - started
            self._metrics.observe(scope, status, elapsed_s)
            elapsed_ms = round(1e3 * elapsed_s, 1)
            # Whoever only looks, as supervisors do every second, must not fill the log.
            level = logging.DEBUG if scope["method"] == "GET" and status < 400 else logging.INFO
            told_of = {"method": scope["method"], "path": scope["path"], "status": status, "elapsed_ms": elapsed_ms}
            log.log(level, "request", **told_of, **said)


def _missing(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """What a browser must be told that the answer does not say. Pages say for themselves what they may load."""
    said = dict(headers)
    wanted = _OF_PAGES if said.get(b"content-type", b"").startswith(b"text/html") else _OF_DATA
    return [(name, value) for name, value in wanted if name not in said]


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _ACCEPTED.fullmatch(value):
            return bytes(value).decode("ascii")
    return uuid.uuid4().hex
