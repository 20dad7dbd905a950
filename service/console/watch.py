"""`filmloop watch`: the tables that an instrument's software writes into a folder, sent on as they come."""

from __future__ import annotations

import time
from pathlib import Path

import click

from filmloop_client.mapping import Mapping
from filmloop_client.offline import OfflineInstrument
from filmloop_client.watcher import Watcher
from service.console.service import ask, json_option, say, url_option

LOOK_S = 1.0
"""Pause between two looks at the folder."""
FLUSH_S = 60.0
"""How long `--once` waits for what it found to be stored."""


@click.command("watch")
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "--mapping",
    "-m",
    "mapping_file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    required=True,
    help="TOML: which column is what.",
)
@click.option("--campaign", help="Id of the campaign.  [default: what the mapping says]")
@click.option(
    "--spool",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where readings wait until they are stored.  [default: .filmloop in FOLDER]",
)
@click.option("--once", is_flag=True, help="Take what is there, and end when it is stored.")
@url_option
@json_option
def watch_command(
    *, folder: Path, mapping_file: Path, campaign: str | None, spool: Path | None, once: bool, url: str, as_json: bool
) -> None:
    """Send every row of the tables in FOLDER to Filmloop, once, as the instrument's software writes them.

    Half-written files are read to their last whole line. Rows that cannot be readings, or that Filmloop refuses, are
    set aside with the reason. The network may come and go, and this command may be stopped and started again.
    """
    try:
        mapping = Mapping.load(mapping_file)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    campaign_id = campaign or mapping.campaign
    if campaign_id is None:
        raise click.UsageError("name the campaign: --campaign, or `campaign = …` in the mapping")
    with (
        ask(url) as client,
        client.offline_instrument(campaign_id, mapping.instrument, spool or folder / ".filmloop") as instrument,
    ):
        watcher = Watcher(folder, mapping, instrument.spool, campaign_id)
        if once:
            _once(watcher, instrument, as_json=as_json)
            return
        click.echo(f"watching {folder} for {mapping.instrument}; Ctrl-C ends it", err=True)
        _on(watcher, instrument, as_json=as_json)


def _once(watcher: Watcher, instrument: OfflineInstrument, *, as_json: bool) -> None:
    watcher.look(settled=True)
    instrument.flush(FLUSH_S)
    _tell(watcher, instrument, as_json=as_json)
    for entry in instrument.aside():
        click.echo(f"  aside {entry.number}: {entry.reason}  {entry.row}", err=True)
    for name, reason in watcher.unreadable.items():
        click.echo(f"  {name}: {reason}", err=True)
    if instrument.waiting or instrument.aside() or watcher.unreadable:
        raise SystemExit(1)


def _on(watcher: Watcher, instrument: OfflineInstrument, *, as_json: bool) -> None:
    """Look again and again; say a line whenever something changed."""
    before: tuple[object, ...] = ()
    while True:
        watcher.look()
        now = (instrument.waiting, len(instrument.aside()), instrument.trouble, tuple(watcher.unreadable.items()))
        if now != before:
            _tell(watcher, instrument, as_json=as_json)
            before = now
        time.sleep(LOOK_S)


def _tell(watcher: Watcher, instrument: OfflineInstrument, *, as_json: bool) -> None:
    told = {
        "waiting": instrument.waiting,
        "aside": len(instrument.aside()),
        "trouble": instrument.trouble,
        "unreadable": dict(watcher.unreadable),
    }
    line = f"{told['waiting']} readings wait, {told['aside']} set aside"
    if told["trouble"] and told["waiting"]:
        line += f"; {instrument.trouble}"
    if watcher.unreadable:
        line += f"; unreadable: {', '.join(watcher.unreadable)}"
    say(told, line, as_json=as_json)
