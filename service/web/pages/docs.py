"""The API's description as pages: one to try calls, one to read. Both from files of our own."""

from fastapi import APIRouter, Request, Response

from service.web.guard import POLICY
from service.web.rendering import render

router = APIRouter()

_READING = POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'") + "; worker-src blob:"
"""What ReDoc needs: it writes its styles into the page, and searches in a worker that it makes itself."""


@router.get("/docs")
def try_calls(request: Request) -> Response:
    """Every call, with examples, to be tried with the visitor's own key."""
    return render(request, "docs.html")


@router.get("/redoc")
def read_calls(request: Request) -> Response:
    """Every call, to be read."""
    page = render(request, "redoc.html")
    page.headers["Content-Security-Policy"] = _READING
    return page
