"""Puts the pages into the application."""

from collections.abc import Sequence

from fastapi import FastAPI
from fastapi.params import Depends
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from service.web.guard import PageGuard
from service.web.pages import (
    campaign,
    campaigns,
    configuration,
    data,
    docs,
    film,
    films,
    keys,
    login,
    model,
    new,
    pareto,
    preferences,
    said,
    space,
)
from service.web.rendering import STATIC, prepare

ROUTERS = (
    preferences.router,
    campaigns.router,
    campaign.router,
    data.router,
    configuration.router,
    space.router,
    pareto.router,
    model.router,
    films.router,
    film.router,
    new.router,
    keys.router,
    said.router,
    docs.router,
    login.router,
)
"""Every page, in the order in which addresses are matched."""
FOR_ALL = (preferences.router, login.router, docs.router)
"""Pages for which nobody need be known."""
FOR_EVER = "public, max-age=31536000, immutable"


def install(app: FastAPI, guards: Sequence[Depends]) -> None:
    """Add every page, the static files, and what surrounds them. Last of all, so that it is outermost.

    Args:
        app: The application.
        guards: Dependencies of every page that is not for everybody: they let in who is known.
    """
    prepare()
    for router in ROUTERS:
        app.include_router(router, include_in_schema=False, dependencies=() if router in FOR_ALL else guards)
    app.mount("/static", StaticPart(directory=STATIC), name="static")
    app.add_middleware(PageGuard)


class StaticPart(StaticFiles):
    """Static files: kept for ever if their address says which version they are, asked after each time if not."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """A file, or nothing new."""
        answer = await super().get_response(path, scope)
        versioned = b"v=" in scope.get("query_string", b"")
        answer.headers["Cache-Control"] = FOR_EVER if versioned else "no-cache"
        return answer
