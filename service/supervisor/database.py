"""Which database the commands work on, and the command `database`: Postgres' own tools with the right address."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import click
from sqlalchemy import make_url
from sqlalchemy.exc import SQLAlchemyError

from service.embedded import CannotStart, start_postgres
from service.embedded.postgres import find_binaries
from service.errors import ServiceError
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


@contextmanager
def told_plainly() -> Iterator[None]:
    """What an operator can mend is said in a line and ends with exit status 1.

    Raises:
        click.ClickException: In the place of what went wrong.
    """
    try:
        yield
    except (CannotStart, ServiceError) as error:
        raise click.ClickException(str(error)) from error
    except SQLAlchemyError as error:
        cause = str(getattr(error, "orig", None) or error).strip().splitlines()
        raise click.ClickException(f"the database: {cause[0] if cause else type(error).__name__}") from error
    except OSError as error:
        raise click.ClickException(f"{error.filename or 'a file'}: {error.strerror or error}") from error


@click.command("database", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@data_dir_option
@click.argument("tool")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def database(data_dir: Path | None, tool: str, arguments: tuple[str, ...]) -> None:
    """Run a tool of Postgres, such as pg_dump, pg_restore or psql, on Filmloop's database.

    The tool is told where the database is. If nothing runs, the embedded database is started for as long as it takes.
    """
    with told_plainly():
        binaries = find_binaries()
        path = binaries / tool
        if Path(tool).name != tool or not path.is_file():
            known = ", ".join(sorted(found.name for found in binaries.glob("p*")))
            raise click.ClickException(f"there is no tool {tool!r}; there are {known}")
        with database_at(read_settings(data_dir)) as url:
            done = subprocess.run(  # noqa: S603 - the operator's own command
                [path, *arguments], env=os.environ | address(url), check=False
            )
    raise SystemExit(done.returncode)


def address(url: str) -> Mapping[str, str]:
    """An address as Postgres' tools read it from their environment."""
    parts = make_url(url)
    said = parts.translate_connect_args() | {name: str(value) for name, value in parts.query.items()}
    return {OTHERWISE.get(name, f"PG{name.upper()}"): str(value) for name, value in said.items()}
