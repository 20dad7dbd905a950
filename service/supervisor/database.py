"""Which database the commands work on, and the command `database`: Postgres' own tools with the right address."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import click
from sqlalchemy import make_url

from service.embedded import CannotStart, start_postgres
from service.embedded.postgres import find_binaries
from service.settings import Settings
from service.supervisor.commands import data_dir_option, read_settings
from service.supervisor.run_file import read_run_file

OTHERWISE = {"username": "PGUSER"}
"""Where Postgres' tools read a part of an address that they do not name as we do."""


@contextmanager
def database_at(settings: Settings) -> Iterator[str]:
    """The address of the settings' database, of a running Filmloop's, or of the embedded one, started for a while.

    Raises:
        CannotStart: If the embedded one does not come up.
    """
    url = settings.database.url or (read_run_file(settings.data_dir) or {}).get("database")
    if url is not None:
        yield url
        return
    with start_postgres(settings.data_dir) as server:
        yield server.url


@click.command("database", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@data_dir_option
@click.argument("tool")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def database(data_dir: Path | None, tool: str, arguments: tuple[str, ...]) -> None:
    """Run a tool of Postgres, such as pg_dump, pg_restore or psql, on Filmloop's database.

    The tool is told where the database is. If nothing runs, the embedded database is started for as long as it takes.
    """
    try:
        binaries = find_binaries()
        path = binaries / tool
        if Path(tool).name != tool or not path.is_file():
            known = ", ".join(sorted(found.name for found in binaries.glob("p*")))
            raise click.ClickException(f"there is no tool {tool!r}; there are {known}")
        with database_at(read_settings(data_dir)) as url:
            done = subprocess.run(  # noqa: S603 - the operator's own command
                [path, *arguments], env=os.environ | address(url), check=False
            )
    except CannotStart as error:
        raise click.ClickException(str(error)) from error
    raise SystemExit(done.returncode)


def address(url: str) -> Mapping[str, str]:
    """An address as Postgres' tools read it from their environment."""
    parts = make_url(url)
    said = parts.translate_connect_args() | {name: str(value) for name, value in parts.query.items()}
    return {OTHERWISE.get(name, f"PG{name.upper()}"): str(value) for name, value in said.items()}
