"""Who presents what, remembered for seconds, so that a busy key costs the record nothing."""

import asyncio
import hashlib
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sqlalchemy.orm import Session

from service.api.rates import Guesses
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

    def __init__(self, sessions: Callable[[], Sessions], wrong_per_s: float) -> None:
        self._sessions = sessions
        self._guesses = Guesses(wrong_per_s)
        self._known: dict[str, _Known] = {}
        self._refused: dict[str, float] = {}
        """When the record was asked about a key that was none. Whoever repeats a wrong key, as a device does that was
        forgotten, guesses nothing, and need not be looked up each time."""

    async def introduced(
        self, ask: Callable[[str], Awaitable[Caller | None]], presented: str, origin: str
    ) -> Caller | None:
        """Who presents something at the beginning of a request; wrong keys are counted by where they come from.

        Args:
            ask: `of_key` or `of_cookie`.
            presented: What is said to be a key or a cookie.
            origin: Where it comes from.

        Raises:
            TooManyRequests: If too many keys from there were none.
        """
        names = _names(presented)
        if any(name in self._known or self._refused_lately(name) for name in names):
            return await ask(presented)
        again = any(name in self._refused for name in names)
        return await self._guesses.asked(origin, lambda: ask(presented), again=again)

    async def of_key(self, presented: str, *, at_once: bool = False) -> Caller | None:
        """Who presents a key; None if it is none, or good no longer.

        Args:
            presented: What is said to be a key.
            at_once: Ask the record now, whatever is remembered.
        """
        return await self._of(_names(presented)[0], presented, keys.caller_of, at_once=at_once)

    async def of_cookie(self, presented: str, *, at_once: bool = False) -> Caller | None:
        """Who was let in with a cookie; otherwise as with a key."""
        return await self._of(_names(presented)[1], presented, keys.caller_in, at_once=at_once)

    def forget_if_granted(self, caller: Caller) -> None:
        """Ask anew what a caller may see, who was granted something a moment ago."""
        if caller.campaigns is not None:
            self._doubt(caller.holder)

    def forget_cookie(self, presented: str) -> None:
        """Ask the record again of who was let out."""
        self._known.pop(_names(presented)[1], None)

    def forget(self) -> None:
        """Ask the record of everybody again: something was changed here."""
        self._doubt()
        self._refused = dict.fromkeys(self._refused, -math.inf)

    def _doubt(self, holder: str | None = None) -> None:
        """Believe nothing before the record was asked; but whoever was somebody is not taken for a guesser."""
        for name, known in list(self._known.items()):
            if holder in {None, known.caller.holder}:
                self._known[name] = _Known(known.caller, -math.inf)

    def _refused_lately(self, name: str) -> bool:
        return time.monotonic() - self._refused.get(name, -math.inf) < FRESH_S

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
        if not at_once and self._refused_lately(name):
            return None
        return await self._asked(name, presented, ask, now)

    async def _asked(
        self, name: str, presented: str, ask: Callable[[Session, str], Caller | None], now: float
    ) -> Caller | None:
        caller = await asyncio.to_thread(self._ask, presented, ask)
        if caller is None:
            self._known.pop(name, None)
            if len(self._refused) >= MOST_KNOWN:
                self._refused.clear()
            self._refused[name] = now
        else:
            self._refused.pop(name, None)
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[name] = _Known(caller, now)
        return caller

    def _ask(self, presented: str, ask: Callable[[Session, str], Caller | None]) -> Caller | None:
        with self._sessions().begin() as session:
            return ask(session, presented)


def _names(presented: str) -> tuple[str, str]:
    """Under which something is remembered as a key, and as a cookie."""
    hashed = hashlib.sha256(presented.encode("utf-8", "replace")).hexdigest()
    return f"key {hashed}", f"cookie {hashed}"


def _heard(task: asyncio.Task[Caller | None]) -> None:
    """Nobody may wait for what was asked in the background: a failure shows when the age is over."""
    if not task.cancelled():
        task.exception()
