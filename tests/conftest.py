"""Two processes for the whole suite; in each a Postgres, and a database per test, copied from a migrated template."""

import os
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, Engine, create_engine, make_url, text
from sqlalchemy.pool import NullPool
from xdist.scheduler import LoadFileScheduling

os.environ.setdefault("OMP_NUM_THREADS", "1")

EMPTY = 4
"""Databases without a schema for a test that needs several."""
REAL_PROCESSES = ("tests/browser/", "tests/e2e/", "tests/fault/")
"""Here whole stacks run, are waited for and killed: mostly waiting, which goes well beside one that computes."""


class OneStackAtATime(LoadFileScheduling):
    """A file is run by one process, in the order of the suite; all that starts real processes, by one and the same."""

    def _split_scope(self, nodeid: str) -> str:
        return "real processes" if nodeid.startswith(REAL_PROCESSES) else super()._split_scope(nodeid)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Two for the whole suite; what is named on the command line runs at once, in this process."""
    return 2 if config.args_source is pytest.Config.ArgsSource.TESTPATHS else 0


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling:
    """The scheduler above, whatever `--dist` says."""
    return OneStackAtATime(config, log)


def administer(server: URL) -> Engine:
    """Connections that are closed after use and can create databases."""
    return create_engine(server, poolclass=NullPool, isolation_level="AUTOCOMMIT")


def rendered(url: URL) -> str:
    return url.render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def server_url() -> Iterator[URL]:
    """An existing server by FILMLOOP_TEST_DATABASE_URL, else the embedded one without its safety against crashes."""
    given = os.environ.get("FILMLOOP_TEST_DATABASE_URL")
    if given:
        yield make_url(given)
        return
    from service.embedded import start_postgres  # noqa: PLC0415 - tests that need no database must not load it

    # A short path: a socket's is limited to about 100 characters, and pytest's own are long.
    with (
        tempfile.TemporaryDirectory(prefix="filmloop-test-") as folder,
        start_postgres(Path(folder), durable=False) as server,
    ):
        yield make_url(server.url)


@pytest.fixture(scope="session")
def template(server_url: URL) -> Iterator[str]:
    """Name of a database with the schema that the migrations make, and with the key of the tests."""
    from benchmarks.keys import admit  # noqa: PLC0415 - as above
    from service.store.schema import upgrade  # noqa: PLC0415 - as above

    name = f"filmloop_template_{uuid.uuid4().hex[:12]}"
    with administer(server_url).connect() as connection:
        connection.execute(text(f"create database {name}"))
        upgrade(rendered(server_url.set(database=name)))
        admit(rendered(server_url.set(database=name)))
        yield name
        connection.execute(text(f"drop database {name} with (force)"))


@pytest.fixture
def empty_database_url(server_url: URL) -> Iterator[str]:
    """A database without a schema."""
    yield from _database(server_url, "template1")


@pytest.fixture
def empty_database_urls(server_url: URL) -> Iterator[list[str]]:
    """Databases without a schema: for what happens at most starts, but not at each."""
    with ExitStack() as stack:
        yield [stack.enter_context(contextmanager(_database)(server_url, "template1")) for _ in range(EMPTY)]


@pytest.fixture
def database_url(server_url: URL, template: str) -> Iterator[str]:
    """A database of the test's own, with the schema."""
    yield from _database(server_url, template)


def _database(server_url: URL, template: str) -> Iterator[str]:
    name = f"filmloop_{uuid.uuid4().hex[:12]}"
    with administer(server_url).connect() as connection:
        connection.execute(text(f"create database {name} template {template} strategy file_copy"))
        yield rendered(server_url.set(database=name))
        connection.execute(text(f"drop database {name} with (force)"))


@pytest.fixture
def sessions(database_url: str) -> Iterator[Any]:
    """Sessions on the test's database."""
    from service.store.session import make_engine, make_sessions  # noqa: PLC0415 - as above

    engine = make_engine(database_url, pool_size=40)
    yield make_sessions(engine)
    engine.dispose()


@pytest.fixture
def loop(sessions: Any) -> Any:
    """Campaigns whose decisions are made by hand."""
    from benchmarks.faults.loop import Loop  # noqa: PLC0415 - as above

    return Loop(sessions)
