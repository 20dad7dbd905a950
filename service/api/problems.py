"""The error table: the only place where an error meets an HTTP status. Every answer is `application/problem+json`.

Source: RFC 9457, problem details for HTTP APIs; RFC 6901, JSON Pointer.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, BeforeValidator, Field
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from models.errors import ScienceError
from service import errors

log = structlog.get_logger("filmloop.api")

MEDIA_TYPE = "application/problem+json"
MAX_ERRORS = 1000
"""Places that one answer lists; the detail says how many there are in all."""
RETRY_AFTER_S = 2


def _printable(text: object) -> object:
    """A caller may send half a surrogate pair: what cannot be encoded must not break the answer that names it."""
    return text.encode("utf-8", "replace").decode() if isinstance(text, str) else text


Said = Annotated[str, BeforeValidator(_printable)]
"""Text that may repeat what the caller sent."""


class FieldProblem(BaseModel):
    """One thing that is wrong in a request, and where."""

    pointer: Said | None = None
    """JSON Pointer into the body; null when the fault is not in the body."""
    parameter: Said | None = None
    """Name of the path, query or header parameter at fault; null when the fault is in the body."""
    row: int | None = None
    """Index of the list item at fault, counted from 0."""
    message: Said
    """What is wrong, with the offending value and the bound."""


class ProblemRead(BaseModel):
    """RFC 9457 problem details."""

    type: str = Field(examples=["urn:filmloop:problem:not-found"])
    title: str
    status: int
    detail: Said
    request_id: str
    errors: list[FieldProblem] = []


_TABLE: Mapping[type[Exception], tuple[int, str]] = {
    errors.MalformedRequest: (400, "malformed-request"),
    errors.NothingReady: (204, "nothing-ready"),
    errors.Unauthenticated: (401, "unauthenticated"),
    errors.NotAllowed: (403, "not-allowed"),
    errors.CrossOrigin: (403, "cross-origin"),
    errors.NoKeys: (403, "not-allowed"),
    errors.NotFound: (404, "not-found"),
    errors.Conflict: (409, "conflict"),
    errors.IllegalTransition: (409, "illegal-transition"),
    errors.BudgetSpent: (409, "budget-spent"),
    errors.UidStored: (409, "conflict"),
    errors.InFlight: (409, "in-flight"),
    errors.LeaseLost: (409, "lease-lost"),
    errors.PreconditionFailed: (412, "precondition-failed"),
    errors.Misdirected: (421, "misdirected"),
    errors.InvalidInput: (422, "invalid-content"),
    errors.IdempotencyMismatch: (422, "idempotency-mismatch"),
    errors.PreconditionMissing: (428, "precondition-missing"),
    errors.TooManyRequests: (429, "too-many-requests"),
    errors.ArtifactDamaged: (500, "artifact-damaged"),
    errors.SchemaMismatch: (503, "unavailable"),
    errors.Unavailable: (503, "unavailable"),
    errors.ServiceError: (409, "conflict"),
    ScienceError: (422, "invalid-content"),
    OperationalError: (503, "unavailable"),
    InterfaceError: (503, "unavailable"),
    PoolTimeout: (503, "unavailable"),
}
_SCHEMA = {"$ref": f"#/components/schemas/{ProblemRead.__name__}"}
_MEANINGS = {
    400: "The request cannot be read",
    401: "Nobody is known who asks: no key, or one that is good no longer",
    403: "The caller does not hold what the action needs",
    404: "There is no such thing",
    408: "The body did not come in time",
    409: "The request contradicts what is recorded",
    412: "It has changed since the caller read it",
    413: "The body is too large",
    415: "The body is of a kind, or packed in a way, that is not taken here",
    421: "The request was sent to a name that is not the service's",
    422: "The content breaks a rule; nothing was stored",
    428: "The request does not say which state it changes",
    429: "The caller asks more often than it may",
    500: "Something went wrong on the service's side; nothing was stored",
    503: "The service cannot answer now; repeat the request with the same Idempotency-Key",
}


def answers(*statuses: int | str) -> dict[int | str, dict[str, Any]]:
    """For OpenAPI: problems with which a route may answer."""
    return {s: {"description": _MEANINGS[int(s)], "content": {MEDIA_TYPE: {"schema": _SCHEMA}}} for s in statuses}


_HTTP_TYPES = {400: "bad-request", 404: "not-found", 405: "method-not-allowed"}


_METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")


def problem(
    scope: Mapping[str, Any],
    status: int,
    kind: str,
    detail: str,
    *,
    errors: Sequence[FieldProblem] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """One problem as a response; `scope` is the request's, for its id; `kind` names the problem for ever."""
    body = ProblemRead(
        type=f"urn:filmloop:problem:{kind}",
        title=kind.replace("-", " ").capitalize(),
        status=status,
        detail=detail,
        request_id=scope.get("state", {}).get("request_id", ""),
        errors=list(errors),
    )
    return Response(body.model_dump_json(), status_code=status, media_type=MEDIA_TYPE, headers=dict(headers or {}))


def unexpected(scope: Mapping[str, Any]) -> Response:
    """The answer to an error that nobody foresaw: its id and nothing of its innards."""
    detail = "Something went wrong on our side; nothing was stored. The log has the cause under this request id."
    return problem(scope, 500, "internal-error", detail)


def install(app: FastAPI) -> None:
    """Let the table answer for every error that a route lets through."""
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(HTTPException, _http)
    for kind in _TABLE:
        app.add_exception_handler(kind, _foreseen)


def escaped(token: str) -> str:
    """One reference token of a JSON Pointer."""
    return token.replace("~", "~0").replace("/", "~1")


def answer_to(scope: Mapping[str, Any], error: Exception) -> Response:
    """The answer to an error of the table; `scope` is the request's."""
    status, kind = next(_TABLE[c] for c in type(error).__mro__ if c in _TABLE)
    if isinstance(error, DBAPIError | PoolTimeout):
        log.warning("database unavailable", error=type(error).__name__, cause=str(error.__cause__ or error)[:500])
        # If it went away during the commit, nobody knows yet whether the effect took place; the key makes it safe.
        detail = "the database did not answer; try again with the same Idempotency-Key, then the effect is had once"
    else:
        detail = str(error)
    violations = error.violations[:MAX_ERRORS] if isinstance(error, errors.InvalidInput) else ()
    found = [FieldProblem(pointer=v.pointer, row=v.row, message=v.message) for v in violations]
    wait_s = getattr(error, "retry_after_s", RETRY_AFTER_S if status == 503 else None)
    headers = {} if wait_s is None else {"Retry-After": str(wait_s)}
    if status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="filmloop"'
    if status == 204:  # nothing is wrong: there is only nothing to give yet
        return Response(status_code=status, headers=headers)
    return problem(scope, status, kind, detail, errors=found, headers=headers)


async def _foreseen(request: Request, error: Exception) -> Response:
    return answer_to(request.scope, error)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - the type that this is registered for
    kind = _HTTP_TYPES.get(error.status_code, "http")
    headers = {"Allow": _allowed(request)} if error.status_code == 405 else error.headers
    return problem(request.scope, error.status_code, kind, error.detail, headers=headers)


def _allowed(request: Request) -> str:
    """Methods of every route at this address: the framework names those of the first one only."""

    def answered(method: str) -> bool:
        asked = {**request.scope, "method": method}
        return any(route.matches(asked)[0] is Match.FULL for route in request.app.routes)

    return ", ".join(method for method in _METHODS if answered(method))


async def _invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - the type that this is registered for
    faults = own_faults(error.errors())
    malformed = next((f for f in faults if f["type"] == "json_invalid"), None)
    if malformed is not None:
        detail = f"the body is not JSON: {malformed['ctx']['error']} at character {malformed['loc'][-1]}"
        return problem(request.scope, 400, "malformed-json", detail)
    found = [field_problem(f, error.body) for f in faults[:MAX_ERRORS]]
    detail = f"{len(faults)} thing(s) are wrong with this request; nothing was stored"
    return problem(request.scope, 422, "invalid-content", detail, errors=found)


def own_faults(faults: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Faults but for those of others: pydantic also calls a tuple too short whose items are wrong."""
    places = [tuple(f["loc"]) for f in faults]
    within = {place[:depth] for place in places for depth in range(len(place))}
    return [f for f, place in zip(faults, places, strict=True) if f["type"] != "too_short" or place not in within]


def field_problem(fault: Mapping[str, Any], body: object) -> FieldProblem:
    """Pydantic's account of one fault, with the offending value said where it is short enough to say."""
    where, *inside = fault["loc"]
    message = re.sub(r"^(Value|Assertion) error, ", "", fault["msg"])
    message = re.sub(r"\d{25,}", lambda digits: f"{float(digits[0]):g}", message)  # 1e100 is not written in full
    value = fault.get("input")
    if fault["type"] != "missing" and isinstance(value, str | int | float | bool | None):
        message = f"{message}, got {json.dumps(value, ensure_ascii=False)[:100]}"
    if where != "body":
        return FieldProblem(parameter=str(inside[0]) if inside else str(where), message=message)
    row = next((part for part in inside if isinstance(part, int)), None)
    return FieldProblem(pointer=_pointer(inside, body), row=row, message=message)


def _pointer(parts: Sequence[str | int], body: object) -> str:
    """JSON Pointer of a fault; names of union branches, which pydantic adds and the body has not, are left out."""
    pointer, here = "", body
    for k, part in enumerate(parts):
        in_object = isinstance(here, dict) and (part in here or k == len(parts) - 1)
        in_list = isinstance(here, list) and isinstance(part, int) and part < len(here)
        if in_object or in_list:
            pointer += f"/{escaped(str(part))}"
            here = _inside(here, part)
    return pointer


def _inside(container: object, part: str | int) -> object:
    if isinstance(container, dict):
        return container.get(part)
    return container[part] if isinstance(container, list) and isinstance(part, int) else None
