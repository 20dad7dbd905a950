"""What this Filmloop can do: kinds, forms, units and bounds. The same for every caller until it is upgraded."""

import functools
from typing import Any, get_args

from fastapi import APIRouter
from pydantic import BaseModel

from models.catalog import PolicyChoice, SurrogateChoice
from service.api import streams
from service.api.datasets import MAX_ROWS as DATASET_ROWS
from service.api.dependencies import LONGEST_KEY, MAX_PAGE
from service.api.limits import MAX_BATCH_BYTES, MAX_BODY_BYTES
from service.api.media import BATCH_TYPES, JSON
from service.api.readers.sheet import MAX_ROWS as BATCH_ROWS
from service.api.schemas import attachments, measurements
from service.api.schemas.capabilities import (
    AttachmentsTakenRead,
    BatchTypeRead,
    CapabilitiesRead,
    LimitsRead,
    MeasurementsRead,
    PolicyRead,
    SurrogateRead,
    UnitsRead,
    VersionsRead,
)
from service.api.schemas.claims import MOST_WAIT_S
from service.operations import units
from service.operations.health import needed_schema
from service.operations.recommendations import code_version

router = APIRouter(tags=["operator"])

FEATURES = (
    "attachments",
    "calibrations",
    "calibration-samples",
    "claims-that-wait",
    "clones",
    "composition-maps",
    "configuration-changes",
    "dry-runs",
    "event-stream",
    "generations",
    "keys",
    "partial-batches",
    "prior-data",
    "replays",
    "retractions",
    "wanted-films",
)
"""Of the API, by stable names."""


@router.get("/capabilities")
def read_capabilities() -> CapabilitiesRead:
    """What a client needs to know before it starts: surrogates, policies and their options, forms, units, bounds."""
    return _capabilities()


@functools.cache
def _capabilities() -> CapabilitiesRead:
    kinds = get_args(get_args(PolicyChoice)[0])
    return CapabilitiesRead(
        versions=VersionsRead(api="1", filmloop=code_version(), database_schema=needed_schema()),
        surrogates=[SurrogateRead(name=_name(SurrogateChoice), **_described(SurrogateChoice))],
        policies=[
            PolicyRead(
                name=_name(kind),
                fewest_objectives=kind.objectives[0],
                most_objectives=kind.objectives[1],
                heeds_outcomes=kind.heeds_outcomes,
                seeks_targets=kind.seeks_targets,
                **_described(kind),
            )
            for kind in kinds
        ],
        measurements=_measurements(),
        units=UnitsRead(
            grammar=units.GRAMMAR,
            most_characters=units.MAX_LENGTH,
            examples=list(units.EXAMPLES),
            own_scales=list(units.own_scales()),
        ),
        attachments=AttachmentsTakenRead(
            kinds=list(get_args(attachments.Kind)),
            dtypes=list(get_args(attachments.ArrayCreate.model_fields["dtype"].annotation)),
            most_attachments=attachments.MAX_ATTACHMENTS,
            most_points=attachments.MAX_POINTS,
            most_axes=attachments.MAX_AXES,
        ),
        limits=_limits(),
        features=list(FEATURES),
    )


def _measurements() -> MeasurementsRead:
    json = BatchTypeRead(media_type=JSON, most_rows=measurements.MAX_ROWS, most_bytes=MAX_BODY_BYTES)
    others = [BatchTypeRead(media_type=t, most_rows=BATCH_ROWS, most_bytes=MAX_BATCH_BYTES) for t in BATCH_TYPES]
    return MeasurementsRead(
        media_types=[json, *others],
        content_encodings=["gzip"],
        statuses=list(get_args(measurements.MeasurementCreate.model_fields["status"].annotation)),
        places=["device", "position", "position_mm"],
    )


def _limits() -> LimitsRead:
    return LimitsRead(
        body_bytes=MAX_BODY_BYTES,
        page_items=MAX_PAGE,
        dataset_page_rows=DATASET_ROWS,
        idempotency_key_characters=LONGEST_KEY,
        claim_wait_s=MOST_WAIT_S,
        event_streams=streams.MOST_READERS,
        event_heartbeat_s=streams.HEARTBEAT_S,
    )


def _name(kind: type[BaseModel]) -> str:
    return str(kind.model_fields["name"].default)


def _described(kind: type[BaseModel]) -> dict[str, Any]:
    """Summary and options; the catalogue says after a colon where a kind's source is, which is no caller's concern."""
    summary = " ".join((kind.__doc__ or "").split()).split(": `models/")[0].rstrip(".") + "."
    return {"summary": summary, "options": kind.model_json_schema() | {"description": summary}}
