"""How a request that must have its effect once is run and answered."""

from collections.abc import Callable

from fastapi.responses import JSONResponse
from sqlalchemy.orm import Session

from service.api.dependencies import Once
from service.operations.idempotency import Answer, Body, run_once
from service.store.session import Sessions


def answer_once(
    sessions: Sessions, once: Once, effect: Callable[[Session], tuple[int, Body]], *, noted: bool = True
) -> Answer:
    """Run `effect` in one transaction together with its answer, unless this request was served before.

    Args:
        sessions: Where to write.
        once: The request's key and content.
        effect: Does the work in the given transaction and returns status and JSON body.
        noted: Whether the audit is told here; False if the operation itself has more to tell it.

    Raises:
        ServiceError: What `effect` raises; nothing is stored then.
        InFlight: If a request with this key is being served right now.
        IdempotencyMismatch: If the key was served with another request.
    """
    with sessions.begin() as session:
        door = once.door if noted else None
        return run_once(session, once.door.scope, once.key, once.request_hash, lambda: effect(session), door=door)


def reply(answer: Answer) -> JSONResponse:
    """The answer as it was first given; a repeated one says so in `Idempotency-Replayed`."""
    headers = {"Idempotency-Replayed": "true"} if answer.replayed else None
    return JSONResponse(answer.body, status_code=answer.status, headers=headers)
