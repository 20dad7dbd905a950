"""The database's schema: bring it up to date, and say where it stands. Migrations are run by one process at a time."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

import migrations
from service.errors import Unavailable

_LOCK = "select pg_advisory_lock(hashtextextended('filmloop.migrate', 0))"
_UNLOCK = "select pg_advisory_unlock(hashtextextended('filmloop.migrate', 0))"


def upgrade(url: str, wait_s: int = 60) -> None:
    """Bring the schema to the newest version; a second process waits for the first and then finds nothing to do.

    Args:
        url: `postgresql+psycopg://...`.
        wait_s: Seconds to wait for another process that migrates.

    Raises:
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
            connection.commit()
            command.upgrade(_config(connection), "head")
        finally:
            connection.rollback()
            connection.execute(text(_UNLOCK))
            connection.commit()


def head() -> str:
    """The newest version that this code knows."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    if revision is None:
        raise Unavailable("the installation holds no migrations")
    return revision


def current(connection: Connection) -> str | None:
    """The version of the schema in the database; none if it was never migrated."""
    return MigrationContext.configure(connection).get_current_revision()


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__path__[0])).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
