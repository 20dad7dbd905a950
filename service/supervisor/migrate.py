"""The command `migrate`; apart from `up`, which starts sooner without the database's libraries."""

from __future__ import annotations

from pathlib import Path

import click
from sqlalchemy.exc import OperationalError

from service.embedded import CannotStart, start_postgres
from service.errors import SchemaMismatch
from service.store import schema
from service.supervisor.commands import data_dir_option, read_settings
from service.supervisor.run_file import read_run_file


@click.command()
@data_dir_option
def migrate(data_dir: Path | None) -> None:
    """Bring the database's schema up to date."""
    settings = read_settings(data_dir)
    url = settings.database.url or (read_run_file(settings.data_dir) or {}).get("database")
    try:
        if url is None:
            with start_postgres(settings.data_dir) as server:
                schema.upgrade(server.url)
        else:
            schema.upgrade(url)
    except (CannotStart, OperationalError, SchemaMismatch) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"the schema is at {schema.head()}, the newest version")
