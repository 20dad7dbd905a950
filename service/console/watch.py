"""`filmloop watch`: the tables that an instrument's software writes into a folder, sent on as they come."""

from __future__ import annotations

from pathlib import Path

import click

from filmloop_client.mapping import Mapping
from filmloop_client.watcher import Watcher
from filmloop_client.watching import SPOOL, Standing, look_on, look_once
from service.console.service import ask, json_option, say, url_option


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

    def tell(standing: Standing) -> None:
        say(standing.as_json(), standing.lines(with_rows=once), as_json=as_json)

    with (
        ask(url) as client,
        client.offline_instrument(campaign_id, mapping.instrument, spool or folder / SPOOL) as instrument,
    ):
        watcher = Watcher(folder, mapping, instrument.spool, campaign_id)
        if once:
            tell(found := look_once(watcher, instrument))
            raise SystemExit(int(not found.all_well))
        click.echo(f"watching {folder} for {mapping.instrument}; Ctrl-C ends it", err=True)
        look_on(watcher, instrument, tell)
