"""`filmloop demo` and `filmloop simulate`."""

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import click
import httpx

from filmloop_client import Client, FilmloopError
from service.settings import Settings
from service.simulation.demo import Outcome, explore, introduction, summary
from service.simulation.lab import Lab
from service.simulation.players import Order, play
from service.simulation.progress import HEADER, Progress
from service.simulation.wafer import ELEMENTS, Wafer

Start = Callable[[Settings], AbstractContextManager[str]]
"""Starts a whole Filmloop and yields its address; handed over by `service.cli`, which stands above this room."""

POLICIES = ("expected_improvement", "space_filling", "random")


def _lab_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The lab's imperfections, the same for both commands."""
    not_negative = click.FloatRange(min=0.0)
    options = [
        click.option("--noise", type=not_negative, default=0.15, help="Noise of a reading, sd in V."),
        click.option("--film-offset", type=not_negative, default=0.15, help="Offset shared by a film, sd in V."),
        click.option("--composition-error", type=not_negative, default=0.003, help="As made minus proposed, sd."),
        click.option("--dead", type=click.FloatRange(0.0, 1.0), default=0.03, help="Share of dead devices."),
        click.option("--drift", type=float, default=0.01, help="Drift of the instrument, V per film."),
        click.option("--deposition", type=not_negative, default=0.2, help="Seconds to make a film."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def _lab(seed: int, options: dict[str, float]) -> Lab:
    return Lab(
        Wafer.load(),
        seed=seed,
        noise_v=options["noise"],
        film_offset_v=options["film_offset"],
        composition_error=options["composition_error"],
        dead_share=options["dead"],
        drift_v_per_film=options["drift"],
        deposition_s=options["deposition"],
    )


seed_option = click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=1, help="Of the lab and the campaign.")
films_option = click.option("--films", type=click.IntRange(min=1), default=12, help="How many to make.")


@click.command(context_settings={"show_default": True})
@seed_option
@films_option
@click.option("--devices", type=click.IntRange(1, 200), default=13, help="Measurable spots per film.")
@click.option("--policy", type=click.Choice(POLICIES), default=POLICIES[0], help="Who chooses the films.")
@click.option("--data-dir", type=click.Path(file_okay=False, path_type=Path), help="Where the data is kept.")
@click.option("--plot/--no-plot", default=True, help="Whether to draw the picture.")
@click.option("--plot-file", type=click.Path(dir_okay=False, path_type=Path), default="demo.png", help="The picture.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as one JSON object on the last line.")
@click.option("--keep-running", is_flag=True, help="Leave Filmloop running afterwards, until Ctrl-C.")
@_lab_options
@click.pass_obj
def demo(
    start: Start,
    /,
    *,
    seed: int,
    films: int,
    devices: int,
    policy: str,
    data_dir: Path | None,
    plot: bool,
    plot_file: Path,
    as_json: bool,
    keep_running: bool,
    **lab_options: float,
) -> None:
    """Explore a real Fe-Ga-Pd wafer: everything is started, one robot and one instrument work, the best is found.

    The data is kept under "demo" in the user's data directory unless --data-dir is given; another demo adds another
    campaign to it.
    """
    if plot and not os.access(plot_file.absolute().parent, os.W_OK):
        raise click.UsageError(f"cannot write {plot_file}; give another --plot-file, or --no-plot")
    directory = data_dir or Settings().data_dir / "demo"
    settings = Settings(data_dir=directory)
    lab = _lab(seed, lab_options)
    signal.signal(signal.SIGTERM, _terminated)
    click.echo(introduction(lab))
    with _filmloop(settings, start) as url, _plain_errors():
        outcome = explore(
            url, lab, films=films, devices=devices, policy=policy, say=click.echo, finish=not keep_running
        )
        click.echo(summary(outcome))
        if plot:
            _draw(plot_file, outcome)
        click.echo(f"  data           {settings.data_dir}")
        if keep_running:
            _keep_running(url, outcome)
    if as_json:
        click.echo(json.dumps(outcome.figures()))


@click.command(context_settings={"show_default": True})
@click.option("--url", default="http://127.0.0.1:8000", help="Where Filmloop runs.")
@click.option("--campaign", "campaign_id", required=True, help="Id of an active campaign on Fe, Ga, Pd.")
@click.option("--robots", type=click.IntRange(1, 64), default=1, help="Robots that make films.")
@click.option("--instruments", type=click.IntRange(1, 64), default=1, help="Instruments that read them.")
@films_option
@seed_option
@click.option("--report-uncertainty", is_flag=True, help="Instruments state the noise of their readings.")
@click.option("--overlap", is_flag=True, help="Robots claim the next film before the last one was measured.")
@_lab_options
def simulate(
    *,
    url: str,
    campaign_id: str,
    robots: int,
    instruments: int,
    films: int,
    seed: int,
    report_uncertainty: bool,
    overlap: bool,
    **lab_options: float,
) -> None:
    """Play the robots and instruments of a lab against a running Filmloop, over HTTP only.

    The lab makes and reads films on a real Fe-Ga-Pd wafer, whatever the campaign is called.
    """
    lab = _lab(seed, lab_options)
    with _plain_errors():
        with Client(url, patience=5.0) as client:
            elements = client.campaigns.get(campaign_id).latest.problem["space"]["elements"]
        if set(elements) != set(ELEMENTS):
            raise click.UsageError(f"the campaign is on {', '.join(elements)}; this lab has {', '.join(ELEMENTS)}")
        click.echo(HEADER)
        order = Order(url, campaign_id, films, lab, robots, instruments, report_uncertainty, overlap)
        play(order, Progress(lab.wafer), click.echo)


@contextmanager
def _filmloop(settings: Settings, start: Start) -> Iterator[str]:
    """The address of a running Filmloop: the one that has this data directory already, else a new one."""
    url = _already_running(settings.data_dir)
    if url is not None:
        click.echo(f"Using the Filmloop that runs at {url}.\n")
        yield url
        return
    click.echo("Starting database, broker, API and worker …", nl=False)
    with start(settings) as url:
        click.echo(f" ready at {url}\n")
        yield url


def _already_running(data_dir: Path) -> str | None:
    """The address that a running `filmloop up` left in its data directory, if it still answers."""
    try:
        url = str(json.loads((data_dir / "run.json").read_text(encoding="utf-8"))["url"])
        httpx.get(f"{url}/readyz", timeout=5.0, trust_env=False).raise_for_status()
    except (OSError, ValueError, KeyError, httpx.HTTPError):
        return None
    return url


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Tell a refusal of the service as a sentence, not as a traceback."""
    try:
        yield
    except FilmloopError as error:
        raise click.ClickException(str(error)) from error


def _draw(path: Path, outcome: Outcome) -> None:
    from service.simulation.plot import draw  # noqa: PLC0415  (takes a second, and not every demo draws)

    progress = outcome.progress
    reached = progress.films_to()
    count = f"{reached or len(progress.films)} film{'s' if (reached or len(progress.films)) > 1 else ''}"
    share = f"{progress.best_true()[(reached or 0) - 1] / progress.wafer.best_value:.0%}".replace("%", " %")
    draw(path, progress, outcome.belief, title=f"Fe-Ga-Pd wafer: {share} of the best magnetisation in {count}")
    click.echo(f"  picture        {path.absolute()}")


def _keep_running(url: str, outcome: Outcome) -> None:
    click.echo(f"\nFilmloop is still running: {url}/v1/campaigns/{outcome.campaign_id}  (Ctrl-C stops it)")
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        click.echo("\nstopping")


def _terminated(_number: int, _frame: FrameType | None) -> NoReturn:
    """Unwind as for Ctrl-C, so that every child process is stopped."""
    raise SystemExit(128 + signal.SIGTERM)
