"""Row 2: the answer is lost after the commit, and the client repeats its request under the key."""

from pathlib import Path

from benchmarks.faults.found import Found
from benchmarks.faults.killed_api import ROWS, body, stored
from benchmarks.faults.loop import Loop, record
from benchmarks.faults.proxy import Cut, Proxy
from benchmarks.faults.served import served
from filmloop_client.transport import Transport

CUTS: dict[Cut, float] = {"none": 4.0, "request": 1.0, "answer": 2.0, "half": 1.0}


def run(database_url: str, folder: Path, *, batches: int, seed: int, naive: str | None = None) -> Found:
    """Send batches through a proxy that cuts most of the calls; the client tries until an answer comes through."""
    with record(database_url) as sessions, served(database_url, folder, naive) as api:
        campaign_id, film_id = Loop(sessions).made()
        path, answers = f"/v1/campaigns/{campaign_id}/measurement-batches", dict[int, bytes]()
        with Proxy(api.port, CUTS, seed) as proxy:
            transport = Transport(proxy.url, patience=120)
            for number in range(1, batches + 1):
                key = {"Idempotency-Key": f"key-{number}"}
                answers[number] = transport.post(path, body(film_id, number), headers=key).content
            transport.close()
        held = stored(sessions, campaign_id)
    lost = {int(key.removeprefix(b"key-")): said for key, said in proxy.lost.items()}
    wrong = {
        "not stored once": sum(held[number] != ROWS for number in answers),
        "answered otherwise than at first": sum(answers[number] != said for number, said in lost.items()),
    }
    cut = proxy.done["answer"] + proxy.done["half"]
    return Found(
        cut, wrong, f"{batches} batches, {cut} answers lost after the commit, {proxy.done['request']} requests lost"
    )
