"""A request under an Idempotency-Key has its effect once, however often it is sent."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from service.errors import IdempotencyMismatch, InFlight
from service.operations.keys import Caller
from service.store import idempotency
from service.store.audit import Change

Body = dict[str, Any]
"""A JSON object."""


class Answer(NamedTuple):
    """What a request is answered with."""

    status: int
    body: Body
    replayed: bool
    """Whether the effect had taken place before and this is the answer given then."""


@dataclass(frozen=True)
class Door:
    """Where a request came in: who asks for what to be done to what."""

    caller: Caller
    operation: str
    address: str
    """Method and path."""
    campaign_id: str | None = None
    """The campaign that the path names."""
    noun: str | None = None
    subject: str | None = None
    """The thing that the path names, and of which kind it is."""

    @property
    def scope(self) -> str:
        """What an Idempotency-Key is good for: the same may be used at another door, or by somebody else."""
        return f"{self.caller.holder} {self.address}"

    def change(self, body: Body) -> Change:
        """What the audit notes of a change that was answered with a body."""
        made = body.get("id") if self.subject is None else self.subject
        created = self.campaign_id is None and self.subject is None and self.operation in CREATING
        campaign_id = str(made) if created else self.campaign_id
        return Change(self.caller.key_id, self.operation, campaign_id, self.noun, None if made is None else str(made))


CREATING = frozenset({"create_campaign", "import_campaign"})
"""Operations whose answer tells of a new campaign; that of a clone is in the audit of the one that was cloned."""


def run_once(
    session: Session,
    scope: str,
    key: str,
    request_hash: str,
    effect: Callable[[], tuple[int, Body]],
    *,
    door: Door | None = None,
) -> Answer:
    """Run `effect` unless its key was served before; keep its answer in the same transaction.

    If `effect` raises, the transaction is rolled back with its answer: a failed request leaves nothing behind.

    Args:
        session: The open transaction in which `effect` writes.
        scope: What the key is good for: caller, method and path.
        key: The caller's Idempotency-Key.
        request_hash: Hash of the request's content.
        effect: Does the work and returns status and JSON body.
        door: Where it came in, if the audit shall tell of it.

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
    change = None if door is None else door.change(body)
    idempotency.keep(session, scope, key, request_hash=request_hash, status=status, body=body, change=change)
    return Answer(status, body, replayed=False)
