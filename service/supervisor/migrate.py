"""The command `migrate`; apart from `up`, which starts sooner without the database's libraries."""

from __future__ import annotations

from pathlib import Path

import click

from service.store import schema
from service.supervisor.commands import data_dir_option, read_settings
from service.supervisor.database import database_at, told_plainly


@click.command()
@data_dir_option
def migrate(data_dir: Path | None) -> None:
    """Bring the database's schema up to date."""
    settings = read_settings(data_dir)
    with told_plainly(), database_at(settings) as url:
        schema.upgrade(url)
    click.echo(f"the schema is at {schema.head()}, the newest version")
