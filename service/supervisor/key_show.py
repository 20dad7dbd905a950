"""The command `filmloop key show`: at once, since it is run for each `curl`."""

from __future__ import annotations

import os
from pathlib import Path

import click

from service.supervisor.commands import data_dir_option, read_settings
from service.supervisor.key_file import key_file, read_key


@click.command("show")
@data_dir_option
def show_command(data_dir: Path | None) -> None:
    """Print the key that commands on this machine ask with: FILMLOOP_KEY, or that of the data directory."""
    settings = read_settings(data_dir)
    key = (None if data_dir else os.environ.get("FILMLOOP_KEY")) or read_key(settings.data_dir)
    if key is None:
        raise click.ClickException(
            f"there is no key in {key_file(settings.data_dir)}: `filmloop up` makes the first one; "
            "`filmloop key create` makes others"
        )
    click.echo(key)
