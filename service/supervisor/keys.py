"""The commands of `filmloop key` that work on the database itself: whoever may run them needs no key."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from service.operations import keys
from service.operations.keys import ROLES, SCOPES, Key, Made, Role, Scope
from service.settings import Settings
from service.supervisor.archives import as_json, record
from service.supervisor.commands import data_dir_option, read_settings
from service.supervisor.database import told_plainly
from service.supervisor.key_file import keep_key, key_file, read_key

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


class Duration(click.ParamType[timedelta]):
    """A time such as 90d, 12h, 15m or 0s."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """The time as Python has it."""
        found = re.fullmatch(r"(\d{1,9})([smhd])", str(value))
        if found is None:
            self.fail(f"{value!r} is not like 90d, 12h, 15m or 0s", param, ctx)
        return timedelta(seconds=int(found[1]) * _UNITS[found[2]])


_LASTS = "How long it is good, e.g. 90d."


@click.command("create")
@click.option("--name", required=True, help="What people call it.")
@click.option("--role", "roles", type=click.Choice(list(ROLES)), multiple=True, help="Scopes that such a holder needs.")
@click.option("--scope", "scopes", type=click.Choice(SCOPES), multiple=True, help="One scope more.")
@click.option("--campaign", "campaigns", multiple=True, help="Id of a campaign; may be repeated.  [default: all]")
@click.option("--expires-in", type=Duration(), help=f"{_LASTS}  [default: for ever]")
@click.option("--keep", is_flag=True, help="Let commands and clients on this machine ask with it.")
@as_json
@data_dir_option
def create_command(
    *,
    name: str,
    roles: Sequence[Role],
    scopes: Sequence[Scope],
    campaigns: Sequence[str],
    expires_in: timedelta | None,
    keep: bool,
    json_wanted: bool,
    data_dir: Path | None,
) -> None:
    """Make a key and print it, this once."""
    settings = read_settings(data_dir)
    wanted = {*scopes, *(scope for role in roles for scope in ROLES[role])}
    if not wanted:
        raise click.UsageError("say what it is good for, with --role or --scope")
    with told_plainly(), record(settings) as sessions, sessions.begin() as session:
        made = keys.create(session, name, wanted, campaigns=list(campaigns) or None, expires_at=_end(expires_in))
    if keep:
        keep_key(settings.data_dir, made.secret)
    _say_secret(made, json_wanted)


@click.command("rotate")
@click.argument("key_id")
@click.option(
    "--overlap", type=Duration(), default="24h", show_default=True, help="How long the old one is good still."
)
@click.option("--expires-in", type=Duration(), help=f"{_LASTS}  [default: as long as the old one]")
@as_json
@data_dir_option
def rotate_command(
    key_id: str, overlap: timedelta, expires_in: timedelta | None, json_wanted: bool, data_dir: Path | None
) -> None:
    """Make a key in the place of KEY_ID and print it; the old one ends after the overlap."""
    settings = read_settings(data_dir)
    with told_plainly(), record(settings) as sessions, sessions.begin() as session:
        made = keys.rotate(session, key_id, overlap=overlap, expires_at=_end(expires_in))
    _follow_here(settings, key_id, made)
    _say_secret(made, json_wanted)


@click.command("revoke")
@click.argument("key_id")
@as_json
@data_dir_option
def revoke_command(key_id: str, json_wanted: bool, data_dir: Path | None) -> None:
    """Let KEY_ID end now: it is refused everywhere within 5 s."""
    with told_plainly(), record(read_settings(data_dir)) as sessions, sessions.begin() as session:
        revoked = keys.revoke(session, key_id)
    told = json.dumps({"id": revoked.id, "name": revoked.name, "revoked": True})
    click.echo(told if json_wanted else f"key {revoked.id} ({revoked.name}) is revoked")


@click.command("list")
@as_json
@data_dir_option
def list_command(json_wanted: bool, data_dir: Path | None) -> None:
    """Show every key, valid or not; never a secret."""
    with told_plainly(), record(read_settings(data_dir)) as sessions, sessions() as session:
        found = keys.page(session, None, None)
    if json_wanted:
        click.echo(json.dumps([_told(key) for key in found], ensure_ascii=False))
        return
    lines = [("id", "state", "last used", "expires", "campaigns", "scopes", "name"), *(_line(key) for key in found)]
    widths = [max(len(line[k]) for line in lines) for k in range(6)]
    for line in lines:
        click.echo("  ".join([*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[-1]]))


def _line(key: Key) -> tuple[str, ...]:
    campaigns = "all" if key.campaigns is None else str(len(key.campaigns))
    scopes = "all" if key.scopes == SCOPES else ",".join(key.scopes)
    return (key.id, key.state, _minute(key.last_used_at), _minute(key.expires_at), campaigns, scopes, key.name)


def _minute(at: datetime | None) -> str:
    return "never" if at is None else at.astimezone(UTC).strftime("%Y-%m-%d %H:%M")


def _told(key: Key) -> dict[str, object]:
    times = ("created_at", "expires_at", "revoked_at", "last_used_at")
    told = {name: getattr(key, name) for name in ("id", "name", "state", "scopes", "campaigns", "rotated_from")}
    return told | {name: None if (at := getattr(key, name)) is None else at.isoformat() for name in times}


def _say_secret(made: Made, json_wanted: bool) -> None:
    if json_wanted:
        click.echo(json.dumps(_told(made.key) | {"secret": made.secret}, ensure_ascii=False))
        return
    click.echo(made.secret)
    until = "for ever" if made.key.expires_at is None else f"until {_minute(made.key.expires_at)} UTC"
    click.echo(f"key {made.key.id} ({made.key.name}), good {until}; it is not shown again", err=True)


def _end(lasts: timedelta | None) -> datetime | None:
    return None if lasts is None else datetime.now(UTC) + lasts


def _follow_here(settings: Settings, old_id: str, made: Made) -> None:
    """Let commands and clients on this machine ask with the new key, if the old one was theirs."""
    kept = read_key(settings.data_dir)
    if kept is not None and kept.startswith(f"flp_{old_id}_"):
        keep_key(settings.data_dir, made.secret)
        click.echo(f"{key_file(settings.data_dir)} holds the new key now", err=True)
