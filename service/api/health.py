"""Is the process alive, and can it do its work? For supervisors and load balancers; outside `/v1`."""

from dataclasses import asdict

from fastapi import APIRouter, Response

from service.api.dependencies import SessionsDependency, SettingsDependency
from service.api.schemas.health import HealthRead, ReadinessRead
from service.operations import health

router = APIRouter(tags=["operator"])


@router.get("/healthz")
async def alive() -> HealthRead:
    """Answers as long as the process does; asks nobody else."""
    return HealthRead()


@router.get("/readyz", responses={503: {"model": ReadinessRead, "description": "Not able to work"}})
def ready(sessions: SessionsDependency, settings: SettingsDependency, response: Response) -> ReadinessRead:
    """Database reachable and schema as this code needs it; without the broker the service is only degraded."""
    found = health.readiness(sessions, settings.broker.url)
    if found.status == "unavailable":
        response.status_code = 503
    parts = asdict(found)
    return ReadinessRead(schema_=parts.pop("schema"), **parts)
