"""The command `database` tells Postgres' tools where the database is, and ends as they end."""

import pytest
from click.testing import CliRunner

from service.supervisor.database import address, database


@pytest.mark.parametrize(
    ("url", "told"),
    [
        (
            "postgresql+psycopg://ada:se%40cret@db.lab:5433/films?sslmode=require",
            {
                "PGHOST": "db.lab",
                "PGPORT": "5433",
                "PGUSER": "ada",
                "PGPASSWORD": "se@cret",
                "PGDATABASE": "films",
                "PGSSLMODE": "require",
            },
        ),
        (
            "postgresql+psycopg://filmloop@/filmloop?host=%2Fdata%2Frun&port=5432",
            {"PGHOST": "/data/run", "PGPORT": "5432", "PGUSER": "filmloop", "PGDATABASE": "filmloop"},
        ),
    ],
)
def test_an_address_is_told_part_by_part(url, told):
    assert address(url) == told


@pytest.mark.parametrize("tool", ["rm", "../bin/psql", "/bin/sh", ""])
def test_only_tools_of_postgres_are_run(tool):
    done = CliRunner().invoke(database, [tool, "--version"])
    assert done.exit_code == 1
    assert "there is no tool" in done.stderr
    assert "pg_restore" in done.stderr


def test_it_ends_as_the_tool_ends(tmp_path):
    nowhere = {"FILMLOOP_DATABASE__URL": f"postgresql+psycopg://nobody@/x?host={tmp_path}"}
    assert CliRunner().invoke(database, ["psql", "--version"], env=nowhere).exit_code == 0
    assert CliRunner().invoke(database, ["psql", "--command", "select 1"], env=nowhere).exit_code == 2
