"""One Postgres for the session, one database per test, each a copy of a template that the migrations built."""

import os
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import URL, Engine, create_engine, func, make_url, text, update
from sqlalchemy.pool import NullPool

os.environ.setdefault("OMP_NUM_THREADS", "1")


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
    """Name of a database with the schema that the migrations make."""
    from service.store.schema import upgrade  # noqa: PLC0415 - as above

    name = f"filmloop_template_{uuid.uuid4().hex[:12]}"
    with administer(server_url).connect() as connection:
        connection.execute(text(f"create database {name}"))
        upgrade(rendered(server_url.set(database=name)))
        yield name
        connection.execute(text(f"drop database {name} with (force)"))


@pytest.fixture
def empty_database_url(server_url: URL) -> Iterator[str]:
    """A database without a schema."""
    yield from _database(server_url, "template1")


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


@dataclass(frozen=True)
class Advice:
    """A recommendation made without a model."""

    film: Any
    mean: Any = None
    sd: Any = None
    gain: float | None = None
    policy: str = "random"
    source: str = "random"
    reason: str = "a film of the test"
    alternatives: tuple[Any, ...] = ()
    pairs: tuple[Any, ...] = ()
    cost: float | None = None


class Loop:
    """Campaigns of 3 elements and 3 devices whose decisions the test makes itself, through what workers call."""

    ELEMENTS = ("Fe", "Ga", "Pd")
    DEVICES = 3

    def __init__(self, sessions: Any) -> None:
        self.sessions = sessions
        self._random = np.random.default_rng(7)

    def problem(self) -> dict[str, Any]:
        return {
            "space": {
                "elements": list(self.ELEMENTS),
                "process": [
                    {"kind": "continuous", "name": "anneal_c", "unit": "degC", "lower": 200.0, "upper": 700.0},
                    {"kind": "categorical", "name": "substrate", "choices": ["Si", "glass"]},
                ],
            },
            "objectives": [{"property": "magnetisation", "unit": "emu/cm3"}],
            "film": {"devices": self.DEVICES},
        }

    def campaign(
        self, *, queue_depth: int = 1, films: int | None = None, ttl_s: int = 300, overdue_s: int = 600
    ) -> str:
        """An active campaign."""
        from models.problem import Problem  # noqa: PLC0415 - as above
        from service.operations import campaigns  # noqa: PLC0415 - as above

        with self.sessions.begin() as session:
            campaign = campaigns.create(
                session,
                "wafer",
                Problem.model_validate(self.problem()),
                queue_depth=queue_depth,
                budget_films=films,
                lease_ttl_s=ttl_s,
                lease_overdue_s=overdue_s,
            )
            campaigns.act(session, campaign.id, "activate")
        return campaign.id

    def advice(self, number: int) -> list[Advice]:
        """Random films."""
        from models.film import Film  # noqa: PLC0415 - as above

        s = np.linspace(0.0, 1.0, self.DEVICES)
        ends = self._random.dirichlet(np.ones(len(self.ELEMENTS)), size=(number, 2))
        return [Advice(Film(a, b, np.array([0.5, 1.0, 0.0]), s)) for a, b in ends]

    def take(self, campaign_id: str, worker: str = "worker") -> Any:
        """The input of the campaign's pending decision; None if there is none to take."""
        from service.operations.decisions import claim_decision  # noqa: PLC0415 - as above
        from service.store import jobs  # noqa: PLC0415 - as above

        with self.sessions() as session:
            waiting = [job.id for job in jobs.live(session, campaign_id) if job.state == "pending"]
        return claim_decision(self.sessions, waiting[0], worker) if waiting else None

    def decide(self, campaign_id: str) -> Any:
        """Take the pending decision and publish as many random films as are wanted; return its input."""
        from service.operations.decisions import publish_decision  # noqa: PLC0415 - as above

        decision = self.take(campaign_id)
        assert decision is not None, "no decision is pending"
        assert publish_decision(self.sessions, decision, None, self.advice(decision.count))
        return decision

    def row(self, table: Any, row_id: str) -> Any:
        """A row as it is now."""
        with self.sessions() as session:
            return session.get(table, row_id)

    def let_pass(self, table: Any, row_id: str, column: str) -> None:
        """Move a deadline into the past, as if the time had gone by."""
        with self.sessions.begin() as session:
            past = func.now() - timedelta(seconds=1)
            session.execute(update(table).where(table.id == row_id).values({column: past}))


@pytest.fixture
def loop(sessions: Any) -> Loop:
    """Campaigns whose decisions are made by hand."""
    return Loop(sessions)
