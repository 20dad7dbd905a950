"""Which Filmloop a command asks, and how it says what it found."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click
import psutil

from filmloop_client import Client, keys

Command = TypeVar("Command", bound=Callable[..., Any])


def _running_here() -> dict[str, str | None]:
    """Address and key of each Filmloop that runs on this user's data: the usual one, and the demo's."""
    found = {}
    for folder in (keys.data_dir(), keys.data_dir() / "demo"):
        try:
            facts = json.loads((folder / "run.json").read_text(encoding="utf-8"))
            if psutil.pid_exists(facts["pid"]):
                key = folder / keys.FILE
                found[str(facts["url"])] = key.read_text(encoding="utf-8").strip() if key.exists() else None
        except (OSError, ValueError, KeyError, TypeError):
            continue  # none runs there, or it is just being started
    return found


def _here() -> str:
    return next(iter(_running_here()), "http://127.0.0.1:8000")


url_option = click.option(
    "--url",
    envvar="FILMLOOP_URL",
    default=_here,
    show_default="the Filmloop that runs here",
    show_envvar=True,
    help="Where Filmloop runs.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Say it as JSON.")


def asks(command: Command) -> Command:
    """The options that every command here has: which Filmloop, and JSON."""
    return url_option(json_option(command))


PATIENCE_S = 10.0
"""How long a command tries, if nobody answers."""


def ask(url: str, *, patience_s: float | None = None) -> Client:
    """A client; the key is the environment's `FILMLOOP_KEY`, or that of the Filmloop on this machine."""
    key = None if os.environ.get("FILMLOOP_KEY") else _running_here().get(url.rstrip("/"))
    return Client(url, key=key, patience=PATIENCE_S if patience_s is None else patience_s)


def say(found: Mapping[str, Any] | Sequence[Mapping[str, Any]], lines: Sequence[str] | str, *, as_json: bool) -> None:
    """Print what was found: as JSON on one line, or for people."""
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False, default=str))
        return
    for line in [lines] if isinstance(lines, str) else lines:
        click.echo(line)


def table(rows: Sequence[Sequence[object]], header: Sequence[str]) -> list[str]:
    """Columns for people."""
    cells = [[str(cell) for cell in row] for row in [header, *rows]]
    widths = [max(len(row[k]) for row in cells) for k in range(len(header))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
