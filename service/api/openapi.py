"""The API's description (OpenAPI 3.1): what FastAPI cannot know of it is added here, examples of every call included.

Source: OpenAPI Specification 3.1.0; RFC 9457 for the answers to what goes wrong.
"""

import functools
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

from service.api.access import ANY_KEY, OPERATIONS
from service.api.dependencies import KEY_PATTERN, TAGS_PATTERN
from service.api.gate import COOKIE
from service.api.problems import ProblemRead, answers

EXAMPLES = Path(__file__).with_name("examples.json")
"""By operation id: a request and the answers to it, as they went over the wire in a test."""
TAGS = [
    {"name": "instrument", "description": "What measures: readings, compositions, spectra, calibrations."},
    {"name": "robot", "description": "What makes films: claim the next one, say how it went."},
    {"name": "researcher", "description": "Who seeks: campaigns, decisions, models, insights, data to take away."},
    {"name": "operator", "description": "Who keeps it running: keys, the audit, health, figures."},
]
"""Users, in the order in which their calls are told."""
JSON = "application/json"
KEY = "Idempotency-Key"
METHODS = ("get", "post", "put", "patch", "delete")
_REPLAYED = {
    "description": "`true` if this request was served before under its key, and this is the answer given then.",
    "schema": {"type": "string", "enum": ["true"]},
}
_WAIT = {"description": "Seconds after which to ask again.", "schema": {"type": "integer", "minimum": 0}}
_HEADERS = {
    "ETag": {"description": "Names this state of what was read.", "schema": {"type": "string"}},
    "Location": {"description": "Where it can be read.", "schema": {"type": "string"}},
}
_SENT: dict[tuple[str, str], tuple[str, ...]] = {
    ("create_campaign", "201"): ("ETag", "Location"),
    ("clone_campaign", "201"): ("ETag", "Location"),
    ("create_key", "201"): ("Location",),
    ("rotate_key", "201"): ("Location",),
    ("read_campaign", "200"): ("ETag",),
    ("change_campaign", "200"): ("ETag",),
    ("read_dataset", "200"): ("ETag",),
}
"""Headers of good answers, beside those of whole families of routes."""
_NEEDED: dict[str, str] = {KEY: KEY_PATTERN, "If-Match": TAGS_PATTERN}
"""Headers whose absence has a problem of its own, so that for FastAPI they are optional, and what they look like."""
_STORED_WHOLE = ("CampaignCreate", "CampaignChange")
"""Bodies in which no text may have the character NUL, wherever it stands."""
_STORABLE = r"^[^\x00]*$"
_FOR_ALL = {name for name, scopes in OPERATIONS.items() if not scopes}
"""Operations that ask for no key."""
_REFUSALS = ("401", "403", "421", "429")
"""What a caller may be told at the gate."""
_SECURITY = {
    "key": {"type": "http", "scheme": "bearer", "description": "A key, `flp_...`: `filmloop key create` makes one."},
    "cookie": {"type": "apiKey", "in": "cookie", "name": COOKIE, "description": "Of a browser that was let in."},
}
_GIVES: dict[str, dict[str, str]] = {
    "create_campaign": {"campaign_id": "/id"},
    "clone_campaign": {"campaign_id": "/id"},
    "take_prior_data": {"prior_data_id": "/prior_data/id"},
    "take_prior_file": {"prior_data_id": "/prior_data/id"},
    "propose_film": {"proposal_id": "/id"},
    "claim_film": {"lease_id": "/lease/id", "Lease-Token": "/lease/token", "proposal_id": "/proposal/id"},
    "start_film": {"film_id": "/film_id"},
    "register_instrument": {"instrument_id": "/id"},
    "calibrate_instrument": {"calibration_id": "/id"},
    "register_sample": {"sample_id": "/id"},
    "attach": {"attachment_id": "/attachment_ids/0"},
    "retract_readings": {"retraction_id": "/id"},
    "replay_proposal": {"replay_id": "/id"},
    "create_key": {"key_id": "/id"},
}
"""Where an answer has what other calls ask for."""


def describe(openapi: dict[str, Any], bodies: Iterable[type[BaseModel]] = ()) -> dict[str, Any]:
    """Add to FastAPI's document what it cannot know.

    These are: the problem's schema, which problems each operation may answer with, that keys and `If-Match` are
    required and what they look like, that a parameter is left out rather than null, headers of answers, links from
    what creates a thing to what is done with it, and examples.

    Args:
        openapi: FastAPI's document.
        bodies: Request bodies that routes read themselves.
    """
    _add_schemas(openapi, bodies)
    openapi["components"]["securitySchemes"] = _SECURITY
    for path, method, operation in operations(openapi):
        for parameter in operation.get("parameters", ()):
            _complete(parameter)
        responses = operation["responses"]
        if path.startswith("/v1/"):
            responses |= answers(*_problems(path, method, operation))
        elif operation["operationId"] not in _FOR_ALL:
            responses |= answers(*_REFUSALS)
        operation["responses"] = {status: responses[status] for status in sorted(responses, key=str)}
        _add_headers(operation)
        _add_security(operation)
        _add_examples(operation)
    _add_links(openapi)
    return openapi


def operations(openapi: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Path, method and description of every operation of a document."""
    for path, found in openapi["paths"].items():
        for method in METHODS:
            if method in found:
                yield path, method, found[method]


def is_keyed(operation: dict[str, Any]) -> bool:
    """Whether an operation takes an Idempotency-Key."""
    return any(parameter["name"] == KEY for parameter in operation.get("parameters", ()))


def _problems(path: str, method: str, operation: dict[str, Any]) -> set[str]:
    """Statuses of what may go wrong with an operation, beside what its route itself declares."""
    found = {"500", "503", *_REFUSALS} - ({"401"} if operation["operationId"] in _FOR_ALL else set())
    if "{" in path:
        found.add("404")
    if operation.get("parameters"):
        found.add("422")
    if method != "get":
        found |= {"400", "408", "413", "415", "422"}
    if is_keyed(operation):
        found.add("409")
    return found


def _complete(parameter: dict[str, Any]) -> None:
    """A parameter as it is on the wire, where nothing can be null, but only be left out."""
    schema = parameter["schema"]
    kinds = [kind for kind in schema.pop("anyOf", ()) if kind != {"type": "null"}]
    if len(kinds) == 1:
        schema |= kinds[0]
    elif kinds:
        schema["anyOf"] = kinds
    if parameter["name"] in _NEEDED:
        parameter["required"] = True
        schema["pattern"] = _NEEDED[parameter["name"]]


def _add_schemas(openapi: dict[str, Any], bodies: Iterable[type[BaseModel]]) -> None:
    template = "#/components/schemas/{model}"
    schemas = openapi.setdefault("components", {}).setdefault("schemas", {})
    models: tuple[type[BaseModel], ...] = (ProblemRead, *bodies)
    for model in models:
        mode: Literal["serialization", "validation"] = "serialization" if model is ProblemRead else "validation"
        schema = model.model_json_schema(ref_template=template, mode=mode)
        schemas.update(schema.pop("$defs", {}))
        schemas[model.__name__] = schema
    for schema in schemas.values():
        _say_names(schema, schemas)
    for name in _STORED_WHOLE:
        _say_storable(schemas[name], schemas, set())
    for unused in ("HTTPValidationError", "ValidationError"):  # FastAPI's own problems, which nobody is answered with
        schemas.pop(unused, None)


def _say_names(schema: object, schemas: dict[str, Any]) -> None:
    """Where pydantic's schemas say less than it checks: names that break their pattern, and kinds that are not told."""
    if isinstance(schema, list):
        for inner in schema:
            _say_names(inner, schemas)
    if not isinstance(schema, dict):
        return
    for inner in schema.values():
        _say_names(inner, schemas)
    named = schema.get("patternProperties")
    if isinstance(named, dict) and len(named) == 1:
        ((pattern, of),) = schema.pop("patternProperties").items()
        schema["propertyNames"] = {**schema.get("propertyNames", {}), "pattern": pattern}
        schema["additionalProperties"] = of
    told = schema.get("discriminator")
    if isinstance(told, dict):
        for reference in told.get("mapping", {}).values():
            kind = schemas[reference.rsplit("/", 1)[-1]]
            kind["required"] = sorted({*kind.get("required", ()), told["propertyName"]})


def _say_storable(schema: object, schemas: dict[str, Any], seen: set[str]) -> None:
    """That texts of a campaign cannot have the character NUL is checked for all of them at once."""
    if isinstance(schema, list):
        for inner in schema:
            _say_storable(inner, schemas, seen)
    if not isinstance(schema, dict):
        return
    if schema.get("type") == "string" and not schema.keys() & {"pattern", "enum", "const", "format"}:
        schema["pattern"] = _STORABLE
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    if name and name not in seen:
        seen.add(name)
        _say_storable(schemas[name], schemas, seen)
    for key, inner in schema.items():
        if key not in {"default", "example", "examples"}:
            _say_storable(inner, schemas, seen)


def _add_headers(operation: dict[str, Any]) -> None:
    for status, response in operation["responses"].items():
        headers = {name: _HEADERS[name] for name in _SENT.get((operation["operationId"], status), ())}
        if is_keyed(operation) and status in {"200", "201", "202"}:
            headers["Idempotency-Replayed"] = _REPLAYED
        if status in {"204", "429", "503"}:
            headers["Retry-After"] = _WAIT
        if headers:
            response.setdefault("headers", {}).update(headers)


def _add_security(operation: dict[str, Any]) -> None:
    """Say which scopes a key must have, one of them at least."""
    scopes = OPERATIONS.get(operation["operationId"], frozenset())
    if scopes:
        operation["security"] = [{"key": []}, {"cookie": []}]
        operation["x-scopes"] = sorted(scopes) if scopes != ANY_KEY else []


def _add_links(openapi: dict[str, Any]) -> None:
    """Say which calls go on from what a call has created."""
    every = [operation for _, _, operation in operations(openapi)]
    for operation in every:
        given = _GIVES.get(operation["operationId"], {})
        links = {}
        for further in every:
            asked = {p["name"] for p in further.get("parameters", ())}
            known = {name: f"$response.body#{pointer}" for name, pointer in given.items() if name in asked}
            if known:
                links[further["operationId"]] = {"operationId": further["operationId"], "parameters": known}
        for status, response in operation["responses"].items():
            if links and status in {"200", "201", "202"}:
                response["links"] = links


def _add_examples(operation: dict[str, Any]) -> None:
    example = examples().get(operation["operationId"], {})
    for media_type, body in example.get("request", {}).items():
        operation["requestBody"]["content"][media_type]["examples"] = {"a request": {"value": body}}
    for status, bodies in example.get("answers", {}).items():
        for media_type, body in bodies.items():
            content = operation["responses"][status].setdefault("content", {}).setdefault(media_type, {})
            content["examples"] = {"an answer": {"value": body}}


@functools.cache
def examples() -> dict[str, Any]:
    """What went over the wire, by operation id: `request` by media type, `answers` by status and media type."""
    found: dict[str, Any] = json.loads(EXAMPLES.read_text(encoding="utf-8"))
    return found
