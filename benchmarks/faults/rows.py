"""The rows of the matrix as the long run plays them: how often, and which variants must fail."""

import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.faults import (
    bells,
    claims,
    damaged,
    dead_robots,
    full_disk,
    killed_api,
    killed_database,
    killed_workers,
    lost_answers,
    migrations,
    old_jobs,
    one_key,
    poison,
    readers,
    retractions,
    snapshots,
    wire,
)
from benchmarks.faults.found import Found
from benchmarks.faults.readers import Pace
from service.embedded import PostgresServer
from service.store.schema import upgrade


@dataclass
class Place:
    """Where a row is played: databases as it needs them, and folders."""

    server: PostgresServer
    folder: Path
    seed: int = 1

    def empty(self) -> str:
        """A new database without a schema."""
        name = f"fault_{uuid.uuid4().hex[:12]}"
        with self.server.connect() as connection:
            connection.execute(f"create database {name}")
        return self.server.url.replace("/filmloop?", f"/{name}?")

    def database(self) -> str:
        """A new database with the schema."""
        url = self.empty()
        upgrade(url)
        return url

    def new_folder(self) -> Path:
        """A new one."""
        return Path(tempfile.mkdtemp(dir=self.folder))


@dataclass(frozen=True)
class Plan:
    """What is played for a row."""

    fault: str
    injected: str
    real: Callable[[Place], Found]
    naive: dict[str, Callable[[Place], Found]] = field(default_factory=dict)


def _killed(kills: int, naive: str | None = None) -> Callable[[Place], Found]:
    return lambda at: killed_api.run(
        at.database(), at.new_folder(), kills=kills, seed=at.seed, naive=naive, send_again=naive is None
    )


def _cut(batches: int, naive: str | None = None) -> Callable[[Place], Found]:
    return lambda at: lost_answers.run(at.database(), at.new_folder(), batches=batches, seed=at.seed, naive=naive)


def _one_key(rounds: int, naive: str | None = None) -> Callable[[Place], Found]:
    return lambda at: one_key.run(at.database(), at.new_folder(), rounds=rounds, naive=naive)


def _claimed(robots: int, films: int, naive: str | None = None) -> Callable[[Place], Found]:
    return lambda at: claims.run(at.database(), at.new_folder(), robots=robots, films=films, seed=at.seed, naive=naive)


def _died(robots: int, naive: str | None = None) -> Callable[[Place], Found]:
    return lambda at: dead_robots.run(at.database(), at.new_folder(), robots=robots, naive=naive)


def _read(at: Place, **how: object) -> Found:
    return readers.run(at.database(), at.new_folder(), **how)  # type: ignore[arg-type]  # each call below says which


def _migrated(databases: int, replicas: int, program: list[str] | None = None) -> Callable[[Place], Found]:
    return lambda at: migrations.run(
        [at.empty() for _ in range(databases)], at.new_folder(), replicas=replicas, seed=at.seed, program=program
    )


def _retracted_naively(at: Place) -> Found:
    with retractions.publishing_whatever_is_newest():
        return retractions.run(at.database(), enough=50)


def _database_killed(at: Place) -> Found:
    found = killed_database.run(at.new_folder(), kills=28, pause_s=30.0, seed=at.seed)
    with PostgresServer(at.new_folder() / "data") as server:
        server.start()
        upgrade(server.url)
        refused = killed_database.refuses_what_may_be_lost(server, at.new_folder())
    return Found(found.count, {**found.wrong, **refused}, found.figure)


def _commits_hurried(at: Place) -> Found:
    return killed_database.run(at.new_folder(), kills=6, pause_s=0.0, seed=at.seed, naive="hurries_commits")


def _without_broker(at: Place) -> Found:
    first = bells.broker(at.database(), at.new_folder(), kills=20, flushes=20)
    second = bells.never(at.database(), at.new_folder(), decisions=10)
    wrong = {kind: first.wrong[kind] + second.wrong[kind] for kind in first.wrong}
    return Found(first.count + second.count, wrong, f"{first.figure}; {second.figure}")


def _rung(rounds: int, bells_each: int, naive: str | None = None) -> Callable[[Place], Found]:
    return lambda at: bells.repeated(
        at.database(), at.new_folder(), rounds=rounds, bells=bells_each, seed=at.seed, naive=naive
    )


def _workers_killed(kills: int, hangs: int, naive: str | None = None) -> Callable[[Place], Found]:
    return lambda at: killed_workers.run(
        at.database(), at.new_folder(), kills=kills, hangs=hangs, seed=at.seed, naive=naive
    )


def _poisoned(rounds: int, naive: str | None = None) -> Callable[[Place], Found]:
    return lambda at: poison.run(at.database(), at.new_folder(), rounds=rounds, seed=at.seed, naive=naive)


def _late(at: Place) -> Found:
    return old_jobs.run(at.database(), enough=200, seed=at.seed)


def _late_naively(at: Place) -> Found:
    with old_jobs.last_one_wins():
        return old_jobs.run(at.database(), enough=25, seed=at.seed)


def _damaged(rounds: int, naive: str | None = None) -> Callable[[Place], Found]:
    return lambda at: damaged.run(at.database(), at.new_folder(), rounds=rounds, seed=at.seed, naive=naive)


def _filled(times: int, naive: str | None = None) -> Callable[[Place], Found]:
    return lambda at: full_disk.run(at.database(), at.new_folder(), times=times, seed=at.seed, naive=naive)


def _slow(slow: int, batches: int, naive: str | None = None) -> Callable[[Place], Found]:
    return lambda at: wire.run(at.database(), at.new_folder(), batches=batches, slow=slow, seed=at.seed, naive=naive)


PLANS: dict[int, Plan] = {
    1: Plan(
        "API killed while it takes in measurements",
        "SIGKILL at a random moment",
        _killed(200),
        {"acknowledges first": _killed(20, "acknowledges_first"), "row by row": _killed(20, "row_by_row")},
    ),
    2: Plan(
        "answer lost after the commit",
        "TCP proxy cuts, the client repeats the key",
        _cut(400),
        {"forgets keys": _cut(40, "forgets_keys")},
    ),
    3: Plan(
        "one key from 50 sides at once; the same key with another request",
        "threads",
        _one_key(100),
        {"checks, then inserts": _one_key(20, "checks_then_inserts")},
    ),
    4: Plan(
        "64 robots claim 4,000 films",
        "processes",
        _claimed(64, 4000),
        {"selects, then updates": _claimed(64, 500, "selects_then_updates")},
    ),
    5: Plan(
        "robot dies before the start, after it, and returns",
        "stop renewing",
        _died(100),
        {"no fence": _died(20, "believes_every_lease")},
    ),
    6: Plan(
        "writers commit out of order",
        "8 writers, a reader who reads all snapshots twice",
        lambda at: snapshots.run(at.database(), snapshots=10_000),
        {"serial without the lock": lambda at: snapshots.run(at.database(), snapshots=10_000, make=snapshots.naive)},
    ),
    7: Plan(
        "Postgres killed under load, and standing still for 30 s; commits that are not written",
        "SIGKILL of the server or of a process of it; SIGSTOP; synchronous_commit=off",
        _database_killed,
        {"commits answered before they are written": _commits_hurried},
    ),
    8: Plan(
        "broker killed, emptied, never started",
        "SIGKILL; FLUSHALL while a message waits; nobody at its address",
        _without_broker,
        {"no sweep": lambda at: bells.broker(at.database(), at.new_folder(), kills=0, flushes=2, sweeps=False)},
    ),
    9: Plan(
        "the doorbell rings 1,000 times for one job",
        "messages to two workers",
        _rung(5, 1000),
        {"believes every bell": _rung(1, 20, "believes_every_bell")},
    ),
    10: Plan(
        "worker killed at each phase of a decision, or hanging alive",
        "SIGKILL at 8 phases and at random moments; no progress",
        _workers_killed(110, 5),
        {
            "closes the job first": _workers_killed(20, 0, "closes_first"),
            "a heartbeat beside the work": _workers_killed(0, 2, "beats_beside"),
        },
    ),
    11: Plan(
        "data that no model likes",
        "one reading, equal ones, duplicates, contradictions, outliers of 10^6 sd, 1e100, 5e-324, dead devices",
        _poisoned(3),
        {"plain algebra": _poisoned(1, "lets_failures_through")},
    ),
    12: Plan(
        "a slow worker ends after a newer decision",
        "leases that lapse while 4 workers think",
        _late,
        {"the last one wins": _late_naively},
    ),
    13: Plan(
        "a model's file cut, emptied, flipped, missing, or another's",
        "bytes",
        _damaged(4),
        {"believes files": _damaged(2, "believes_files")},
    ),
    14: Plan(
        "disk full, of the database and of the models",
        "a small file system, filled",
        _filled(5),
        {"acknowledges first": _filled(1, "acknowledges_first")},
    ),
    15: Plan(
        "slow, sliced and cut network",
        "asyncio proxy; senders who never end",
        _slow(100, 200),
        {"takes a connection, then reads": _slow(30, 0, "begins_early")},
    ),
    16: Plan(
        "500 idle readers of events, slow ones among them; restarts",
        "SIGKILL of the API",
        lambda at: _read(at, readers=500, slow=5, kills=10, pace=Pace(pause_s=0.4, more=30)),
        {
            "a new connection starts at now": lambda at: _read(at, readers=50, slow=0, kills=3, naive="starts_at_now"),
            "number drawn before the commit": lambda at: _read(
                at, readers=50, slow=0, kills=0, how=readers.append_by_sequence, pace=readers.HASTY
            ),
        },
    ),
    17: Plan(
        "replicas start on an old schema",
        "4 at once, the one that migrates is killed",
        _migrated(20, 4),
        {"no lock": _migrated(5, 4, migrations.NAIVE)},
    ),
    18: Plan(
        "retraction while decisions are made",
        "two people retract and restore at random moments",
        lambda at: retractions.run(at.database(), enough=200),
        {"publishes whatever is newest": _retracted_naively},
    ),
}


@contextmanager
def place(seed: int) -> Iterator[Place]:
    """A durable Postgres of its own, as an installation has it."""
    with tempfile.TemporaryDirectory(prefix="filmloop-faults-") as folder:
        data_dir = Path(folder) / "data"
        with PostgresServer(data_dir) as server:
            server.start()
            yield Place(server, Path(folder), seed)
