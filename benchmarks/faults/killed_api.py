"""Row 1: the API is killed in the middle of taking in measurements."""

import itertools
import random
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import text

from benchmarks.faults.found import Found
from benchmarks.faults.loop import Loop, record
from benchmarks.faults.served import Served, served
from filmloop_client.errors import FilmloopError
from filmloop_client.transport import Transport
from service.store.session import Sessions

WRITERS = 3
ROWS = 7
LATEST_S = 0.4
"""A kill comes at most so long after the API answers again."""


def body(film_id: str, number: int, instrument: str = "squid", rows: int = ROWS) -> dict[str, Any]:
    """A batch, told by its values: its readings have no names, so that only the key says whether it is a repetition."""
    reading = {
        "film_id": film_id,
        "property": Loop.PROPERTY,
        "unit": Loop.UNIT,
        "value": float(number),
        "measured_at": datetime.now(UTC).isoformat(),
    }
    return {"instrument": instrument, "measurements": [reading | {"device": k % Loop.DEVICES} for k in range(rows)]}


def stored(sessions: Sessions, campaign_id: str) -> Counter[int]:
    """Rows of each batch, straight from the database."""
    query = text("select value, count(*) from measurement where campaign_id = :c group by value")
    with sessions() as session:
        return Counter({int(value): count for value, count in session.execute(query, {"c": campaign_id})})


class Writer:
    """An instrument that never repeats a call, and remembers which batches were acknowledged and which were not."""

    def __init__(self, url: str, campaign_id: str, film_id: str, numbers: "itertools.count[int]") -> None:
        self._path = f"{url}/v1/campaigns/{campaign_id}/measurement-batches"
        self._film_id, self._numbers = film_id, numbers
        self.acknowledged: list[int] = []
        self.unanswered: dict[int, dict[str, Any]] = {}
        self.refused: list[str] = []

    def run(self, stop: threading.Event) -> None:
        """Send until told to stop."""
        while not stop.is_set():
            number = next(self._numbers)
            batch = body(self._film_id, number)
            try:
                answer = httpx.post(self._path, json=batch, headers={"Idempotency-Key": f"key-{number}"}, timeout=30)
            except httpx.TransportError:
                self.unanswered[number] = batch
                continue
            if answer.status_code == 201:
                self.acknowledged.append(number)
            else:
                self.refused.append(answer.text)
            stop.wait(0.01)


def observe(url: str, campaign_id: str, stop: threading.Event, seen: dict[int, Any]) -> None:
    """Somebody who reads on in the events, and so knows of batches that were recorded."""
    transport = Transport(url, patience=0.2)
    while not stop.wait(0.05):
        try:
            page = transport.get(f"/v1/campaigns/{campaign_id}/events", {"after": max(seen, default=0)}).json()
        except FilmloopError:
            continue
        seen.update({event["seq"]: event for event in page["items"]})
    transport.close()


def run(
    database_url: str, folder: Path, *, kills: int, seed: int, naive: str | None = None, send_again: bool = True
) -> Found:
    """Kill the API again and again while three instruments write and one person reads.

    Args:
        database_url: A database with the schema.
        folder: For logs.
        kills: How often.
        seed: Of the moments.
        naive: A variant of the API.
        send_again: Whether to send what was not answered again at the end, under its key.
    """
    chance = random.Random(seed)  # noqa: S311 - not a secret
    stop, seen, numbers = threading.Event(), dict[int, Any](), itertools.count(1)
    with record(database_url) as sessions, served(database_url, folder, naive) as api:
        campaign_id, film_id = Loop(sessions).made()
        writers = [Writer(api.url, campaign_id, film_id, numbers) for _ in range(WRITERS)]
        threads = [threading.Thread(target=writer.run, args=(stop,)) for writer in writers]
        threads.append(threading.Thread(target=observe, args=(api.url, campaign_id, stop, seen)))
        for thread in threads:
            thread.start()
        _kill(api, writers, kills, chance)
        stop.set()
        if send_again:
            api.start()
        else:
            api.hang_up()  # who waits for the dead API shall not wait long
        for thread in threads:
            thread.join()
        wrong = judge(writers, stored(sessions, campaign_id), told_but_gone(sessions, campaign_id, seen))
        if send_again:
            wrong["sent again and not stored once"] = repeat(api.url, campaign_id, writers, sessions)
    return Found(kills, wrong, _figure(writers, seen))


def _kill(api: Served, writers: list[Writer], kills: int, chance: random.Random) -> None:
    for number in range(kills):
        before = [len(writer.acknowledged) for writer in writers]
        while any(len(writer.acknowledged) <= n for writer, n in zip(writers, before, strict=True)):
            time.sleep(0.005)
        time.sleep(chance.uniform(0.0, LATEST_S))
        api.end()
        if number < kills - 1:
            api.start()


def judge(writers: list[Writer], held: Counter[int], gone: int) -> dict[str, int]:
    """Acknowledged means stored once; not acknowledged means stored whole or not at all; what was seen is there."""
    acknowledged = [number for writer in writers for number in writer.acknowledged]
    unanswered = [number for writer in writers for number in writer.unanswered]
    return {
        "acknowledged and lost": sum(held[number] < ROWS for number in acknowledged),
        "acknowledged and stored twice": sum(held[number] > ROWS for number in acknowledged),
        "unanswered and stored in part": sum(held[number] not in (0, ROWS) for number in unanswered),
        "seen and gone": gone,
        "refused": sum(len(writer.refused) for writer in writers),
    }


def told_but_gone(sessions: Sessions, campaign_id: str, seen: dict[int, Any]) -> int:
    """Batches that somebody read of in an event, and whose rows or event are not there."""
    rows = text(
        "select e.seq, e.data->>'batch_id', (select count(*) from measurement m where m.batch_id = e.data->>'batch_id')"
        " from event e where e.campaign_id = :c and e.type = 'batch.recorded'"
    )
    with sessions() as session:
        there = {seq: (batch, count) for seq, batch, count in session.execute(rows, {"c": campaign_id})}
    told = [(seq, e["data"]) for seq, e in seen.items() if e["type"] == "batch.recorded"]
    return sum(there.get(seq) != (data["batch_id"], data["accepted"]) for seq, data in told)


def repeat(url: str, campaign_id: str, writers: list[Writer], sessions: Sessions) -> int:
    """Send what was not answered again under its key; how many batches are not stored exactly once then."""
    transport = Transport(url, patience=60)
    path = f"/v1/campaigns/{campaign_id}/measurement-batches"
    for writer in writers:
        for number, batch in writer.unanswered.items():
            transport.post(path, batch, headers={"Idempotency-Key": f"key-{number}"})
    transport.close()
    held = stored(sessions, campaign_id)
    known = {number for writer in writers for number in (*writer.acknowledged, *writer.unanswered)}
    return sum(held[number] != ROWS for number in known | set(held))


def _figure(writers: list[Writer], seen: dict[int, Any]) -> str:
    acknowledged = sum(len(writer.acknowledged) for writer in writers)
    unanswered = sum(len(writer.unanswered) for writer in writers)
    return f"{acknowledged} batches acknowledged, {unanswered} cut off, {len(seen)} events seen"
