"""Records of every earlier version of the schema, brought forward and read through the API."""

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, func, select
from sqlalchemy.pool import NullPool

from benchmarks.keys import admit
from service.app import create_app
from service.settings import DatabaseSettings, Settings
from service.store.schema import _config, current, head, upgrade
from service.store.tables import Base
from tests.integration.conftest import serving
from tests.oracles.old_records import CAMPAIGN, FILM, MODEL, RELEASED, fill


def test_every_version_but_the_newest_has_a_record_here():
    versions = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    assert versions == {*RELEASED, head()}


def counts(connection, record):
    return {
        name: connection.execute(select(func.count()).select_from(Base.metadata.tables[name])).scalar_one()
        for name in record
    }


@pytest.fixture(params=sorted(RELEASED))
def version(request):
    return request.param


@pytest.fixture
def brought_forward(empty_database_url, version):
    """A record of an earlier version, in the schema of this one."""
    with create_engine(empty_database_url, poolclass=NullPool).connect() as connection:
        command.upgrade(_config(connection), version)
        assert fill(connection, version) == set()
        before = counts(connection, RELEASED[version])
        connection.rollback()
        upgrade(empty_database_url)
        assert current(connection) == head()
        connection.rollback()
        assert counts(connection, RELEASED[version]) == before
    admit(empty_database_url)
    return empty_database_url


def test_it_is_read_as_it_was_written(brought_forward, version, tmp_path):
    settings = Settings(database=DatabaseSettings(url=brought_forward), data_dir=tmp_path)
    here = f"/v1/campaigns/{CAMPAIGN}"

    def read(path):
        answer = client.get(path)
        assert answer.status_code == 200, f"{path}: {answer.text}"
        return answer.json()

    with serving(create_app(settings)) as client:
        assert (read(here)["state"], read(here)["config_revision"]) == ("active", 1)
        rows = read(f"{here}/dataset?revision=1")["rows"]
        assert [(r["uid"], r["value"], r["status"]) for r in rows] == [("u", 1.5, "ok"), ("v", None, "dead")]
        assert [r["composition"]["Fe"] for r in rows] == [1.0, 0.0]
        assert len(read(f"{here}/dataset")["rows"]) == (1 if version >= "0003" else 2)
        assert [p["state"] for p in read(f"{here}/proposals")["items"]] == ["made", "leased"]
        assert read("/v1/proposals/prp_b")["gain"] == 0.5
        assert (read(f"/v1/films/{FILM}")["robot"], read(f"/v1/films/{FILM}")["state"]) == ("ada", "made")
        assert read(f"/v1/model-versions/{MODEL}/posterior")["mean"] == [1.5]
        assert [e["type"] for e in read(f"{here}/events")["items"]] == ["batch.recorded"]
        for noun in ("instruments", "films", "model-versions", "retractions", "samples", "attachments", "prior-data"):
            read(f"{here}/{noun}")
        key = {"Idempotency-Key": "k2", "Lease-Token": "secret"}
        assert client.post("/v1/leases/lse_b/start", headers=key).status_code == 200


def test_it_can_be_taken_away_as_tables(brought_forward, tmp_path):
    settings = Settings(database=DatabaseSettings(url=brought_forward), data_dir=tmp_path)
    with serving(create_app(settings)) as client:
        for noun in ("dataset", "films", "proposals"):
            assert client.get(f"/v1/campaigns/{CAMPAIGN}/exports/{noun}").status_code == 200
