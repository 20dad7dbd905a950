"""The commands `export` and `import`: a campaign as one file, straight from and into the database, however large."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from service.operations import campaigns, datasets
from service.operations.archive.pack import pack
from service.operations.archive.unpack import unpack
from service.settings import Settings
from service.store import schema
from service.store.session import Sessions, make_engine, make_sessions
from service.supervisor.commands import data_dir_option, read_settings
from service.supervisor.database import database_at, told_plainly
from service.supervisor.patience import shown

as_json = click.option("--json", "json_wanted", is_flag=True, help="Say what was done as one JSON object.")


@click.command("export")
@click.argument("campaign")
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file to write.  [default: CAMPAIGN.zip here]",
)
@click.option("--overwrite", is_flag=True, help="Replace the file if it is there.")
@as_json
@data_dir_option
def export_command(
    campaign: str, output: Path | None, overwrite: bool, json_wanted: bool, data_dir: Path | None
) -> None:
    """Write all of CAMPAIGN, named by its id, as one zip file.

    The file holds tables for people, every model and array, and the record itself, which `filmloop import` reads.
    Filmloop may run meanwhile: the file is the campaign at one moment.
    """
    path = output or Path(f"{campaign}.zip")
    if path.exists() and not overwrite:
        raise click.ClickException(f"{path} is there already; choose another --output, or say --overwrite")
    settings = read_settings(data_dir)
    with told_plainly(), record(settings) as sessions:
        part = path.with_name(f".{path.name}.part")
        try:
            with sessions() as session, part.open("wb") as file:
                session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
                found = campaigns.get(session, campaign)
                snapshot_hash = datasets.read(session, campaign, limit=1).snapshot_hash
                with shown(f"writing {path}", part):
                    pack(session, campaign, settings.artifacts_dir, file)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    size = path.stat().st_size
    told = {"campaign": found.id, "name": found.name, "revision": found.revision, "snapshot_hash": snapshot_hash}
    line = f"{path}: campaign {found.id} ({found.name}) at revision {found.revision}, {size:,} bytes"
    _say(told | {"file": str(path), "bytes": size}, line, json_wanted)


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@as_json
@data_dir_option
def import_command(file: Path, json_wanted: bool, data_dir: Path | None) -> None:
    """Read a campaign from FILE, which `filmloop export` or the API wrote.

    Every id, revision and hash stays as it was. A campaign that was running is paused: its robots are elsewhere. A
    campaign that is here already is refused, and so is a file that is damaged; then nothing is written.
    """
    settings = read_settings(data_dir)
    with told_plainly(), record(settings) as sessions, file.open("rb") as archive:
        with sessions.begin() as session, shown(f"reading {file}"):
            found = unpack(session, archive, settings.artifacts_dir)
        with sessions.begin() as session:
            snapshot_hash = datasets.read(session, found.id, limit=1).snapshot_hash
    told = {"campaign": found.id, "name": found.name, "state": found.state, "revision": found.revision}
    line = f"campaign {found.id} ({found.name}) is here at revision {found.revision}, {found.state}"
    _say(told | {"snapshot_hash": snapshot_hash}, line, json_wanted)


def _say(told: dict[str, object], line: str, json_wanted: bool) -> None:
    click.echo(json.dumps(told, ensure_ascii=False) if json_wanted else line)


@contextmanager
def record(settings: Settings) -> Iterator[Sessions]:
    """Sessions on the database of a running Filmloop, on the one of the settings, or on the embedded one."""
    with database_at(settings) as url:
        engine = make_engine(url, pool_size=1)
        schema.refuse_other(engine)
        try:
            yield make_sessions(engine)
        finally:
            engine.dispose()
