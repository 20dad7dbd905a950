"""The schema in the database is the one that the code declares, and one process at a time brings it there."""

import os
import subprocess
import sys

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.pool import NullPool

from benchmarks.keys import admit
from service.app import create_app
from service.settings import DatabaseSettings, Settings
from service.store.schema import _config, current, head
from service.store.tables import Base
from tests.integration.conftest import serving


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
    assert len([i for i in found["declared"][1] if " WHERE " in i]) >= 7


def test_an_empty_database_says_so(empty_database_url):
    with create_engine(empty_database_url, poolclass=NullPool).connect() as connection:
        assert current(connection) is None


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


AHEAD = "9999"
"""A version that no code knows."""


def filmloop(*arguments, url):
    environment = os.environ | {"FILMLOOP_DATABASE__URL": url}
    command = [sys.executable, "-m", "service.cli", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


def test_behind_is_told_and_mended_by_one_command(empty_database_url, tmp_path):
    with create_engine(empty_database_url, poolclass=NullPool).connect() as connection:
        command.upgrade(_config(connection), "0001")
        connection.commit()
    with serving(create_app(settings_of(empty_database_url))) as client:
        for path in ("/readyz", "/v1/campaigns"):
            answer = client.get(path)
            assert answer.status_code == 503
            assert "is 0001, behind this code" in answer.text
            assert "filmloop migrate" in answer.text
        assert client.get("/healthz").status_code == 200
        doctor = filmloop("doctor", "--data-dir", str(tmp_path), url=empty_database_url)
        assert (doctor.returncode, "behind this code" in doctor.stdout) == (1, True)
        assert "to mend it: run `filmloop migrate`" in doctor.stdout
        migrated = filmloop("migrate", url=empty_database_url)
        assert (migrated.returncode, migrated.stderr) == (0, "")
        admit(empty_database_url)
        assert client.get("/readyz").status_code == 200  # without a restart
        assert client.get("/v1/campaigns").status_code == 200


def test_ahead_is_told_and_nothing_is_changed(database_url, engine, tmp_path):
    with engine.begin() as connection:
        connection.execute(text("update alembic_version set version_num = :v"), {"v": AHEAD})
    with serving(create_app(settings_of(database_url))) as client:
        for path in ("/readyz", "/v1/campaigns"):
            answer = client.get(path)
            assert answer.status_code == 503
            assert f"is {AHEAD}, ahead of this code" in answer.text
    for name in ("migrate", "up"):
        refused = filmloop(name, "--data-dir", str(tmp_path), url=database_url)
        assert refused.returncode == 1
        said = refused.stdout + refused.stderr
        assert f"is {AHEAD}, ahead of this code" in said
        assert "Traceback" not in said
    with engine.connect() as connection:
        assert current(connection) == AHEAD


def settings_of(url):
    return Settings(database=DatabaseSettings(url=url))
