"""How often somebody may do something: on average, at once, and after too many wrong guesses. Kept by each process."""

import asyncio
import ipaddress
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.types import Scope

from service.errors import TooManyRequests, Unavailable
from service.operations.keys import Caller

MOST_COUNTED = 10_000
FREE_S = 10.0
"""Wrong keys of so many seconds, at the rate that was set, are answered before their sender must wait."""
LONGEST_WAIT_S = 60.0
FORGIVEN_S = 300.0
"""After so long without a wrong key its sender begins anew."""
AT_ONCE = 4
"""Keys never heard of that the record is asked about at the same time; the rest of its connections are for others."""
PATIENCE_S = 5.0
LONGEST_ADDRESS = 64
"""Characters of an address that a proxy says."""


class Rate:
    """How often something may happen: `per_s` on average, `burst` at once."""

    def __init__(self, per_s: float, burst: float) -> None:
        self._per_s = per_s
        self._burst = max(1.0, burst)
        self._left: dict[str, tuple[float, float]] = {}
        """What was left, and when, by who it is."""

    def refuse_beyond(self, who: str) -> None:
        """Count one.

        Raises:
            TooManyRequests: If it is one too many.
        """
        now = time.monotonic()
        left, at = self._left.get(who, (self._burst, now))
        left = min(self._burst, left + (now - at) * self._per_s)
        if left < 1.0:
            wait_s = math.ceil((1.0 - left) / self._per_s)
            raise TooManyRequests(f"more than {self._per_s:g} requests a second; wait {wait_s} s", wait_s)
        if len(self._left) >= MOST_COUNTED:
            self._left.clear()
        self._left[who] = (left - 1.0, now)


@dataclass
class _Guesser:
    wrong: int = 0
    last: float = 0.0
    until: float = 0.0


class Guesses:
    """Wrong keys by where they come from: after a few, each makes the next wait twice as long."""

    def __init__(self, per_s: float) -> None:
        """Begin.

        Args:
            per_s: Wrong keys of one origin that are answered at once are those of `FREE_S` at this rate; the first wait
                is the time of one.
        """
        self._per_s = per_s
        self._free = max(1, int(FREE_S * per_s))
        self._guessers: dict[str, _Guesser] = {}
        self._few = asyncio.Semaphore(AT_ONCE)

    async def asked(
        self, origin: str, ask: Callable[[], Awaitable[Caller | None]], *, again: bool = False
    ) -> Caller | None:
        """Who presents a key that is not known to be good.

        Args:
            origin: Where it comes from.
            ask: Looks it up.
            again: It was nobody's before: whoever repeats himself guesses nothing. Otherwise it is counted, if wrong.

        Raises:
            TooManyRequests: If too many from there were nobody's.
            Unavailable: If the record is too slow for all that ask.
        """
        self._refuse_waiting(origin)
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._few.acquire()
        except TimeoutError as error:
            raise Unavailable("the record does not answer as fast as keys are presented; try again") from error
        try:
            self._refuse_waiting(origin)  # others from there may have been wrong meanwhile
            caller = await ask()
        finally:
            self._few.release()
        if caller is None and not again:
            self._count(origin)
        return caller

    def _refuse_waiting(self, origin: str) -> None:
        found = self._guessers.get(origin)
        wait_s = 0.0 if found is None else found.until - time.monotonic()
        if wait_s > 0.0:
            seconds = math.ceil(wait_s)
            raise TooManyRequests(f"too many keys from your address were none; wait {seconds} s", seconds)

    def _count(self, origin: str) -> None:
        now = time.monotonic()
        if len(self._guessers) >= MOST_COUNTED:
            self._guessers.clear()
        found = self._guessers.get(origin)
        if found is None or now - max(found.last, found.until) > FORGIVEN_S:
            found = self._guessers[origin] = _Guesser()
        found.wrong, found.last = found.wrong + 1, now
        beyond = found.wrong - self._free
        if beyond >= 0:
            found.until = now + min(LONGEST_WAIT_S, 2.0 ** min(beyond, 30) / self._per_s)


def origin_of(scope: Scope) -> str:
    """Where a request comes from: its address, or of IPv6 the network of 2^64 that one household has."""
    address = str((scope.get("client") or ("",))[0])[:LONGEST_ADDRESS]
    if ":" not in address:
        return address
    try:
        return str(ipaddress.IPv6Network((address.partition("%")[0], 64), strict=False))
    except ValueError:
        return address
