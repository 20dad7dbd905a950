"""Row 7: Postgres is killed under load, again and again, and stands still for a while."""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import httpx
import psutil

from benchmarks.faults.found import Found
from benchmarks.faults.loop import Loop, record
from benchmarks.faults.patient import Patient, judge, sending
from benchmarks.faults.served import served
from service.embedded import PostgresServer
from service.store.schema import upgrade

INSTRUMENTS = 24
"""More than the API has connections."""
POOL = 10
LATEST_S = 1.0
"""A kill comes at most so long after readings were taken again."""
SLACK_S = 8.0
"""What a request may wait beyond the pause: 5 s for a connection, and its turn."""
QUICK_S = 3.0
"""In which the API answers what needs no database, whatever happens there."""


def run(folder: Path, *, kills: int, pause_s: float, seed: int, naive: str | None = None) -> Found:
    """Kill the database under load, then let it stand still.

    Args:
        folder: For a database of the row's own, which runs with all its safety.
        kills: How often; the whole server, or one of its processes, upon which Postgres starts all of them anew.
        pause_s: How long it stands still at the end; 0 for not at all.
        seed: Of the moments.
        naive: A variant of the API.
    """
    chance = random.Random(seed)  # noqa: S311 - not a secret
    with PostgresServer(folder / "data") as server:
        server.start()
        upgrade(server.url)
        with record(server.url) as sessions:
            campaign_id, film_id = Loop(sessions).made()
        with served(server.url, folder / "api", naive) as api:
            with sending(api.url, campaign_id, film_id, INSTRUMENTS) as instruments:
                for number in range(kills):
                    _await_more(instruments)
                    time.sleep(chance.uniform(0.0, LATEST_S))
                    _kill(server, whole=number % 4 != 3, chance=chance)
                _await_more(instruments)
                paused = _stand_still(api.url, server, instruments, pause_s) if pause_s else Counter[str]()
            with record(server.url) as sessions:
                wrong = judge(sessions, campaign_id, instruments) + paused
                _keep_zeros(wrong, sessions_judged=judge(sessions, campaign_id, instruments), paused=paused)
    attempts = [a for one in instruments for a in one.attempts]
    refused, cut = sum(a.status == 503 for a in attempts), sum(a.status == 0 for a in attempts)
    taken = sum(len(one.acknowledged) for one in instruments)
    longest = max(a.seconds for a in attempts)
    said = f"{taken} batches acknowledged, {refused} told to come again, {cut} cut off, longest wait {longest:.1f} s"
    return Found(kills, dict(wrong), f"{said}, of {pause_s:.0f} s standstill" if pause_s else said)


def _keep_zeros(wrong: Counter[str], *, sessions_judged: Counter[str], paused: Counter[str]) -> None:
    """A sum of counters forgets what never happened; the table shall say it."""
    for kind in (*sessions_judged, *paused):
        wrong.setdefault(kind, 0)


def _await_more(instruments: Sequence[Patient]) -> None:
    """Until several instruments were acknowledged anew."""
    before = [len(one.acknowledged) for one in instruments]
    deadline = time.monotonic() + 120
    while sum(len(one.acknowledged) > n for one, n in zip(instruments, before, strict=True)) < len(instruments) // 2:
        assert time.monotonic() < deadline, "nothing is taken any more"
        time.sleep(0.01)


def _kill(server: PostgresServer, *, whole: bool, chance: random.Random) -> None:
    """SIGKILL, and start it again as the supervisor does."""
    main = psutil.Process(server.pid)
    if whole:
        main.kill()
        main.wait(30)
        server.start()
        return
    workers = [child for child in main.children() if "filmloop" in " ".join(child.cmdline())]
    if workers:
        os.kill(chance.choice(workers).pid, signal.SIGKILL)


def _stand_still(url: str, server: PostgresServer, instruments: Sequence[Patient], pause_s: float) -> Counter[str]:
    """SIGSTOP all of it, look at the API meanwhile, and let it go on."""
    processes = [psutil.Process(server.pid), *psutil.Process(server.pid).children(recursive=True)]
    for process in processes:
        process.suspend()
    began, slow, most = time.monotonic(), 0, 0
    while time.monotonic() < began + pause_s:
        asked = time.monotonic()
        slow += httpx.get(f"{url}/healthz", timeout=30).status_code != 200 or time.monotonic() - asked > QUICK_S
        most = max(most, sum(p.is_running() and "filmloop" in " ".join(p.cmdline()) for p in _backends(server)))
        time.sleep(0.5)
    for process in processes:
        process.resume()
    ended = time.monotonic()
    _await_more(instruments)
    meanwhile = [a for one in instruments for a in one.attempts if began <= a.began + a.seconds and a.began <= ended]
    return Counter(
        {
            "longer than the standstill": sum(a.seconds > pause_s + SLACK_S for a in meanwhile),
            "no sign of life meanwhile": slow,
            "more connections than agreed": int(most > POOL + 1),
        }
    )


def _backends(server: PostgresServer) -> list[psutil.Process]:
    return list(psutil.Process(server.pid).children())


def refuses_what_may_be_lost(server: PostgresServer, folder: Path) -> dict[str, int]:
    """An API on a database that acknowledges before it has written serves nothing, and says why.

    Returns:
        What must not be, by kind.
    """
    with server.connect() as connection:
        connection.execute("alter database filmloop set synchronous_commit = off")
    try:
        with served(server.url, folder) as api:
            found = httpx.get(f"{api.url}/readyz", timeout=30)
            told = "synchronous_commit" in found.text
            return {
                "serves with synchronous_commit off": int(found.status_code == 200),
                "does not say why": int(not told),
            }
    finally:
        with server.connect() as connection:
            connection.execute("alter database filmloop reset synchronous_commit")


__all__ = ["refuses_what_may_be_lost", "run"]
