"""Row 17: several replicas start at once on a database of an older schema."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

from benchmarks.faults.found import Found
from service.store import schema
from service.store.tables import Base
from service.supervisor.programs import migrate_command

OLDEST = "0001"
HELD = "insert into campaign (id, name) values ('cmp_1', 'wafer')"
"""Something in the old record."""
HOLDER = text(
    "select application_name from pg_locks join pg_stat_activity using (pid)"
    " where locktype = 'advisory' and granted and datname = current_database()"
)
"""Which of the replicas has the lock."""
NAIVE = [sys.executable, "-m", "benchmarks.faults.migrations"]
"""Migrates without asking whether somebody else does."""


def make_old(url: str, revision: str = OLDEST) -> None:
    """Bring an empty database to an older schema."""
    with create_engine(url, poolclass=NullPool).connect() as connection:
        command.upgrade(schema._config(connection), revision)
        connection.execute(text(HELD))
        connection.commit()


def run(
    urls: Sequence[str], folder: Path, *, replicas: int, seed: int = 1, program: Sequence[str] | None = None
) -> Found:
    """Start migrations of the same database at the same time, database after database; kill the first that begins.

    Args:
        urls: Empty databases.
        folder: Data directory of the replicas.
        replicas: How many start at once.
        seed: Of the moment at which the one that migrates is killed.
        program: What brings the schema up to date, and then nothing is killed; what `filmloop up` runs, if none.
    """
    wrong = {"a replica failed": 0, "it broke off with a traceback": 0, "the schema is another": 0, "data lost": 0}
    chance, killed = random.Random(seed), 0  # noqa: S311 - not a secret
    for url in urls:
        make_old(url)
        processes = [_replica(program or migrate_command(), url, folder, number) for number in range(replicas)]
        if program is None:
            _kill_who_migrates(url, processes, chance)
        said = [process.communicate(timeout=120)[0] for process in processes]
        killed += sum(process.returncode == -signal.SIGKILL for process in processes)
        wrong["a replica failed"] += sum(process.returncode not in (0, -signal.SIGKILL) for process in processes)
        wrong["it broke off with a traceback"] += sum("Traceback" in output for output in said)
        with create_engine(url, poolclass=NullPool).connect() as connection:
            wrong["the schema is another"] += not _is_declared(connection)
            wrong["data lost"] += connection.execute(text("select count(*) from campaign")).scalar_one() != 1
    figure = (
        f"{len(urls)} databases of schema {OLDEST}, {replicas} replicas each, to {schema.head()}; "
        f"{killed} killed while they migrated"
    )
    return Found(len(urls) * replicas, wrong, figure)


def _replica(program: Sequence[str], url: str, folder: Path, number: int) -> subprocess.Popen[str]:
    settings = {"FILMLOOP_DATA_DIR": str(folder), "FILMLOOP_DATABASE__URL": url, "PGAPPNAME": str(number)}
    return subprocess.Popen(
        program,
        env=os.environ | settings,
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _kill_who_migrates(url: str, processes: Sequence[subprocess.Popen[str]], chance: random.Random) -> None:
    """SIGKILL the replica that was first to take the lock, soon after it did."""
    with create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT").connect() as connection:
        while any(process.poll() is None for process in processes):
            holder = connection.execute(HOLDER).scalar_one_or_none()
            if holder is not None:
                time.sleep(chance.uniform(0.0, 0.2))
                processes[int(holder)].kill()
                return
            time.sleep(0.005)


def _is_declared(connection: Connection) -> bool:
    """Whether the tables are those of the code."""
    context = MigrationContext.configure(connection, opts={"compare_server_default": True, "compare_type": True})
    return schema.current(connection) == schema.head() and compare_metadata(context, Base.metadata) == []


def _migrate_naively(url: str) -> None:
    with create_engine(url, poolclass=NullPool).connect() as connection:
        command.upgrade(schema._config(connection), "head")


if __name__ == "__main__":
    _migrate_naively(os.environ["FILMLOOP_DATABASE__URL"])
