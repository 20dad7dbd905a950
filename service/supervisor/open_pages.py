"""The command `filmloop open`: the pages in the browser, let in with the key that is kept beside the record."""

from __future__ import annotations

from pathlib import Path

import click

from service.supervisor.commands import data_dir_option, read_settings
from service.supervisor.key_file import read_key
from service.supervisor.run_file import read_run_file


@click.command("open")
@click.option("--print", "print_only", is_flag=True, help="Print the address instead of opening it; it holds the key.")
@data_dir_option
def open_command(data_dir: Path | None, print_only: bool) -> None:
    """Open the pages of the Filmloop that runs here.

    The key stands behind the address' #, which a browser keeps to itself.
    """
    folder = read_settings(data_dir).data_dir
    running = read_run_file(folder)
    if running is None:
        raise click.ClickException(f"no Filmloop runs in {folder}: `filmloop up` starts one")
    key = read_key(folder)
    address = f"{running['url']}/" if key is None else f"{running['url']}/login#{key}"
    if print_only or click.launch(address) != 0:
        click.echo(address)
