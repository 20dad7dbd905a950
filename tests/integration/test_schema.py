"""The schema in the database is the one that the code declares, and one process at a time brings it there."""

import subprocess
import sys

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.pool import NullPool

from service.store.schema import current, head, upgrade
from service.store.tables import Base


@pytest.fixture
def engine(database_url):
    engine = create_engine(database_url, poolclass=NullPool)
    yield engine
    engine.dispose()


def test_the_migrations_make_the_declared_tables(engine):
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True, "compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
        assert current(connection) == head()


CHECKS = text(
    "select conrelid::regclass::text || '.' || conname || ' ' || pg_get_constraintdef(oid) from pg_constraint "
    "where contype = 'c' and connamespace = 'public'::regnamespace order by 1"
)
INDICES = text(
    "select indexdef from pg_indexes where schemaname = 'public' and tablename <> 'alembic_version' order by 1"
)


def test_checks_and_partial_indices_are_the_declared_ones_too(engine, empty_database_url):
    """The comparison above overlooks both."""
    declared = create_engine(empty_database_url, poolclass=NullPool)
    Base.metadata.create_all(declared)
    found = {}
    for name, side in (("migrated", engine), ("declared", declared)):
        with side.connect() as connection:
            found[name] = [list(connection.scalars(query)) for query in (CHECKS, INDICES)]
    assert found["migrated"] == found["declared"]
    assert len(found["declared"][0]) >= 20
    assert len([i for i in found["declared"][1] if " WHERE " in i]) == 6


def test_an_empty_database_says_so(empty_database_url):
    with create_engine(empty_database_url, poolclass=NullPool).connect() as connection:
        assert current(connection) is None


def test_two_processes_that_migrate_at_once_do_it_once(empty_database_url):
    script = "import sys; from service.store.schema import upgrade; upgrade(sys.argv[1])"
    command = [sys.executable, "-c", script, empty_database_url]
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    ended = [(process.communicate(timeout=120)[1], process.returncode) for process in processes]
    assert [code for _, code in ended] == [0, 0, 0], ended
    with create_engine(empty_database_url, poolclass=NullPool).connect() as connection:
        assert current(connection) == head()
    upgrade(empty_database_url)


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("insert into campaign (id, name, state) values ('cmp_1', 'x', 'lost')", "ck_campaign_state"),
        ("insert into campaign (id, name, revision) values ('cmp_1', 'x', -1)", "ck_campaign_revision"),
        ("insert into artifact (sha256, size) values ('short', 1)", "ck_artifact_sha256"),
        ("insert into instrument (id, campaign_id, name) values ('i', 'nobody', 'x')", "fk_instrument_campaign_id"),
    ],
)
def test_the_database_itself_refuses_what_must_not_be(engine, change, constraint):
    with engine.connect() as connection, pytest.raises(IntegrityError, match=constraint):
        connection.execute(text(change))
