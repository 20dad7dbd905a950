"""What surrounds every page: security headers; and errors in words for people instead of JSON for programs.

Source: W3C Content Security Policy Level 3; OWASP Secure Headers Project.
"""

import json
from typing import Any
from urllib.parse import quote

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.web import catalogue
from service.web.rendering import render

PROBLEM = "application/problem+json"
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
"""Nothing from elsewhere, nothing inline. A page that shows a library which needs more says so itself."""
_EVERYWHERE = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin"}
_PAGES = {
    "Content-Security-Policy": POLICY,
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}


class PageGuard:
    """Sets the headers, and turns a problem that a browser would show into a page."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        held: list[Message] = []
        wants_page = _wants_page(scope)

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=message.setdefault("headers", []))
                kind = headers.get("content-type", "")
                if wants_page and kind.startswith(PROBLEM):
                    held.append(message)
                    return
                _add_headers(headers, kind)
            elif held:
                held.append(message)
                return
            await send(message)

        await self.app(scope, receive, send_guarded)
        if held:
            await _page_of(scope, held)(scope, receive, send)


def _wants_page(scope: Scope) -> bool:
    """Whether the answer will be looked at: a page or a part of one, never the API."""
    if scope["method"] not in {"GET", "HEAD"} or scope["path"].startswith("/v1/"):
        return False
    headers = dict(scope["headers"])
    return b"text/html" in headers.get(b"accept", b"") or headers.get(b"hx-request") == b"true"


def _add_headers(headers: MutableHeaders, kind: str) -> None:
    wanted = _EVERYWHERE | _PAGES if kind.startswith("text/html") else _EVERYWHERE
    for name, value in wanted.items():
        headers.setdefault(name, value)


def _page_of(scope: Scope, held: list[Message]) -> Response:
    """The page for a problem; a visitor who is not known is asked in first."""
    start, *bodies = held
    problem: dict[str, Any] = json.loads(b"".join(m.get("body", b"") for m in bodies))
    status: int = start["status"]
    request = HTTPConnection(scope)
    if status == 401:
        return _asked_in(request)
    title = f"problem.{status}"
    page = render(
        request,
        "error.html",
        status,
        title_key=title if catalogue.has(title) else "problem.other",
        problem=problem,
    )
    sent = MutableHeaders(raw=start["headers"])
    for name in ("retry-after", "x-request-id"):
        if name in sent:
            page.headers[name] = sent[name]
    _add_headers(page.headers, "text/html")
    return page


def _asked_in(request: HTTPConnection) -> Response:
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    where = f"/login?next={quote(here, safe='')}"
    if request.headers.get("hx-request") == "true":
        return Response(status_code=204, headers={"HX-Redirect": where})
    return RedirectResponse(where, status_code=303)
