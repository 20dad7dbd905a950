"""A worker's sign of life: whoever is silent in the middle of a job for too long hangs, and is ended.

The job's lease gives the job to another worker. This gives the machine back: the process ends by itself and says where
it hung, from a thread of the interpreter that needs no lock; or, if it was stopped altogether, `filmloop up` kills it.
"""

import faulthandler
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

RENEW_S = 2.0
"""Least seconds between two renewals of a job's lease."""
STDERR = 2
"""The file descriptor: the interpreter's own thread writes to it, whatever Celery has put in its place."""


class Pulse:
    """The sign of life of this process."""

    def __init__(self, silent_s: float, file: Path | None = None) -> None:
        """Nothing is watched yet.

        Args:
            silent_s: Seconds of silence in the middle of a job after which the process is ended.
            file: Touched at each beat, there as long as a job is under way; none if nobody watches from outside.
        """
        self._at_work = threading.Lock()
        self._silent_s = silent_s
        self._file = file
        self._beat_at: float | None = None
        """None while no job is under way."""

    @contextmanager
    def working(self) -> Iterator[None]:
        """A job is under way: it must `beat` until it ends. There is one at a time, whoever asked for it."""
        with self._at_work:
            self._beat_at = -math.inf
            self.beat()
            try:
                yield
            finally:
                self._beat_at = None
                faulthandler.cancel_dump_traceback_later()
                if self._file is not None:
                    self._file.unlink(missing_ok=True)

    def beat(self) -> None:
        """The job makes progress; nothing is said if there is none. Costs next to nothing: every step may say it."""
        now = time.monotonic()
        if self._beat_at is None or now - self._beat_at < self._silent_s / 20:
            return
        self._beat_at = now
        faulthandler.dump_traceback_later(self._silent_s, exit=True, file=STDERR)
        if self._file is not None:
            self._file.touch()

    def renewing(self, renew: Callable[[], None]) -> Callable[[str], None]:
        """A progress callback for a computation: it beats and, now and then, lets `renew` prolong the job's lease.

        `renew` raises LeaseLost once another worker has the job, and that ends the computation.
        """
        renewed = time.monotonic()

        def progress(_phase: str) -> None:
            nonlocal renewed
            self.beat()
            if time.monotonic() - renewed > RENEW_S:
                renew()
                renewed = time.monotonic()

        return progress
