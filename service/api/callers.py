"""Who presents what, remembered for seconds, so that a busy key costs the record nothing."""

import asyncio
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.orm import Session

from service.operations import keys
from service.operations.keys import Caller
from service.store.session import Sessions

FRESH_S = 2.0
"""Age at which what is known of a caller is asked for again, in the background."""
LONGEST_S = 4.5
"""Age at which it is not heeded any more: a key that was revoked is good for no longer than this."""
MOST_KNOWN = 10_000


@dataclass
class _Known:
    caller: Caller
    at: float
    """When the record was asked, by the monotonic clock: before the answer, not after it."""
    asking: asyncio.Task[Caller | None] | None = None


class Callers:
    """What one process knows of the callers that it has served in the last seconds. Secrets are kept as hashes."""

    def __init__(self, sessions: Callable[[], Sessions]) -> None:
        self._sessions = sessions
        self._known: dict[str, _Known] = {}

    async def of_key(self, presented: str, *, at_once: bool = False) -> Caller | None:
        """Who presents a key; None if it is none, or good no longer.

        Args:
            presented: What is said to be a key.
            at_once: Ask the record now, whatever is remembered.
        """
        return await self._of("key " + _hash(presented), presented, keys.caller_of, at_once=at_once)

    async def of_cookie(self, presented: str, *, at_once: bool = False) -> Caller | None:
        """Who was let in with a cookie; otherwise as with a key."""
        return await self._of("cookie " + _hash(presented), presented, keys.caller_in, at_once=at_once)

    def knows(self, presented: str) -> bool:
        """Whether a key or a cookie was good a few seconds ago."""
        hashed = _hash(presented)
        return f"key {hashed}" in self._known or f"cookie {hashed}" in self._known

    def forget_if_granted(self, caller: Caller) -> None:
        """Ask anew what a caller may see, who was granted something a moment ago."""
        if caller.campaigns is not None:
            same = [name for name, known in self._known.items() if known.caller.holder == caller.holder]
            for name in same:
                del self._known[name]

    def forget_cookie(self, presented: str) -> None:
        """Ask the record again of who was let out."""
        self._known.pop("cookie " + _hash(presented), None)

    def forget(self) -> None:
        """Ask the record of everybody again: something was changed here."""
        self._known.clear()

    async def _of(
        self, name: str, presented: str, ask: Callable[[Session, str], Caller | None], *, at_once: bool
    ) -> Caller | None:
        known, now = self._known.get(name), time.monotonic()
        if known is not None and not at_once:
            age_s = now - known.at
            if age_s < FRESH_S:
                return known.caller
            if known.asking is None or known.asking.done():
                known.asking = asyncio.create_task(self._asked(name, presented, ask, now))
                known.asking.add_done_callback(_heard)
            if age_s < LONGEST_S:
                return known.caller
            return await asyncio.shield(known.asking)
        return await self._asked(name, presented, ask, now)

    async def _asked(
        self, name: str, presented: str, ask: Callable[[Session, str], Caller | None], now: float
    ) -> Caller | None:
        caller = await asyncio.to_thread(self._ask, presented, ask)
        if caller is None:
            self._known.pop(name, None)
        else:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[name] = _Known(caller, now)
        return caller

    def _ask(self, presented: str, ask: Callable[[Session, str], Caller | None]) -> Caller | None:
        with self._sessions().begin() as session:
            return ask(session, presented)


def _hash(presented: str) -> str:
    return hashlib.sha256(presented.encode()).hexdigest()


def _heard(task: asyncio.Task[Caller | None]) -> None:
    """Nobody may wait for what was asked in the background: a failure shows when the age is over."""
    if not task.cancelled():
        task.exception()
