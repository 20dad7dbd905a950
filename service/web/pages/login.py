"""Where a visitor who is not known presents a key. The browser gets a cookie for it from the API."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from service.web.pages.preferences import own
from service.web.rendering import render

router = APIRouter()


@router.get("/login")
def ask_in(request: Request, then: Annotated[str, Query(alias="next", max_length=2000)] = "/") -> Response:
    """A form for a key; or nothing to do, if the address brings one behind its `#`, which no server ever sees."""
    return render(request, "login.html", then=own(then))
