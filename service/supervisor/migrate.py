"""The command `migrate`; apart from `up`, which starts sooner without the database's libraries."""

from __future__ import annotations

import json
from pathlib import Path

import click

from service.errors import NoKeys
from service.operations import keys
from service.settings import Settings
from service.store import schema
from service.store.session import make_engine, make_sessions
from service.supervisor.commands import data_dir_option, read_settings
from service.supervisor.database import database_at, told_plainly
from service.supervisor.key_file import keep_key
from service.supervisor.programs import NO_KEYS


@click.command()
@click.option("--first-key", is_flag=True, hidden=True, help="Make a key if there was never one, as `up` does.")
@click.option("--json", "as_json", is_flag=True, help="Say it as JSON.")
@data_dir_option
def migrate(data_dir: Path | None, first_key: bool, as_json: bool) -> None:
    """Bring the database's schema up to date."""
    settings = read_settings(data_dir)
    with told_plainly(), database_at(settings) as url:
        schema.upgrade(url)
        if first_key:
            try:
                _see_to_keys(url, settings)
            except NoKeys as error:
                click.echo(str(error), err=True)
                raise SystemExit(NO_KEYS) from error
    line = f"the schema is at {schema.head()}, the newest version"
    click.echo(json.dumps({"schema": schema.head()}) if as_json else line)


def _see_to_keys(url: str, settings: Settings) -> None:
    """Make the first key, unless the API will listen beyond this machine: then an operator must have made one.

    Raises:
        NoKeys: If there is none.
    """
    engine = make_engine(url, pool_size=1)
    try:
        with make_sessions(engine).begin() as session:
            if not settings.api.on_loopback:
                keys.refuse_without(session, settings.api.host)
            elif (made := keys.first(session)) is not None:
                keep_key(settings.data_dir, made.secret)
    finally:
        engine.dispose()
