"""Row 3: one key from many sides at once, and the same key with another request."""

import threading
from collections import Counter
from pathlib import Path

import httpx

from benchmarks.faults.found import Found
from benchmarks.faults.killed_api import ROWS, body, stored
from benchmarks.faults.loop import Loop, record
from benchmarks.faults.served import served

AT_ONCE = 50


def run(database_url: str, folder: Path, *, rounds: int, naive: str | None = None) -> Found:
    """Fifty clients send the same request under the same key at the same moment, round after round."""
    wrong, collided = Counter[str](), 0
    with record(database_url) as sessions, served(database_url, folder, naive) as api:
        campaign_id, film_id = Loop(sessions).made()
        url = f"{api.url}/v1/campaigns/{campaign_id}/measurement-batches"
        with httpx.Client(timeout=60, limits=httpx.Limits(max_connections=AT_ONCE)) as client:
            for number in range(1, rounds + 1):
                batch, key = body(film_id, number), {"Idempotency-Key": f"key-{number}"}
                answers, refused = at_once(client, url, batch, key)
                fresh = sum("Idempotency-Replayed" not in answer.headers for answer in answers)
                wrong["further effects"] += fresh - 1
                wrong["other answers"] += len({answer.content for answer in answers}) - 1
                wrong["errors"] += sum(answer.status_code != 201 for answer in answers)
                collided += refused
                other = client.post(url, json=body(film_id, -number), headers=key)
                wrong["another request under the key not refused"] += other.status_code != 422
        held = stored(sessions, campaign_id)
    wrong["not stored once"] = sum(held[number] != ROWS for number in range(1, rounds + 1))
    wrong["stored under another's key"] = sum(number < 0 for number in held)
    return Found(
        rounds * AT_ONCE, wrong, f"{rounds} keys, each sent {AT_ONCE} times at once; {collided} met one in flight"
    )


def at_once(
    client: httpx.Client, url: str, batch: dict[str, object], key: dict[str, str]
) -> tuple[list[httpx.Response], int]:
    """Send a request from all sides; who is told that it is being served asks again."""
    barrier = threading.Barrier(AT_ONCE)
    answers: list[httpx.Response] = []
    refused: list[int] = []

    def send() -> None:
        barrier.wait()
        answer = client.post(url, json=batch, headers=key)
        while answer.status_code == 409 and "Retry-After" in answer.headers:
            refused.append(1)
            answer = client.post(url, json=batch, headers=key)
        answers.append(answer)

    threads = [threading.Thread(target=send) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers, len(refused)
