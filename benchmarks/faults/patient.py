"""Instruments that repeat each batch under its key until it is taken, and note every answer on the way."""

import itertools
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import httpx

from benchmarks.faults.killed_api import ROWS, body, stored
from benchmarks.faults.loop import Loop
from service.store.session import Sessions

CUT = 0
"""The status of an attempt that found no answer."""


class Attempt(NamedTuple):
    """One request and what came back."""

    began: float
    seconds: float
    status: int
    retry_after: bool


@dataclass
class Patient:
    """One such instrument."""

    url: str
    campaign_id: str
    film_id: str
    numbers: Iterator[int]
    timeout_s: float = 120.0
    rows: int = ROWS
    unit: str = Loop.UNIT
    headers: Mapping[str, str] = field(default_factory=dict)
    acknowledged: list[int] = field(default_factory=list)
    unanswered: list[int] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)

    def run(self, stop: threading.Event) -> None:
        """Send until told to stop."""
        with httpx.Client(base_url=self.url, timeout=self.timeout_s, headers=dict(self.headers)) as client:
            while not stop.is_set():
                self._send(client, stop)
                stop.wait(0.01)

    def send_one(self) -> bool:
        """Send one batch until it is taken, or for `timeout_s`; whether it was."""
        stop = threading.Event()
        bound = threading.Timer(self.timeout_s, stop.set)
        bound.start()
        try:
            with httpx.Client(base_url=self.url, timeout=self.timeout_s, headers=dict(self.headers)) as client:
                return self._send(client, stop)
        finally:
            bound.cancel()

    def _send(self, client: httpx.Client, stop: threading.Event) -> bool:
        number = next(self.numbers)
        taken = self._sent(client, number, stop)
        (self.acknowledged if taken else self.unanswered).append(number)
        return taken

    def _sent(self, client: httpx.Client, number: int, stop: threading.Event) -> bool:
        path, batch = (
            f"/v1/campaigns/{self.campaign_id}/measurement-batches",
            body(self.film_id, number, rows=self.rows),
        )
        for row in batch["measurements"]:
            row["unit"] = self.unit
        while not stop.is_set():
            began = time.monotonic()
            try:
                answer = client.post(path, json=batch, headers={"Idempotency-Key": f"key-{number}"})
                status, again = answer.status_code, "Retry-After" in answer.headers
            except httpx.TransportError:
                status, again = CUT, False
            self.attempts.append(Attempt(began, time.monotonic() - began, status, again))
            if status == 201:
                return True
            stop.wait(0.1)
        return False


@contextmanager
def sending(
    url: str,
    campaign_id: str,
    film_id: str,
    number: int,
    *,
    first: int = 1,
    **more: Any,  # noqa: ANN401
) -> Iterator[Sequence[Patient]]:
    """So many of them for the length of a `with` block; the first batch has the number `first`."""
    stop, numbers = threading.Event(), itertools.count(first)
    instruments = [Patient(url, campaign_id, film_id, numbers, **more) for _ in range(number)]
    threads = [threading.Thread(target=instrument.run, args=(stop,)) for instrument in instruments]
    for thread in threads:
        thread.start()
    try:
        yield instruments
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def judge(
    sessions: Sessions, campaign_id: str, instruments: Sequence[Patient], *, allowed: Sequence[int] = (201, 503)
) -> Counter[str]:
    """Acknowledged means stored once; the rest is whole or not there; who is refused is told when to come again."""
    held = stored(sessions, campaign_id)
    acknowledged = [number for one in instruments for number in one.acknowledged]
    unanswered = [number for one in instruments for number in one.unanswered]
    attempts = [attempt for one in instruments for attempt in one.attempts]
    rows = instruments[0].rows
    return Counter(
        {
            "acknowledged and lost": sum(held[number] < rows for number in acknowledged),
            "acknowledged and stored twice": sum(held[number] > rows for number in acknowledged),
            "unanswered and stored in part": sum(held[number] not in (0, rows) for number in unanswered),
            "answered otherwise": sum(attempt.status not in allowed for attempt in attempts),
            "refused without Retry-After": sum(a.status in (503, 507) and not a.retry_after for a in attempts),
        }
    )
