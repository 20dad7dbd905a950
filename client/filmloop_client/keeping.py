"""Holds a claim while a film is made: a thread renews its lease."""

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from filmloop_client.answers import Lease
from filmloop_client.errors import FilmloopError, KeyRefused, ServerFault, TooManyRequests, Unavailable, Unreachable

logger = logging.getLogger("filmloop.client")

_SHORTEST_S, _LONGEST_S = 1.0, 20.0
"""Pause between renewals. It is bounded, since this computer's clock may be another than the service's."""


class Keeping:
    """Renews a lease at a third of its time, for the length of a `with` block.

    Attributes:
        lost: Set when the lease is no longer this robot's: a person gave the film to somebody else, or ended it. What
            was measured of the film is taken all the same.
        reason: Why it was lost.
    """

    def __init__(self, renew: Callable[[], Lease], lease: Lease) -> None:
        """Prepare.

        Args:
            renew: Asks for a longer lease.
            lease: As it stands.
        """
        self._renew, self._lease = renew, lease
        self.lost = threading.Event()
        self.reason: str | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="filmloop-lease", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()

    def _run(self) -> None:
        while not self._over.wait(self._pause()):
            try:
                self._lease = self._renew()
            except (Unreachable, Unavailable, TooManyRequests, ServerFault, KeyRefused) as error:
                # A refused key says nothing of the lease: the report is tried, and shows what is wrong.
                logger.warning("lease %s cannot be renewed now: %s", self._lease.id, error)
            except FilmloopError as error:
                if not self._over.is_set():  # else the film was reported a moment ago
                    self.reason = str(error)
                    self.lost.set()
                    logger.warning("lease %s is lost: %s", self._lease.id, error)
                return

    def _pause(self) -> float:
        left = (self._lease.expires_at - datetime.now(UTC)).total_seconds()
        return min(_LONGEST_S, max(_SHORTEST_S, left / 3.0))
