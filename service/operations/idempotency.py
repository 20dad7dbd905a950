"""A request under an Idempotency-Key has its effect once, however often it is sent."""

from collections.abc import Callable
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from service.errors import IdempotencyMismatch, InFlight
from service.store import idempotency

Body = dict[str, Any]
"""A JSON object."""


class Answer(NamedTuple):
    """What a request is answered with."""

    status: int
    body: Body
    replayed: bool
    """Whether the effect had taken place before and this is the answer given then."""


def run_once(
    session: Session, scope: str, key: str, request_hash: str, effect: Callable[[], tuple[int, Body]]
) -> Answer:
    """Run `effect` unless its key was served before; keep its answer in the same transaction.

    If `effect` raises, the transaction is rolled back with its answer: a failed request leaves nothing behind.

    Args:
        session: The open transaction in which `effect` writes.
        scope: What the key is good for: method and path.
        key: The caller's Idempotency-Key.
        request_hash: Hash of the request's content.
        effect: Does the work and returns status and JSON body.

    Raises:
        InFlight: If a request with this key is being served right now.
        IdempotencyMismatch: If the key was served with another request.
    """
    if not idempotency.try_lock(session, scope, key):
        raise InFlight(f"a request with the Idempotency-Key {key!r} is being served; ask again with the same key")
    kept = idempotency.get(session, scope, key)
    if kept is not None:
        if kept.request_hash != request_hash:
            raise IdempotencyMismatch(f"the Idempotency-Key {key!r} was used before with another request")
        return Answer(kept.status, kept.body, replayed=True)
    status, body = effect()
    idempotency.keep(session, scope, key, request_hash=request_hash, status=status, body=body)
    return Answer(status, body, replayed=False)
