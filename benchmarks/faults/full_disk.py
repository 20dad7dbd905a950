"""Row 14: the disk of the database is full, or that of the artifacts. Needs the right to mount a small file system."""

import os
import random
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
from sqlalchemy import text

from benchmarks.faults.found import Found
from benchmarks.faults.hands import Order, hands
from benchmarks.faults.killed_workers import due, measured
from benchmarks.faults.loop import Loop, record
from benchmarks.faults.patient import Patient, judge, sending
from benchmarks.faults.served import served
from service.embedded import CannotStart, PostgresServer
from service.store.schema import upgrade
from service.store.session import Sessions
from service.store.tables import JobRow

INSTRUMENTS = 3
ROWS = 500
"""Of a batch here: the disk shall fill soon."""
DATABASE_MB = 800
ARTIFACTS_MB = 2
LEFT_MB = 6
"""What is left free when the fault begins."""
FULL_S = 4.0
"""So long it stays full after the first refusal."""
FULL_WITHIN_S = 30.0
RECOVERS_S = 90.0
TRIES = 100


def may_mount() -> bool:
    """Whether this process may mount a file system."""
    return os.geteuid() == 0 and subprocess.run(["unshare", "-m", "true"], check=False).returncode == 0  # noqa: S607


class SmallDisk:
    """A file system of a few megabytes, in memory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ballast = path / "ballast"

    def fill(self, left_mb: float) -> None:
        """Let so much be left, or less, if others write meanwhile."""
        with self._ballast.open("ab") as file:
            for _ in range(TRIES):
                too_much = self._free() - int(left_mb * 1e6)
                if too_much <= 0:
                    return
                with suppress(OSError):  # others took of it, so there is less to take
                    os.posix_fallocate(file.fileno(), file.tell(), too_much)
        raise TimeoutError(f"the disk has {self._free()} bytes still")

    def _free(self) -> int:
        room = os.statvfs(self.path)
        return room.f_bavail * room.f_frsize

    def clear(self) -> None:
        """Give the room back."""
        self._ballast.unlink(missing_ok=True)


@contextmanager
def small_disk(path: Path, megabytes: int) -> Iterator[SmallDisk]:
    """Mounted for the length of a `with` block."""
    path.mkdir(parents=True)
    size = f"size={megabytes}m,mode=0700"
    subprocess.run(["mount", "-t", "tmpfs", "-o", size, "filmloop-fault", path], check=True)  # noqa: S607
    try:
        yield SmallDisk(path)
    finally:
        subprocess.run(["umount", "-l", path], check=True)  # noqa: S607


class Supervised:
    """A database server that is started again whenever it ends, as `filmloop up` does."""

    def __init__(self, server: PostgresServer) -> None:
        self._server, self._over = server, threading.Event()
        self.ends = 0
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> "Supervised":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.2):
            if self._server.process is not None and self._server.process.poll() is not None:
                self.ends += 1
                with suppress(CannotStart, OSError):  # still full: the next try comes soon
                    self._server.start()


def database(folder: Path, *, times: int, naive: str | None = None) -> Found:
    """Fill the database's disk while instruments send, make room again, and look at what is there.

    Args:
        folder: Where a small file system is mounted.
        times: How often it is filled.
        naive: A variant of the API.
    """
    with small_disk(folder / "small", DATABASE_MB) as disk, PostgresServer(disk.path) as server:
        server.start()
        upgrade(server.url)
        with record(server.url) as sessions:
            campaign_id, film_id = Loop(sessions).made()
        wrong, ends = Counter[str](), 0
        with served(server.url, folder / "api", naive) as api, Supervised(server) as supervised:
            with sending(api.url, campaign_id, film_id, INSTRUMENTS, rows=ROWS) as instruments:
                for _ in range(times):
                    disk.fill(LEFT_MB)
                    wrong["the disk never was full"] += not _refuses(instruments)
                    time.sleep(FULL_S)
                    disk.clear()
                    wrong["taken no more when there was room"] += not _recovers(instruments)
            ends = supervised.ends
            wrong["serves nothing afterwards"] += not _serves(api.url)
            with record(server.url) as sessions:
                wrong.update(judge(sessions, campaign_id, instruments, allowed=(201, 503, 507)))
                wrong["revisions and batches differ"] += _inconsistent(sessions, campaign_id)
    refused = sum(a.status in (503, 507) for one in instruments for a in one.attempts)
    taken = sum(len(one.acknowledged) for one in instruments)
    figure = f"{taken} batches of {ROWS} acknowledged, {refused} told to come again, Postgres ended {ends} times"
    return Found(times, dict(wrong), figure)


def _refuses(instruments: Sequence[Patient]) -> bool:
    """Whether somebody is refused anew."""
    seen = [len(one.attempts) for one in instruments]
    deadline = time.monotonic() + FULL_WITHIN_S
    while not any(a.status != 201 for one, n in zip(instruments, seen, strict=True) for a in one.attempts[n:]):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _recovers(instruments: Sequence[Patient]) -> bool:
    """Whether every instrument is acknowledged anew."""
    before = [len(one.acknowledged) for one in instruments]
    deadline = time.monotonic() + RECOVERS_S
    while any(len(one.acknowledged) <= n for one, n in zip(instruments, before, strict=True)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _serves(url: str) -> bool:
    """Whether the API can work, after a while."""
    deadline = time.monotonic() + RECOVERS_S
    while httpx.get(f"{url}/readyz", timeout=30).status_code != 200:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def _inconsistent(sessions: Sessions, campaign_id: str) -> int:
    """Every revision is one batch, and every batch has the rows that it says."""
    query = text(
        "select (select revision from campaign where id = :c) - count(*),"
        " count(*) filter (where accepted <> (select count(*) from measurement m where m.batch_id = b.id))"
        " from measurement_batch b where b.campaign_id = :c"
    )
    with sessions() as session:
        missing, torn = session.execute(query, {"c": campaign_id}).one()
    return int(missing != 0) + int(torn)


def artifacts(database_url: str, folder: Path, *, times: int, seed: int) -> Found:
    """Fill the disk on which models are kept; a decision must come when there is room again.

    Args:
        database_url: A database with the schema.
        folder: Where a small file system is mounted.
        times: How often it is filled.
        seed: Of the readings.
    """
    chance, wrong = random.Random(seed), Counter[str]()  # noqa: S311 - not a secret
    with (
        small_disk(folder / "small", ARTIFACTS_MB) as disk,
        record(database_url) as sessions,
        hands(folder) as workers,
    ):
        loop = Loop(sessions)
        for _ in range(times):
            campaign_id = measured(loop, chance)
            with sessions() as session:
                job_id = due(session, campaign_id)
            assert job_id is not None
            order = Order(database_url, str(disk.path), job_id)
            disk.fill(0.0)
            wrong["the worker broke down"] += workers.work(order) != 0
            job = loop.row(JobRow, job_id)
            wrong["not kept for another attempt"] += job.state != "pending"
            wrong["the reason is not told"] += "No space left" not in str(job.error)
            wrong["half a file"] += sum(path.name.startswith(".writing-") for path in disk.path.rglob("*"))
            disk.clear()
            with sessions.begin() as session:
                session.execute(text("update job set run_after = now() where id = :id"), {"id": job_id})
            wrong["the worker broke down"] += workers.work(order) != 0
            wrong["not decided when there was room"] += loop.row(JobRow, job_id).state != "succeeded"
    return Found(times, dict(wrong), f"{times} decisions whose model found no room")


def run(database_url: str, folder: Path, *, times: int, seed: int, naive: str | None = None) -> Found:
    """Both, one after the other; a naive variant is of the API, so it meets the first only."""
    first = database(folder / "database", times=times, naive=naive)
    if naive is not None:
        return first
    second = artifacts(database_url, folder / "artifacts", times=times, seed=seed)
    wrong = Counter(first.wrong)
    wrong.update(second.wrong)
    kinds = {kind: wrong[kind] for kind in (*first.wrong, *second.wrong)}
    return Found(first.count + second.count, kinds, f"{first.figure}; {second.figure}")
