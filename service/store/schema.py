"""The database's schema: bring it up to date, and say where it stands. Migrations are run by one process at a time."""

import functools
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.event import listens_for
from sqlalchemy.pool import NullPool

import migrations
from service.errors import SchemaMismatch, Unavailable

FORGETFUL = "synchronous_commit is off, so a crash would lose what was acknowledged: set it to on"
"""What is wrong with a database that answers before it has written."""
_LOCK = "select pg_advisory_lock(hashtextextended('filmloop.migrate', 0))"
_UNLOCK = "select pg_advisory_unlock(hashtextextended('filmloop.migrate', 0))"


def upgrade(url: str, wait_s: int = 60) -> None:
    """Bring the schema to the newest version; a second process waits for the first and then finds nothing to do.

    Args:
        url: `postgresql+psycopg://...`.
        wait_s: Seconds to wait for another process that migrates.

    Raises:
        SchemaMismatch: If the schema is ahead of this code; nothing is changed.
        sqlalchemy.exc.OperationalError: If the other process takes longer, or the database cannot be reached.
    """
    engine = create_engine(url, poolclass=NullPool, connect_args={"connect_timeout": 5})
    with engine.connect() as connection:
        connection.execute(text(f"set lock_timeout = '{int(wait_s)}s'"))
        connection.execute(text(_LOCK))
        connection.commit()
        try:
            # From here on a lock that does not come soon means that a client is in the way: fail, do not queue.
            connection.execute(text("set lock_timeout = '10s'"))
            refuse_ahead(current(connection))
            connection.commit()
            command.upgrade(_config(connection), "head")
        finally:
            connection.rollback()
            connection.execute(text(_UNLOCK))
            connection.commit()


@functools.cache
def head() -> str:
    """The newest version that this code knows."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    if revision is None:
        raise Unavailable("the installation holds no migrations")
    return revision


def mismatch(version: str | None) -> str | None:
    """What is wrong with the schema of a database and how to mend it; none if it is the one that this code needs.

    Args:
        version: Of the schema; none if there is none.
    """
    wanted = head()
    if version == wanted:
        return None
    if version is None:
        return f"is empty, this code needs {wanted}: run `filmloop migrate`"
    if version in _known():
        return f"is {version}, behind this code, which needs {wanted}: run `filmloop migrate`"
    return f"is {version}, ahead of this code, which knows {wanted} at most: upgrade Filmloop here"


def refuse_ahead(version: str | None) -> None:
    """Let no older code touch a newer schema.

    Raises:
        SchemaMismatch: If this code does not know the version.
    """
    if version is not None and version not in _known():
        raise SchemaMismatch(f"the database's schema {mismatch(version)}; nothing was changed")


def refuse_other(engine: Engine) -> None:
    """Let no connection be opened that would work on another schema than this code's: each is asked once.

    A statement that needs one then fails with SchemaMismatch, which says whether the schema is ahead or behind. A
    database that acknowledges before it has written is refused as well: what was acknowledged must survive a crash.
    """

    @listens_for(engine, "connect")
    def ask(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's own
        try:
            _refuse_forgetful(connection)
            _refuse(mismatch(_version(connection)))
            connection.rollback()
        except BaseException:
            connection.close()
            raise


def _refuse(wrong: str | None) -> None:
    if wrong is not None:
        raise SchemaMismatch(f"the database's schema {wrong}")


def _refuse_forgetful(connection: Any) -> None:  # noqa: ANN401 - the driver's own
    with connection.cursor() as cursor:
        (value,) = cursor.execute("show synchronous_commit").fetchone()
    if value == "off":
        raise Unavailable(FORGETFUL)


def _version(connection: Any) -> str | None:  # noqa: ANN401 - the driver's own
    with connection.cursor() as cursor:
        (migrated,) = cursor.execute("select to_regclass('alembic_version') is not null").fetchone()
        row = cursor.execute("select version_num from alembic_version").fetchone() if migrated else None
    return None if row is None else str(row[0])


@functools.cache
def _known() -> frozenset[str]:
    return frozenset(script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions())


def current(connection: Connection) -> str | None:
    """The version of the schema in the database; none if it was never migrated."""
    return MigrationContext.configure(connection).get_current_revision()


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__path__[0])).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
