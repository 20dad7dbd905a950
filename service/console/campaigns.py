"""`filmloop campaign …`: look at campaigns, begin them, move them, give them data, follow them."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import click

from filmloop_client import Campaign, NotFound
from filmloop_client.answers import ProposedDevice
from service.console.service import ask, asks, json_option, say, table, url_option
from service.console.templates import TEMPLATES

ACTIONS = {
    "activate": "Open a draft to robots.",
    "pause": "Give out no more films; those in the making may be finished.",
    "resume": "Give out films again.",
    "drain": "Begin no more films; the campaign is over once those in the making are.",
    "complete": "End it: nothing is made any more. Late readings are taken all the same.",
    "abort": "End it at once; films in the making are given up.",
}
LOOK_S = 0.5
"""Pause between two questions whether a film is ready."""
campaign_argument = click.argument("campaign_id", metavar="CAMPAIGN")
table_argument = click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
check_option = click.option("--check", is_flag=True, help="Look only; store nothing.")


@click.command("list")
@asks
def list_command(url: str, as_json: bool) -> None:
    """Show every campaign."""
    with ask(url) as client:
        found = [campaign.latest for campaign in client.campaigns.list()]
    rows = [[c.id, c.state, c.films_made, c.revision, c.name] for c in found]
    lines = table(rows, ["id", "state", "films", "revision", "name"]) if rows else "no campaign yet"
    say([c.model_dump(mode="json", exclude={"problem"}) for c in found], lines, as_json=as_json)


@click.command("show")
@campaign_argument
@asks
def show_command(campaign_id: str, url: str, as_json: bool) -> None:
    """Show how a campaign stands: films, readings, and where the best is expected."""
    with ask(url) as client:
        campaign = client.campaigns.get(campaign_id)
        try:
            best = campaign.recommendation()
        except NotFound:  # no model yet
            best = None
    state, problem = campaign.latest, campaign.latest.problem
    lines = [
        f"{state.name} ({state.id})",
        f"  state     {state.state}, revision {state.revision}, {state.films_made} films",
        f"  seeks     {_sought(problem)} in {'-'.join(problem['space']['elements'])}",
    ]
    if best is not None:
        fractions = " ".join(f"{name} {value:.3f}" for name, value in best.composition.items())
        lines.append(f"  best      {best.mean:.4g} ± {best.sd:.2g} {best.unit} expected at {fractions}")
        within = best.chance_within_tolerance
        lines.append(
            f"            the best with probability {best.probability_best:.2f}"
            if within is None
            else f"            within the tolerance of the target with probability {within:.2f}"
        )
    told = state.model_dump(mode="json") | {"best": None if best is None else best.model_dump(mode="json")}
    say(told, lines, as_json=as_json)


@click.command("create")
@click.argument("name")
@click.option(
    "--problem", "-p", "file", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="JSON of the problem."
)
@click.option("--template", type=click.Choice(list(TEMPLATES)), help="Begin with a ready problem instead.")
@click.option("--films", type=click.IntRange(min=1), help="Budget of films.")
@click.option("--queue-depth", type=click.IntRange(1, 64), default=1, show_default=True, help="Films decided ahead.")
@click.option("--activate", is_flag=True, help="Open it to robots at once.")
@asks
def create_command(
    *,
    name: str,
    file: Path | None,
    template: str | None,
    films: int | None,
    queue_depth: int,
    activate: bool,
    url: str,
    as_json: bool,
) -> None:
    """Begin a campaign called NAME, as a draft.

    The problem says what is sought and where; `filmloop campaign template` prints one to begin with.
    """
    if (file is None) == (template is None):
        raise click.UsageError("give either --problem FILE or --template")
    problem = TEMPLATES[template] if template is not None else _read(file)
    with ask(url) as client:
        campaign = client.campaigns.create(name, problem, queue_depth=queue_depth, films=films)
        if activate:
            campaign.activate()
    _said(campaign, as_json=as_json)


@click.command("template")
@click.argument("name", type=click.Choice(list(TEMPLATES)), default=next(iter(TEMPLATES)))
def template_command(name: str) -> None:
    """Print a problem to begin with, as JSON."""
    click.echo(json.dumps(TEMPLATES[name], indent=2, ensure_ascii=False))


def action_command(action: str) -> click.Command:
    """The command that moves a campaign by an action."""

    @click.command(action, help=ACTIONS[action])
    @campaign_argument
    @asks
    def act(campaign_id: str, url: str, as_json: bool) -> None:
        with ask(url) as client:
            campaign = client.campaigns.get(campaign_id)
            campaign.act(action)
        _said(campaign, as_json=as_json)

    return act


@click.command("learn")
@campaign_argument
@table_argument
@click.option("--name", help="What people call this source.  [default: the file's name]")
@click.option("--skip-unfit", is_flag=True, help="Leave out rows with other elements or conditions.")
@asks
def learn_command(*, campaign_id: str, file: Path, name: str | None, skip_unfit: bool, url: str, as_json: bool) -> None:
    """Let CAMPAIGN learn from data that you have: a table of compositions and values.

    Columns: x_Fe, x_Co … (fractions), process_… (conditions), property, unit, value; perhaps std_uncertainty, film.
    """
    with ask(url) as client:
        source = client.campaigns.get(campaign_id).prior_data.upload(
            file, name=name or file.name, unfit="leave_out" if skip_unfit else "refuse"
        )
    left = "".join(f", {count} left out: {reason}" for reason, count in source.left_out.items())
    say(source.model_dump(mode="json"), f"{source.id}: {source.rows} rows taken{left}", as_json=as_json)


@click.command("next")
@campaign_argument
@click.option("--wait", type=click.FloatRange(min=0.0), default=30.0, show_default=True, help="Seconds for a decision.")
@asks
def next_command(campaign_id: str, wait: float, url: str, as_json: bool) -> None:
    """Show which film would be made next, and why. Looking changes nothing."""
    give_up = time.monotonic() + wait
    with ask(url) as client:
        campaign = client.campaigns.get(campaign_id)
        while (proposal := campaign.next_proposal()) is None and time.monotonic() < give_up:
            time.sleep(LOOK_S)
    if proposal is None:
        say({}, "no film is ready; a decision may be on its way", as_json=as_json)
        return
    head = ["device", *proposal.film.devices[0].composition, "expected"]
    rows = [[d.index, *(f"{x:.3f}" for x in d.composition.values()), _expected(d)] for d in proposal.film.devices]
    process = " ".join(f"{name}={value}" for name, value in proposal.film.process.items())
    lines = [
        f"{proposal.id}, {proposal.source}: {proposal.reason}",
        *([process] if process else []),
        *table(rows, head),
    ]
    say(proposal.model_dump(mode="json"), lines, as_json=as_json)


@click.command("make")
@campaign_argument
@click.option("--robot", default="by hand", show_default=True, help="Who makes it.")
@click.option("--readings", type=click.Path(path_type=Path, dir_okay=False), help="Write a table to fill in here.")
@click.option("--wait", type=click.FloatRange(min=0.0), default=60.0, show_default=True, help="Seconds for a decision.")
@asks
def make_command(*, campaign_id: str, robot: str, readings: Path | None, wait: float, url: str, as_json: bool) -> None:
    """Take the next film and say that it was made as proposed: for a lab without a robot.

    With --readings a CSV file is written with a row per device; fill in its values and post it with `measure`.
    """
    with ask(url) as client:
        campaign = client.campaigns.get(campaign_id)
        claim = campaign.robot(robot).claim(wait)
        if claim is None:
            raise click.ClickException(f"no film was decided within {wait:g} s; `filmloop doctor` and the log say why")
        claim.start()
        film = claim.complete()
    if readings is not None:
        sought = [*campaign.latest.problem["objectives"], *(campaign.latest.problem.get("outcomes") or ())]
        rows = [[film.id, d.index, p["property"], p["unit"], ""] for p in sought for d in film.devices]
        header = ["film_id", "device", "property", "unit", "value"]
        readings.write_text("\n".join(",".join(map(str, row)) for row in [header, *rows]) + "\n", encoding="utf-8")
    line = f"film {film.id} is made, {len(film.devices)} devices"
    say(film.model_dump(mode="json"), line if readings is None else f"{line}; fill in {readings}", as_json=as_json)


@click.command("measure")
@campaign_argument
@table_argument
@click.option("--instrument", required=True, help="Whose readings they are.")
@click.option("--skip-bad", is_flag=True, help="Store the good rows and name the bad ones.")
@check_option
@asks
def measure_command(
    *, campaign_id: str, file: Path, instrument: str, skip_bad: bool, check: bool, url: str, as_json: bool
) -> None:
    """Post a table of readings of CAMPAIGN's films: CSV, NDJSON or Parquet, at most 50,000 rows.

    A CSV file without a column measured_at was measured when it was last written.
    """
    given, kind = _with_time(file) if file.suffix.lower() == ".csv" else (file, None)
    with ask(url, patience_s=60.0) as client:
        sender = client.instrument(campaign_id, instrument)
        batch = sender.upload(given, kind, atomic=not skip_bad, validate_only=check)
    verb = "would be stored" if check else "stored"
    lines = [f"{batch.accepted} rows {verb}, {batch.duplicates} known already, {batch.refused} refused"]
    for row in (row for row in batch.results or [] if row.status == "refused"):
        lines.append(f"  row {row.row}: {'; '.join(error['message'] for error in row.errors)}")
    say(batch.model_dump(mode="json"), lines, as_json=as_json)
    if batch.refused:
        raise SystemExit(1)


@click.command("follow")
@campaign_argument
@click.option("--after", type=click.IntRange(min=0), help="Number of the last event that you know; 0 for all.")
@click.option("--until", help="End after the first event of this type, such as film.made.")
@url_option
@json_option
def follow_command(campaign_id: str, after: int | None, until: str | None, url: str, as_json: bool) -> None:
    """Print what happens in CAMPAIGN, a line per event, until Ctrl-C. Restarts of the service are waited out."""
    with ask(url) as client:
        for event in client.campaigns.get(campaign_id).follow(after):
            told = " ".join(
                f"{name}={value}" for name, value in event.data.items() if not isinstance(value, dict | list)
            )
            line = f"{event.seq:>6}  {event.at:%Y-%m-%d %H:%M:%S}  {event.type:<24} {told}"
            say(event.model_dump(mode="json"), line, as_json=as_json)
            if event.type == until:
                return


def _read(path: Path | None) -> dict[str, Any]:
    try:
        found = json.loads((path or Path()).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise click.UsageError(f"{path} is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise click.UsageError(f"{path} holds no problem, which is a JSON object")
    return found


def _with_time(path: Path) -> tuple[bytes, Literal["csv"]]:
    """A table with the time of its file in every row, unless it has times of its own."""
    content = path.read_bytes()
    lines = content.decode("utf-8-sig", errors="replace").splitlines()
    if not lines or "measured_at" in lines[0]:
        return content, "csv"
    between = next((d for d in "\t;" if d in lines[0]), ",")
    written = datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat()
    head, *rows = lines
    timed = [f"{head}{between}measured_at", *(f"{row}{between}{written}" for row in rows if row.strip())]
    return "\n".join(timed).encode(), "csv"


def _expected(device: ProposedDevice) -> str:
    """What the model expects there, of one property or of several."""
    if device.predicted is None:
        return ""
    several = device.predicted if isinstance(device.predicted, dict) else {"": device.predicted}
    return "  ".join(f"{name} {p.mean:.4g} ± {p.sd:.2g}".strip() for name, p in several.items())


def _sought(problem: dict[str, Any]) -> str:
    return ", ".join(map(_wanted, problem["objectives"]))


def _wanted(objective: dict[str, Any]) -> str:
    """One objective in words: `maximise hardness (GPa)`, `match tec to 2 ± 0.5 (ppm/K)`."""
    said = f"{objective.get('direction', 'maximise')} {objective['property']}"
    if objective.get("target") is not None:
        tolerance = objective.get("tolerance") or 0.0
        said += f" to {objective['target']:.12g}" + (f" ± {tolerance:.12g}" if tolerance else "")
    return f"{said} ({objective['unit']})"


def _said(campaign: Campaign, *, as_json: bool) -> None:
    state = campaign.latest
    told = state.model_dump(mode="json", exclude={"problem"})
    say(told, f"campaign {state.id} ({state.name}) is {state.state}", as_json=as_json)
