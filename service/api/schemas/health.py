"""Health on the wire."""

from typing import Literal

from pydantic import Field

from service.api.schemas.fields import Outgoing


class HealthRead(Outgoing):
    """The process is alive."""

    status: Literal["alive"] = "alive"


class ReadinessRead(Outgoing):
    """Whether the process can do its work, part by part."""

    status: Literal["ready", "degraded", "unavailable"]
    database: str
    schema_: str = Field(serialization_alias="schema")
    broker: str
