"""What every study of the decision benchmark shares: its command, and the campaigns that are missing."""

import argparse
import multiprocessing
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from benchmarks.decisions.arms import ARMS
from benchmarks.decisions.campaign import run
from benchmarks.decisions.earlier import taken_over
from benchmarks.decisions.noise import Noise
from benchmarks.decisions.records import RESULTS, Key, Record, Records
from benchmarks.decisions.report import outcomes, plot, table, write
from benchmarks.decisions.task import Task
from benchmarks.provenance import provenance

Load = Callable[[str], Task]
"""From the name of a task to the task."""


def conduct(
    study: str,
    doc: str | None,
    tasks: Sequence[str],
    load: Load,
    arms: Sequence[str],
    *,
    pooled: bool,
    facts: Mapping[str, str],
    label: str,
) -> None:
    """The command of a study: run what is missing, then print and write its tables and its plot.

    Args:
        study: Name of its files.
        doc: What `--help` says.
        tasks: Names of its tasks.
        load: From a name to the task.
        arms: Arms that are run if none are named.
        pooled: Whether one table holds all tasks; else there is one for each.
        facts: What stands above the tables.
        label: What the plot calls regret, with its unit.
    """
    options = parser(doc, tasks, arms).parse_args()
    records = Records(options.results / "raw" / f"{study}.jsonl")
    if not options.table_only:
        run_missing(records, load, options)
    if options.run_only:
        return
    loaded = {name: load(name) for name in options.tasks}
    groups = {"": loaded} if pooled else {f"{name}, ": {name: task} for name, task in loaded.items()}
    panels = {
        f"{title}film offset {offset:g} sd": outcomes(
            records.all(), group, options.arms, offset=offset, films=options.films, seeds=options.seeds
        )
        for title, group in groups.items()
        for offset in options.offset
    }
    panels = {title: found for title, found in panels.items() if found}
    tables = {title: table(found) for title, found in panels.items()}
    title = (doc or study).splitlines()[0]
    print(write(options.results, study, title, tables, {"tasks": ", ".join(loaded), **facts}))
    plot(options.results / f"{study}.png", panels, label)


def parser(doc: str | None, tasks: Sequence[str], arms: Sequence[str]) -> argparse.ArgumentParser:
    """Options that every table has."""
    options = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seeds", type=int, default=30, help="seeds 0 ... N - 1, for each task")
    options.add_argument("--arms", nargs="+", default=list(arms), choices=sorted(ARMS))
    options.add_argument("--tasks", nargs="+", default=list(tasks), choices=list(tasks))
    options.add_argument("--offset", type=float, nargs="+", default=[0.0], help="sd of the film offset, in sd")
    options.add_argument("--films", type=int, help="budget of a campaign, if not the task's own")
    options.add_argument("--jobs", type=int, default=1, help="processes")
    options.add_argument("--results", type=Path, default=RESULTS, help="folder of the results")
    options.add_argument(
        "--trust-after",
        type=int,
        metavar="N",
        help="take over an earlier version's campaigns once the films of seeds 0 ... N - 1 are the same",
    )
    options.add_argument("--run-only", action="store_true", help="run campaigns and write no table")
    options.add_argument("--table-only", action="store_true", help="run nothing, write the table of what there is")
    return options


def run_missing(records: Records, load: Load, options: argparse.Namespace) -> list[Key]:
    """Run the campaigns that are not there yet; seed by seed, so that arms stay paired if it is interrupted.

    Returns:
        The keys of all campaigns asked for.
    """
    wanted = list(_wanted(load, options))
    if options.trust_after:
        _run(records, load, [key for key in wanted if key.seed < options.trust_after], options.jobs)
        for record in list(taken_over(records.all(), wanted, options.trust_after)):
            records.add(record)
    _run(records, load, wanted, options.jobs)
    return wanted


def _run(records: Records, load: Load, wanted: Sequence[Key], jobs: int) -> None:
    done = records.keys()
    missing = [key for key in wanted if key not in done]
    one = partial(campaign, load, str(provenance()["commit"]))
    if jobs == 1:
        _keep(records, map(one, missing), len(missing))
    else:
        with multiprocessing.get_context("spawn").Pool(jobs) as pool:
            _keep(records, pool.imap_unordered(one, missing), len(missing))


def campaign(load: Load, commit: str, key: Key) -> Record:
    """Run one campaign."""
    outcome = run(load(key.task), ARMS[key.arm].make(), seed=key.seed, noise=Noise(offset=key.offset), films=key.films)
    return {**key._asdict(), "commit": commit, **outcome}


def _wanted(load: Load, options: argparse.Namespace) -> Iterator[Key]:
    versions = {arm: ARMS[arm].version() for arm in options.arms}
    budgets = {task: options.films or load(task).films for task in options.tasks}
    for offset in options.offset:
        for seed in range(options.seeds):
            for task in options.tasks:
                for arm in options.arms:
                    yield Key(task, arm, versions[arm], seed, offset, budgets[task])


def _keep(records: Records, outcomes: Iterator[Record], total: int) -> None:
    for number, record in enumerate(outcomes, start=1):
        records.add(record)
        key = f"{record['task']} {record['arm']} offset {record['offset']:g} seed {record['seed']}"
        print(f"{number}/{total} {key}: best {record['best_true'][-1]:.4g}", flush=True)
