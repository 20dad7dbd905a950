"""How alembic reaches the database: over the connection it is handed, else by FILMLOOP_DATABASE__URL."""

from alembic import context
from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import NullPool

from service.settings import Settings
from service.store.tables import Base


def _migrate(connection: Connection) -> None:
    # One transaction for everything: a schema is the old or the new one, never something between.
    context.configure(connection=connection, target_metadata=Base.metadata, compare_server_default=True)
    with context.begin_transaction():
        context.run_migrations()


def _run() -> None:
    handed: Connection | None = context.config.attributes.get("connection")
    if handed is not None:
        _migrate(handed)
        return
    url = Settings().database.url
    if url is None:
        raise SystemExit("set FILMLOOP_DATABASE__URL to the database that alembic shall look at")
    with create_engine(url, poolclass=NullPool).connect() as connection:
        _migrate(connection)


_run()
