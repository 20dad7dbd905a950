"""An instrument that need not be online: readings go to its own disk first, and on from there in the background."""

import json
import logging
import random
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from filmloop_client.answers import Batch
from filmloop_client.errors import (
    BadRequest,
    FilmloopError,
    Invalid,
    ServerFault,
    TooLarge,
    TooManyRequests,
    Unavailable,
    Unreachable,
)
from filmloop_client.instrument import Reading, batch_path, row_of
from filmloop_client.spool import Lane, Parcel, SetAside, Spool
from filmloop_client.transport import Transport

logger = logging.getLogger("filmloop.client")

_REFUSED = (BadRequest, Invalid, TooLarge)
"""What will not get better by waiting."""
_NOBODY_THERE = (Unreachable, Unavailable, TooManyRequests)
"""What concerns every lane alike."""
_FAULTS_UNTIL_ASIDE = 20
"""A parcel that met so many faults of the service is set aside, so that it does not hold up those behind it."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 30.0
_LOOK_S = 2.0
"""How often is looked for what other processes put into the same folder."""


class Sender:
    """Sends what waits in a spool, oldest first."""

    def __init__(self, transport: Transport, spool: Spool) -> None:
        """Prepare; nothing is sent yet."""
        self._transport = transport.impatient()  # the pauses are made here, where they can be cut short
        self._spool = spool
        self._faults: dict[str, int] = {}
        self.trouble: str | None = None
        """Why the last attempt did not send everything; None if it did."""
        self.pause_s: float | None = None
        """How long the service asked to wait."""

    def send(self) -> int:
        """Send what waits, until nothing does or the service cannot take more now.

        Returns:
            How many readings left the spool, taken or set aside.
        """
        sent, closed = 0, set[Lane]()
        trouble, self.pause_s = None, None
        with self._spool.sending() as ours:
            while ours and (parcel := self._spool.next_parcel(closed)) is not None:
                try:
                    refused = self._offer(parcel)
                except _NOBODY_THERE as error:
                    trouble, self.pause_s = str(error), error.retry_after_s
                    break
                except FilmloopError as error:
                    trouble = f"{parcel.lane.instrument}: {error}"
                    closed.add(parcel.lane)
                    continue
                self._spool.settle(parcel, refused)
                sent += len(parcel.rows)
        if trouble and trouble != self.trouble:
            logger.warning("readings wait in %s: %s", self._spool.folder, trouble)
        self.trouble = trouble
        return sent

    def _offer(self, parcel: Parcel) -> list[tuple[int, str]]:
        """Send one parcel; returns which of its rows were refused, and why.

        Raises:
            FilmloopError: If the service does not say what becomes of the rows: they stay.
        """
        body = json.dumps({"instrument": parcel.lane.instrument, "measurements": parcel.rows}, allow_nan=False)
        headers = {"Content-Type": "application/json", "Idempotency-Key": parcel.key}
        path = batch_path(parcel.lane.campaign_id)
        try:
            answer = self._transport.post_content(path, body.encode(), headers=headers, params={"atomic": "false"})
        except _REFUSED as error:
            return self._all_refused(parcel, str(error))
        except ServerFault as error:
            faults = self._faults[parcel.key] = self._faults.get(parcel.key, 0) + 1
            if faults < _FAULTS_UNTIL_ASIDE:
                raise
            return self._all_refused(parcel, f"{faults} faults of the service, the last: {error}")
        self._faults.pop(parcel.key, None)
        results = Batch.model_validate(answer.json()).results or []
        return [(r.row, _why(r.errors)) for r in results if r.status == "refused"]

    @staticmethod
    def _all_refused(parcel: Parcel, reason: str) -> list[tuple[int, str]]:
        return [(place, reason) for place in range(len(parcel.rows))]


class OfflineInstrument:
    """Puts readings on this computer's disk and sends them on, in order, whenever the service can be reached.

    Nothing is lost if the network, the service or this process goes away, and nothing is stored twice. A reading that
    the service refuses is set aside with the reason, and holds nothing up.
    """

    def __init__(self, transport: Transport, lane: Lane, folder: Path | str) -> None:
        """Open the spool of a folder and begin to send what waits there."""
        self.spool = Spool(folder)
        self._lane = lane
        self._sender = Sender(transport, self.spool)
        self._news, self._closing = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"filmloop-{lane.instrument}", daemon=True)
        self._thread.start()

    def put(self, readings: Iterable[Reading]) -> None:
        """Keep readings. When this returns they are on this computer's disk, whatever happens next.

        Raises:
            OSError, sqlite3.Error: If the disk does not take them.
        """
        self.spool.put(self._lane, [row_of(reading) for reading in readings])
        self._news.set()

    @property
    def waiting(self) -> int:
        """How many readings are not stored by the service yet."""
        return self.spool.waiting()

    @property
    def trouble(self) -> str | None:
        """Why readings wait; None if all is well."""
        return self._sender.trouble

    def aside(self) -> list[SetAside]:
        """Readings that the service refused, each with the reason."""
        return self.spool.aside()

    def try_again(self, numbers: Iterable[int] | None = None) -> int:
        """Send refused readings once more, all or some; returns how many."""
        count = self.spool.try_again(numbers)
        self._news.set()
        return count

    def flush(self, timeout_s: float | None = None) -> bool:
        """Wait until nothing waits any more; False if that takes longer."""
        give_up = None if timeout_s is None else time.monotonic() + timeout_s
        self._news.set()
        while self.waiting:
            if give_up is not None and time.monotonic() > give_up:
                return False
            time.sleep(0.05)
        return True

    def close(self, timeout_s: float = 5.0) -> bool:
        """Send what can be sent in this time and stop; what is left waits for the next process with this folder.

        Returns:
            Whether everything was sent.
        """
        done = self.flush(timeout_s)
        self._closing.set()
        self._news.set()
        self._thread.join(timeout_s)
        return done

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self) -> None:
        failures = 0
        while not self._closing.is_set():
            self._news.clear()
            try:
                self._sender.send()
            except Exception:  # the thread must outlive whatever it meets, or readings would wait unseen
                logger.exception("sending from %s failed; trying again", self.spool.folder)
                failures += 1
            else:
                failures = failures + 1 if self._sender.trouble else 0
            if failures:
                self._closing.wait(self._pause(failures))
            else:
                self._news.wait(_LOOK_S)

    def _pause(self, failures: int) -> float:
        ceiling = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** min(failures, 16))
        jittered = ceiling * random.uniform(0.5, 1.0)  # noqa: S311 - spreads clients in time; not a secret
        return max(jittered, self._sender.pause_s or 0.0)


def _why(errors: list[dict[str, Any]]) -> str:
    return "; ".join(f"{e.get('pointer', '').rsplit('/', 1)[-1]}: {e.get('message', '')}" for e in errors) or "refused"
