"""Row 17: several replicas start at once on a database of an older schema."""

import os
import subprocess
import sys
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
NAIVE = [sys.executable, "-m", "benchmarks.faults.migrations"]
"""Migrates without asking whether somebody else does."""


def make_old(url: str, revision: str = OLDEST) -> None:
    """Bring an empty database to an older schema."""
    with create_engine(url, poolclass=NullPool).connect() as connection:
        command.upgrade(schema._config(connection), revision)
        connection.execute(text(HELD))
        connection.commit()


def run(urls: Sequence[str], folder: Path, *, replicas: int, program: Sequence[str] | None = None) -> Found:
    """Start migrations of the same database at the same time, database after database.

    Args:
        urls: Empty databases.
        folder: Data directory of the replicas.
        replicas: How many start at once.
        program: What brings the schema up to date; what `filmloop up` runs, if none.
    """
    wrong = {"a replica failed": 0, "it broke off with a traceback": 0, "the schema is another": 0, "data lost": 0}
    environment = os.environ | {"FILMLOOP_DATA_DIR": str(folder)}
    for url in urls:
        make_old(url)
        processes = [
            subprocess.Popen(
                program or migrate_command(),
                env=environment | {"FILMLOOP_DATABASE__URL": url},
                cwd=Path(__file__).parents[2],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            for _ in range(replicas)
        ]
        said = [process.communicate(timeout=120)[0] for process in processes]
        wrong["a replica failed"] += sum(process.returncode != 0 for process in processes)
        wrong["it broke off with a traceback"] += sum("Traceback" in output for output in said)
        with create_engine(url, poolclass=NullPool).connect() as connection:
            wrong["the schema is another"] += not _is_declared(connection)
            wrong["data lost"] += connection.execute(text("select count(*) from campaign")).scalar_one() != 1
    figure = f"{len(urls)} databases of schema {OLDEST}, {replicas} replicas each, to {schema.head()}"
    return Found(len(urls) * replicas, wrong, figure)


def _is_declared(connection: Connection) -> bool:
    """Whether the tables are those of the code."""
    context = MigrationContext.configure(connection, opts={"compare_server_default": True, "compare_type": True})
    return schema.current(connection) == schema.head() and compare_metadata(context, Base.metadata) == []


def _migrate_naively(url: str) -> None:
    with create_engine(url, poolclass=NullPool).connect() as connection:
        command.upgrade(schema._config(connection), "head")


if __name__ == "__main__":
    _migrate_naively(os.environ["FILMLOOP_DATABASE__URL"])
