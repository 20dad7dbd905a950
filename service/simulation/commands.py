"""`filmloop demo` and `filmloop simulate`."""

import json
import os
import shlex
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn, Protocol

import click

from filmloop_client import Client
from models.catalog import policies_for
from models.objective import Objective
from service.settings import Settings
from service.simulation.demo import Outcome, explore, introduction, summary
from service.simulation.lab import Lab
from service.simulation.players import Order, play
from service.simulation.progress import HEADER, Progress, percent
from service.simulation.wafer import ELEMENTS, PROPERTY, UNIT, Wafer


class Running(Protocol):
    """A Filmloop that answers."""

    @property
    def url(self) -> str:
        """Where."""

    @property
    def log_file(self) -> Path:
        """What its processes say."""

    @property
    def key(self) -> str | None:
        """What to ask it with."""


Start = Callable[[Settings], AbstractContextManager[Running]]
"""Uses the Filmloop that runs on the settings' data directory, or starts one; raises RuntimeError if it cannot."""

KEPT = "Where the data is kept; another demo adds another campaign.  [default: demo in the user's data directory]"
STYLE = {"show_default": True, "max_content_width": 110}
POLICY = "expected_improvement"
"""Whose figures the demo was measured with."""


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


def demo_command(start: Start) -> click.Command:
    """The command `demo`; `start` is handed down by `service.cli`, because the supervisor stands above this room."""

    @click.command(context_settings=STYLE)
    @seed_option
    @films_option
    @click.option("--devices", type=click.IntRange(1, 200), default=13, help="Measurable spots per film.")
    @click.option("--policy", type=click.Choice(policies_for(1)), default=POLICY, help="Who chooses the films.")
    @click.option("--generator", is_flag=True, help="Let a generator learn, and begin searches from its draws, too.")
    @click.option("--data-dir", type=click.Path(file_okay=False, path_type=Path), help=KEPT)
    @click.option("--plot/--no-plot", default=True, help="Whether to draw the picture.")
    @click.option("--plot-file", type=click.Path(dir_okay=False, path_type=Path), default="demo.png", help="Where to.")
    @click.option("--json", "as_json", is_flag=True, help="Print the figures as one JSON object on the last line.")
    @click.option("--keep-running", is_flag=True, help="Leave Filmloop running afterwards, until Ctrl-C.")
    @_lab_options
    def demo(
        *,
        seed: int,
        plot: bool,
        plot_file: Path,
        as_json: bool,
        data_dir: Path | None,
        **options: Any,  # noqa: ANN401  (what click found for the other options)
    ) -> None:
        """Explore a real Fe-Ga-Pd wafer, from the first film to the best magnetisation.

        Everything is started, one simulated robot and one simulated instrument work, and one line tells of each film.
        """
        if plot and not os.access(plot_file.absolute().parent, os.W_OK):
            raise click.UsageError(f"cannot write {plot_file}; give another --plot-file, or --no-plot")
        began = time.monotonic()
        signal.signal(signal.SIGTERM, _terminated)
        settings = Settings(data_dir=data_dir or Settings().data_dir / "demo")
        lab = _lab(seed, options)
        outcome = _demonstrate(start, settings, lab, plot_file if plot else None, options)
        if as_json:
            click.echo(json.dumps({**outcome.figures(), "seconds": round(time.monotonic() - began, 1)}))

    return demo


def _demonstrate(
    start: Start, settings: Settings, lab: Lab, plot_file: Path | None, options: dict[str, Any]
) -> Outcome:
    click.echo(introduction(lab))
    with _filmloop(settings, start) as filmloop:
        keep = options["keep_running"]
        outcome = explore(
            filmloop.url,
            lab,
            films=options["films"],
            devices=options["devices"],
            policy=options["policy"],
            say=click.echo,
            finish=not keep,
            generator=options["generator"],
            key=filmloop.key,
        )
        click.echo(summary(outcome))
        if plot_file is not None:
            _draw(plot_file, outcome)
        click.echo(f"  data           {settings.data_dir}\n  log            {filmloop.log_file}")
        if keep:
            _keep_running(filmloop.url, outcome, settings.data_dir)
    return outcome


@click.command(context_settings=STYLE)
@click.option("--url", default="http://127.0.0.1:8000", help="Where Filmloop runs.")
@click.option("--campaign", "campaign_id", required=True, help="Id of an active campaign on Fe, Ga, Pd.")
@click.option("--robots", type=click.IntRange(1, 64), default=1, help="Robots that make films.")
@click.option("--instruments", type=click.IntRange(1, 64), default=1, help="Instruments that read them.")
@films_option
@seed_option
@click.option("--report-uncertainty", is_flag=True, help="Instruments state the noise of their readings.")
@click.option("--overlap", is_flag=True, help="Robots claim the next film before the last one was measured.")
@click.option("--json", "as_json", is_flag=True, help="Say what was found as one JSON object on the last line.")
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
    as_json: bool,
    **lab_options: float,
) -> None:
    """Play the robots and instruments of a lab against a running Filmloop, over HTTP only.

    The lab makes films on a real Fe-Ga-Pd wafer and reads their magnetisation in V; so must the campaign.
    """
    lab = _lab(seed, lab_options)
    with Client(url, patience=5.0) as client:
        problem = client.campaigns.get(campaign_id).latest.problem
    _check_within_reach(problem)
    click.echo(HEADER)
    order = Order(url, campaign_id, films, lab, robots, instruments, report_uncertainty, overlap)
    progress = Progress(lab.wafer, Objective.model_validate(problem["objectives"][0]))
    play(order, progress, click.echo)
    if as_json:
        best = [None if value != value else round(float(value), 4) for value in progress.best_true()]  # noqa: PLR0124 - NaN
        click.echo(json.dumps({"campaign_id": campaign_id, "films": len(best), "best_true_by_film": best}))


def _check_within_reach(problem: dict[str, Any]) -> None:
    """Refuse a campaign that this lab has no truth for, before it spends a film.

    Raises:
        click.UsageError: Naming what the campaign wants and what the lab has.
    """
    elements, objective = problem["space"]["elements"], problem["objectives"][0]
    if set(elements) != set(ELEMENTS):
        raise click.UsageError(f"the campaign is on {', '.join(elements)}; this lab has {', '.join(ELEMENTS)}")
    wanted = f"{objective['property']} in {objective['unit']}"
    if wanted != f"{PROPERTY} in {UNIT}":
        raise click.UsageError(f"the campaign seeks {wanted}; this lab reads {PROPERTY} in {UNIT}")


@contextmanager
def _filmloop(settings: Settings, start: Start) -> Iterator[Running]:
    """A running Filmloop; that it cannot start is told as a sentence."""
    click.echo("Starting database, broker, API and worker …", nl=False)
    with ExitStack() as stack:
        try:
            filmloop = stack.enter_context(start(settings))
        except RuntimeError as error:
            click.echo()
            raise click.ClickException(str(error)) from error
        click.echo(f" ready at {filmloop.url}\n")
        try:
            yield filmloop
        except (KeyboardInterrupt, SystemExit):
            click.echo(f"\nStopping; what was measured so far is kept in {settings.data_dir}")
            raise


def _draw(path: Path, outcome: Outcome) -> None:
    from service.simulation.plot import draw  # noqa: PLC0415  (takes a second, and not every demo draws)

    progress = outcome.progress
    reached = progress.films_to()
    count = f"{reached or len(progress.films)} film{'s' if (reached or len(progress.films)) > 1 else ''}"
    share = percent(progress.best_true()[(reached or 0) - 1] / progress.wafer.best_value)
    draw(path, progress, outcome.belief, title=f"Fe-Ga-Pd wafer: {share} of the best magnetisation in {count}")
    click.echo(f"  picture        {path.absolute()}")


def _keep_running(url: str, outcome: Outcome, data_dir: Path) -> None:
    click.echo(f"\nFilmloop is still running: {url}/v1/campaigns/{outcome.campaign_id}  (Ctrl-C stops it)")
    click.echo(f"Look at its pages: filmloop open --data-dir {shlex.quote(str(data_dir))}")
    with suppress(KeyboardInterrupt):
        threading.Event().wait()


def _terminated(_number: int, _frame: FrameType | None) -> NoReturn:
    """Unwind as for Ctrl-C, so that every child process is stopped."""
    raise SystemExit(128 + signal.SIGTERM)
