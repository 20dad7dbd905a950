"""The command `up`, and how every command here reads its settings."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import click
from pydantic import ValidationError

from service.embedded import CannotStart
from service.settings import Settings
from service.supervisor.key_file import key_file
from service.supervisor.running import supervised
from service.supervisor.stack import Stack

data_dir_option = click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    help="Where everything is kept.  [default: the user's data directory]",
)


@click.command()
@data_dir_option
@click.option("--host", help="Address to listen on; beyond this machine it takes a key.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(1, 65535), help="Port to listen on.  [default: 8000, or a free one]")
@click.option("--workers", type=click.IntRange(0, 64), default=1, show_default=True, help="Worker processes.")
@click.option("--log-json", is_flag=True, help="Write the log as one JSON object per line.")
def up(data_dir: Path | None, host: str | None, port: int | None, workers: int, log_json: bool) -> None:
    """Run everything: database, broker, API, workers, housekeeping."""
    settings = read_settings(data_dir, host=host, port=port, log_json=log_json)
    signals: SimpleQueue[int] = SimpleQueue()  # an Event may not be set in a handler: it could wait for itself
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda caught, _frame: signals.put(caught))
    try:
        with supervised(Stack(settings, workers=workers, terminal=sys.stderr)) as stack:
            _follow(stack, signals)
    except CannotStart as error:
        raise click.ClickException(str(error)) from error


def _follow(stack: Stack, signals: SimpleQueue[int]) -> None:
    """Say when all is ready; pass on what the operator wants: the first signal stops, the second cuts."""
    welcomed = False
    while not stack.ended.is_set():
        with suppress(Empty):
            signals.get(timeout=0.1)
            (stack.hurry if stack.stopping.is_set() else stack.stopping).set()
        if stack.ready.is_set() and not welcomed:
            click.echo(_welcome(stack))
            welcomed = True


def _welcome(stack: Stack) -> str:
    width = 9
    facts = {
        "API": f"{stack.url}  (it was ready after {stack.api_ready_s:.1f} s)",
        "pages": f"{stack.url}/  (`filmloop open` lets you in)",
        "data": str(stack.settings.data_dir),
        "key": _about_key(stack),
        "log": str(stack.log_file),
        "to stop": f"press Ctrl-C here, or: kill {os.getpid()}",
    }
    lines = [f"  {name:<{width}} {text}" for name, text in facts.items()]
    return "\n".join(["", "Filmloop is running", *lines, ""])


def _about_key(stack: Stack) -> str:
    """The first key is shown once; of a later one only where it is."""
    path = key_file(stack.settings.data_dir)
    if stack.first_key is not None:
        return f"{stack.first_key}  (shown this once; kept in {path})"
    if path.exists():
        return f"in {path}; `filmloop key show` prints it"
    return f"none in {path}; `filmloop key create` makes one"


def read_settings(
    data_dir: Path | None, *, host: str | None = None, port: int | None = None, log_json: bool = False
) -> Settings:
    """Settings of the environment, with what the command line says on top.

    Raises:
        click.ClickException: If the environment holds a value that does not fit.
    """
    given: dict[str, Any] = {
        "data_dir": data_dir,
        "api": {"host": host, "port": port},
        "log": {"json": log_json or None},
    }
    try:
        return Settings(**_without_none(given))
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise click.ClickException(f"a setting (FILMLOOP_…) does not fit: {wrong}") from error


def _without_none(values: dict[str, Any]) -> dict[str, Any]:
    nested = {name: _without_none(value) if isinstance(value, dict) else value for name, value in values.items()}
    return {name: value for name, value in nested.items() if value is not None and value != {}}
