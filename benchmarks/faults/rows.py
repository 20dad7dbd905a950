"""The rows of the matrix as the long run plays them: how often, and which variants must fail."""

import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.faults import (
    claims,
    dead_robots,
    killed_api,
    lost_answers,
    migrations,
    one_key,
    readers,
    retractions,
    snapshots,
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
