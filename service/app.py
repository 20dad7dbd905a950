"""The service's door put together: routes, bounds on requests, the error table, what lives as long as the process."""

import functools
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI
from fastapi.routing import APIRoute
from sqlalchemy.exc import OperationalError

from service.api import (
    access,
    attachments,
    campaigns,
    capabilities,
    claims,
    clones,
    compositions,
    datasets,
    events,
    exports,
    films,
    generations,
    health,
    insights,
    instruments,
    keys,
    leases,
    lineage,
    measurements,
    metrics,
    models,
    openapi,
    predictions,
    prior_data,
    problems,
    proposals,
    replays,
    retractions,
    samples,
    web_sessions,
)
from service.api.callers import Callers
from service.api.gate import Gate
from service.api.limits import BoundedBody
from service.api.metrics import Metrics
from service.api.requests import RequestContext
from service.api.streams import EventStreams
from service.errors import Unavailable
from service.operations import keys as key_operations
from service.settings import Settings
from service.store import schema
from service.store.bell import Bell
from service.store.session import Sessions, make_engine, make_sessions
from service.telemetry import configure_logging
from service.web import mounting

TITLE = "Filmloop"
ROUTERS = (
    capabilities.router,
    campaigns.router,
    proposals.router,
    claims.router,
    leases.router,
    films.router,
    measurements.router,
    compositions.router,
    attachments.router,
    instruments.router,
    samples.router,
    retractions.router,
    prior_data.router,
    clones.router,
    datasets.router,
    models.router,
    generations.router,
    replays.router,
    lineage.router,
    exports.router,
    predictions.router,
    insights.router,
    events.router,
    keys.router,
    web_sessions.router,
)
"""Every noun under `/v1`."""


def create_app(settings: Settings | None = None) -> FastAPI:
    """Build the API.

    Args:
        settings: Where the record and the broker are. None means that this process is the API's own (uvicorn's
            factory): then they come from the environment, and the process' log is set up too.
    """
    if settings is None:
        settings = Settings()
        configure_logging(settings)
        _collect_rarely()
    app = FastAPI(
        title=TITLE,
        description="Closes the loop of a combinatorial thin-film lab: robots ask which film to make next, "
        "instruments post what they measured, Filmloop relearns and decides.",
        version="1",
        lifespan=_lifespan,
        openapi_tags=openapi.TAGS,
        docs_url=None,  # FastAPI's pages load their scripts from a foreign network; ours are in `service/web`
        redoc_url=None,
        generate_unique_id_function=_operation_id,
    )
    app.state.settings = settings
    app.state.callers = Callers(lambda: app.state.sessions, settings.api.wrong_keys_per_s)
    app.state.letting_in = web_sessions.letting_in()
    app.state.looked = health.Looked()
    app.state.metrics = Metrics()
    app.add_middleware(BoundedBody, silent_s=settings.api.body_silent_s, longest_s=settings.api.body_s)
    app.add_middleware(Gate, settings=settings.api, callers=app.state.callers)
    # Added last, so outermost: a refused body has an id and a log line, too.
    app.add_middleware(RequestContext, metrics=app.state.metrics)
    problems.install(app)
    access.check((health.router, metrics.router, *ROUTERS))
    app.include_router(health.router)
    app.include_router(metrics.router, dependencies=access.AUTHORISED)
    for router in ROUTERS:
        app.include_router(router, prefix="/v1", dependencies=access.AUTHORISED)
    described = app.openapi
    whole = functools.cache(lambda: openapi.describe(described(), (*measurements.BODIES, *prior_data.BODIES)))
    app.openapi = whole  # type: ignore[method-assign]
    mounting.install(app, access.PAGE)
    return app


def _collect_rarely() -> None:
    """Look for circles of dead objects every 50,000 new ones instead of every 700.

    A batch of readings is tens of thousands of objects that all live until it is answered: Python's usual pace looks
    through them, and through all that was imported, again and again, for a tenth of the batch's time.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings: Settings = app.state.settings
    engine = make_engine(settings.require_database_url(), settings.database.pool_size)
    schema.refuse_other(engine)
    app.state.sessions = make_sessions(engine)
    if not settings.api.on_loopback:
        _refuse_without_keys(app.state.sessions, settings.api.host)
    app.state.streams = EventStreams(app.state.sessions)
    app.state.metrics.watch(app.state.sessions, app.state.streams)
    with Bell(settings.broker.url) as bell:
        app.state.bell = bell
        async with app.state.streams.running():
            yield
    engine.dispose()


def _refuse_without_keys(sessions: Sessions, host: str) -> None:
    """Let nobody listen beyond this machine before there are keys; a database that is away is waited for, as always.

    Raises:
        NoKeys: If there is none that may make others.
    """
    with suppress(OperationalError, Unavailable), sessions() as session:
        key_operations.refuse_without(session, host)


def _operation_id(route: APIRoute) -> str:
    return route.name
