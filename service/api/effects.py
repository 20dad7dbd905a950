"""The one place where a door commits: an effect and the answer kept under its key are one transaction."""

from collections.abc import Callable

from sqlalchemy.orm import Session

from service.api.dependencies import Once
from service.operations.idempotency import Answer, Body, run_once
from service.store.session import Sessions


def take_effect(sessions: Sessions, once: Once, effect: Callable[[Session], tuple[int, Body]]) -> Answer:
    """Run `effect` in a transaction of its own, once per Idempotency-Key; it returns status and JSON body."""
    with sessions.begin() as session:
        return run_once(session, once.scope, once.key, once.request_hash, lambda: effect(session))
