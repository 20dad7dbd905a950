"""The command `filmloop open`: the pages in the browser, let in with the key that is kept beside the record."""

from __future__ import annotations

import html
from pathlib import Path

import click

from service.supervisor.commands import data_dir_option, read_settings
from service.supervisor.key_file import read_key, write_secret
from service.supervisor.run_file import read_run_file


@click.command("open")
@click.option("--print", "print_only", is_flag=True, help="Print the address instead of opening it; it holds the key.")
@data_dir_option
def open_command(data_dir: Path | None, print_only: bool) -> None:
    """Open the pages of the Filmloop that runs here.

    The key stands behind the address' #, which a browser keeps to itself, in a file that only its owner may read.
    """
    folder = read_settings(data_dir).data_dir
    running = read_run_file(folder)
    if running is None:
        raise click.ClickException(f"no Filmloop runs in {folder}: `filmloop up` starts one")
    key = read_key(folder)
    address = f"{running['url']}/" if key is None else f"{running['url']}/login#{key}"
    if print_only or click.launch(str(_led_to(folder, address))) != 0:
        click.echo(address)


def _led_to(folder: Path, address: str) -> Path:
    """A file that leads to an address; everybody on the machine can read what a browser is started with."""
    path = (folder / "open.html").absolute()
    there = html.escape(address)
    write_secret(
        path,
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="referrer" content="no-referrer">\n'
        f'<meta http-equiv="refresh" content="0; url={there}"><title>Filmloop</title></head>\n'
        f'<body><p><a href="{there}">Filmloop</a></p></body></html>\n',
    )
    return path
