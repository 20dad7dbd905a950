"""What can go wrong in the record, and who may try again. HTTP codes are given in `service/api/problems.py` only."""

from collections.abc import Sequence
from dataclasses import dataclass


class ServiceError(Exception):
    """Root of the service's errors. Its text is meant for the caller: it names the value and the bound."""


@dataclass(frozen=True)
class Violation:
    """One thing that is wrong with a request's content."""

    pointer: str
    """JSON Pointer (RFC 6901) to the offending value, e.g. `/measurements/3/value`."""
    message: str
    """What is wrong: the value and the bound it breaks."""
    row: int | None = None
    """Index of the offending row, where the request has rows."""


class NotFound(ServiceError):
    """The named thing does not exist. Retrying does not help; look the id up again."""

    def __init__(self, noun: str, name: str) -> None:
        super().__init__(f"there is no {noun} {name!r}")
        self.noun = noun
        self.name = name


class InvalidInput(ServiceError):
    """The request is well formed but its content breaks a rule; nothing was written. The caller must mend it."""

    def __init__(self, detail: str, violations: Sequence[Violation] = ()) -> None:
        super().__init__(detail)
        self.violations = tuple(violations)


class MalformedRequest(ServiceError):
    """The request cannot be read: broken JSON or a missing required header. The caller must mend it."""


class Conflict(ServiceError):
    """The request contradicts what is recorded. The caller must read the present state before another attempt."""


class UidStored(Conflict):
    """A reading of this name is stored: look which, then write the others. Only who wrote without looking meets it."""


class IllegalTransition(Conflict):
    """The thing's state does not allow this action. The caller may retry when the state has changed."""

    def __init__(self, noun: str, name: str, state: str, action: str, allowed: Sequence[str]) -> None:
        actions = ", ".join(allowed) if allowed else "none"
        super().__init__(f"{noun} {name} is {state}: {action!r} is not allowed; allowed actions: {actions}")
        self.state = state
        self.allowed = tuple(allowed)


class BudgetSpent(Conflict):
    """The campaign's budget has no room for another film. Ask again when it was raised or a film on its way failed."""


class PreconditionFailed(ServiceError):
    """What the caller has seen is no longer so (`If-Match`). Read again, then decide anew."""


class PreconditionMissing(ServiceError):
    """The request does not say which state it changes. Read it, and send its `ETag` as `If-Match`."""


class InFlight(Conflict):
    """A request with the same Idempotency-Key is being served right now. Retry with the same key in a second."""

    retry_after_s = 1


class NothingReady(ServiceError):
    """No proposal can be claimed right now; nothing was written. The robot may ask again after a short while."""

    retry_after_s = 2


class IdempotencyMismatch(ServiceError):
    """The Idempotency-Key was used before with another request. The caller must draw a new key for a new request."""


class Unauthenticated(ServiceError):
    """Nobody is known who asks: no key, or one that is good no longer. Retry with a key that is."""


class NotAllowed(ServiceError):
    """The caller does not hold what the action needs: a key's scope, a lease's token. Retrying does not help."""


class NoKeys(NotAllowed):
    """Others could reach the service, and nobody could be told from a stranger. An operator must make a key first."""

    def __init__(self, host: str) -> None:
        super().__init__(
            f"refusing to listen on {host}: there is no valid key yet that may make others; make one first with "
            "`filmloop key create --name me --role admin`, or listen on 127.0.0.1"
        )


class CrossOrigin(NotAllowed):
    """A browser was told by a foreign page to change something here. Nobody should retry."""


class Misdirected(ServiceError):
    """The request was sent to a name that is not ours. Retry under an address or a name of the service."""


class TooManyRequests(ServiceError):
    """The caller asks more often than it may. Retry after `retry_after_s`, with the same Idempotency-Key."""

    def __init__(self, detail: str, retry_after_s: int = 1) -> None:
        super().__init__(detail)
        self.retry_after_s = max(1, retry_after_s)


class LeaseLost(ServiceError):
    """A job's fence no longer holds: another worker has it, or it is finished. The worker must drop its work."""


class ArtifactDamaged(ServiceError):
    """A stored artifact is missing or its bytes do not match its hash. Do not retry the load; use an older model."""


class Unavailable(ServiceError):
    """The database cannot be reached or is out of connections. Retry after a short while, with the same key."""

    retry_after_s = 2


class SchemaMismatch(Unavailable):
    """The database's schema is not the one of this code: behind it or ahead of it. Retry when an operator mended it."""
