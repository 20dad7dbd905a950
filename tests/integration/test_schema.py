"""The schema in the database is the one that the code declares, and one process at a time brings it there."""

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from service.store.schema import _config, current, head, upgrade
from service.store.tables import Base, MeasurementRow, ModelVersionRow, ProposalRow


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


FIRST = """
insert into campaign (id, name) values ('c', 'wafer');
insert into campaign_config values ('c', 1, '{}', 1, null, 300, 600);
insert into job (id, campaign_id, kind, wanted_revision, state) values ('j', 'c', 'decide', 0, 'succeeded');
insert into artifact (sha256, size) values (repeat('a', 64), 1);
insert into model_version (id, campaign_id, job_id, artifact_sha256, kind, name, revision, snapshot_hash, seed, metrics,
    versions) values ('m', 'c', 'j', repeat('a', 64), 'surrogate', 'film_gp', 0, '', 1, '{}', '{}');
insert into proposal (id, campaign_id, job_id, config_revision, revision, rank, film, source, policy, reason,
    alternatives, provenance) values ('p', 'c', 'j', 1, 0, 0, '{}', 'random', 'random', '', '[]', '{}');
insert into film (id, campaign_id, proposal_id, robot, process, devices) values ('f', 'c', 'p', 'r', '{}', 2);
insert into instrument (id, campaign_id, name) values ('i', 'c', 'squid');
insert into measurement_batch (id, campaign_id, instrument_id, revision, accepted, duplicates)
    values ('b', 'c', 'i', 1, 2, 0);
insert into measurement (id, campaign_id, batch_id, instrument_id, film_id, device, uid, property, unit, value, status,
    measured_at, revision, row_hash) values
    ('1', 'c', 'b', 'i', 'f', 0, 'u', 'm', 'T', 1.5, 'ok', now(), 1, ''),
    ('2', 'c', 'b', 'i', 'f', 1, 'v', 'm', 'T', null, 'dead', now(), 1, '');
"""
"""A record as the first version of the schema kept it."""


def test_a_record_of_the_first_version_is_brought_forward(empty_database_url):
    with create_engine(empty_database_url, poolclass=NullPool).connect() as connection:
        command.upgrade(_config(connection), "0001")
        connection.execute(text(FIRST))
        connection.commit()
    upgrade(empty_database_url)
    engine = create_engine(empty_database_url, poolclass=NullPool)
    with Session(engine) as session:
        proposal, model = session.get_one(ProposalRow, "p"), session.get_one(ModelVersionRow, "m")
        read, dead = session.get_one(MeasurementRow, "1"), session.get_one(MeasurementRow, "2")
        assert (proposal.pairs, proposal.cost, model.insights) == ([], None, None)
        assert (read.value, read.replicates, dead.status) == (1.5, None, "dead")
        read.status = "above_limit"
        session.commit()
        read.replicates = 3
        with pytest.raises(IntegrityError, match="ck_measurement_replicates"):
            session.commit()


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
