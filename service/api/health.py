"""Is the process alive, and can it do its work? For supervisors and load balancers; outside `/v1`."""

import asyncio
import math
import time
from dataclasses import asdict

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from service.api.dependencies import SessionsDependency, SettingsDependency
from service.api.schemas.health import HealthRead, ReadinessRead
from service.operations import health
from service.operations.health import Readiness
from service.store.session import Sessions

router = APIRouter(tags=["operator"])

FRESH_S = 0.1


class Looked:
    """Readiness as it was found a moment ago: strangers may ask, so however many do, one look is made at a time."""

    def __init__(self) -> None:
        self._found: Readiness | None = None
        self._at = -math.inf
        self._looking = asyncio.Lock()

    async def readiness(self, sessions: Sessions, broker_url: str | None) -> Readiness:
        """As it is now, or was `FRESH_S` ago."""
        async with self._looking:
            if self._found is None or time.monotonic() - self._at >= FRESH_S:
                self._found = await run_in_threadpool(health.readiness, sessions, broker_url)
                self._at = time.monotonic()
            return self._found


@router.get("/healthz")
async def alive() -> HealthRead:
    """Answers as long as the process does; asks nobody else."""
    return HealthRead()


@router.get("/readyz", responses={503: {"model": ReadinessRead, "description": "Not able to work"}})
async def ready(
    request: Request, sessions: SessionsDependency, settings: SettingsDependency, response: Response
) -> ReadinessRead:
    """Database reachable and schema as this code needs it; without the broker the service is only degraded."""
    looked: Looked = request.app.state.looked
    found = await looked.readiness(sessions, settings.broker.url)
    if found.status == "unavailable":
        response.status_code = 503
    parts = asdict(found)
    return ReadinessRead(schema_=parts.pop("schema"), **parts)
