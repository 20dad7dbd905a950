"""The table of a study: JSON, Markdown and plot, from the campaigns that are finished."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

from benchmarks.decisions.figures import Outcome, Pair, in_words, paired, standard_error
from benchmarks.decisions.records import Record
from benchmarks.decisions.task import Task
from benchmarks.provenance import markdown_table, provenance

Table = dict[str, Any]

OURS = "filmloop"
PAIRED_ARMS = (OURS, "nimo-combi-all-pairs", "mean-ei-all-films", "baybe", "random")
"""Arms that must all have run a task and seed for it to count. Further arms show how many of these they have run, and
are compared over those: a campaign of Ax takes four minutes of CPU."""


def outcomes(
    records: Sequence[Record],
    tasks: Mapping[str, Task],
    arms: Sequence[str],
    *,
    offset: float,
    films: int | None,
    seeds: int,
) -> dict[str, Outcome]:
    """The campaigns of each arm, of its last version in the file, that can be paired.

    Args:
        records: Every finished campaign.
        tasks: Those to pool.
        arms: Those to show.
        offset: Film offset, in sd.
        films: Budget, if not each task's own.
        seeds: Seeds 0 ... seeds - 1 count.

    Returns:
        By arm; arms without a campaign are left out.
    """
    found: dict[str, Outcome] = {}
    for arm in arms:
        own = [
            r
            for r in records
            if r["arm"] == arm
            and r["task"] in tasks
            and r["offset"] == offset
            and r["films"] == (films or tasks[r["task"]].films)
        ]
        last = [r for r in own if r["version"] == own[-1]["version"] and r["seed"] < seeds]
        if last:
            found[arm] = Outcome(arm, tasks, last)
    needed = [set(found[arm].pairs) for arm in PAIRED_ARMS if arm in found]
    common: set[Pair] = set.intersection(*needed) if needed else {p for o in found.values() for p in o.pairs}
    cut = {arm: outcome.only(common) for arm, outcome in found.items()}
    return {arm: outcome for arm, outcome in cut.items() if outcome.records}


def table(found: Mapping[str, Outcome]) -> Table:
    """Every figure of one table, JSON-able. Regrets are in the tasks' unit."""
    rows = [_row(outcome) for outcome in found.values()]
    return {
        "paired_seeds": max((len(o.records) for o in found.values()), default=0),
        "pooled_regret": {arm: float(o.regret[:, -1].mean()) for arm, o in found.items()},
        "standard_error": {arm: standard_error(o.regret[:, -1]) for arm, o in found.items()},
        "tests": {arm: _against(found[OURS], o) for arm, o in found.items() if OURS in found and arm != OURS},
        "versions": {arm: o.records[0]["version"] for arm, o in found.items()},
        "taken_over": {arm: n for arm, o in found.items() if (n := sum("played_by" in r for r in o.records))},
        "rows": rows,
        "regret_by_film": {arm: o.regret.mean(axis=0).tolist() for arm, o in found.items()},
    }


def _row(outcome: Outcome) -> dict[str, Any]:
    last, recommended, films = outcome.regret[:, -1], outcome.recommended, outcome.films_to_goal
    budget = outcome.regret.shape[1]
    calibration = outcome.calibration()
    return {
        "arm": outcome.arm,
        "campaigns": len(last),
        "regret": float(last.mean()),
        "s.e.": standard_error(last),
        "regret of recommendation": float(recommended.mean()) if recommended is not None else "-",
        "films to goal": float(films.mean()),
        "reached goal": f"{int((films <= budget).sum())} of {len(films)}",
        "mean regret over films": float(outcome.area.mean()),
        **{name.replace("_", " "): calibration.get(name, "-") for name in ("coverage_50", "coverage_90")},
        **{name.replace("_", " "): calibration.get(name, "-") for name in ("coverage_95", "log_density")},
        "CPU s per decision": outcome.seconds(),
    }


def _against(ours: Outcome, other: Outcome) -> dict[str, Any]:
    """Paired comparison in the end regret, in the films to the goal and in the mean regret; negative: ours wins."""
    both = set(ours.pairs) & set(other.pairs)
    one, two = ours.only(both), other.only(both)
    return {
        "ratio": float(one.regret[:, -1].mean() / two.regret[:, -1].mean()),
        "regret": paired(one.regret[:, -1], two.regret[:, -1]),
        "films_to_goal": paired(one.films_to_goal, two.films_to_goal),
        "area": paired(one.area, two.area),
    }


def write(folder: Path, study: str, title: str, tables: Mapping[str, Table], facts: Mapping[str, Any]) -> str:
    """Keep the tables as `<study>.json` and `<study>.md`.

    The figures of the first table are repeated at the top of the JSON document.

    Returns:
        The Markdown page.
    """
    first = next(iter(tables.values()))
    where = provenance()
    commits = {"commit": where["commit"], "provenance": where, **facts}
    folder.mkdir(parents=True, exist_ok=True)
    document = {"study": study, **commits, **first, "tables": dict(tables)}
    (folder / f"{study}.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    lines = [f"# {title}", ""]
    lines += [f"- {key}: {value}" for key, value in {**where, **facts}.items()]
    for name, figures in tables.items():
        lines += ["", f"## {name}", "", markdown_table(figures["rows"]), "", *_sentences(figures)]
    page = "\n".join(lines) + "\n"
    (folder / f"{study}.md").write_text(page, encoding="utf-8")
    return page


def _sentences(figures: Table) -> list[str]:
    """One line for each arm and figure that ours is compared in."""
    lines = []
    for arm, tests in figures["tests"].items():
        lines.append(f"- {OURS} against {arm}: ratio of regrets {tests['ratio']:.2f}")
        for name, words in (("regret", "regret"), ("films_to_goal", "films to the goal"), ("area", "mean regret")):
            lines.append(f"  - {words}: {in_words(tests[name])}")
    versions = ", ".join(f"{arm}: {version}" for arm, version in figures["versions"].items())
    taken_over = [
        f"{count} campaigns of {arm} were played by an earlier version that chose the same films in the first ones."
        for arm, count in figures["taken_over"].items()
    ]
    return [*lines, "", " ".join([f"Versions: {versions}.", *taken_over])]


def plot(path: Path, panels: Mapping[str, Mapping[str, Outcome]], label: str) -> None:
    """Mean regret (`label`) against the number of films with a band of one standard error; one panel per table."""
    rows = -(-len(panels) // 2)
    across = -(-len(panels) // rows)
    size = (5.0 * across, 4.0 * rows)
    figure, axes = plt.subplots(rows, across, figsize=size, squeeze=False, layout="constrained")
    for axis in axes[:, 0]:
        axis.set_ylabel(label)
    for axis in axes.flat[len(panels) :]:
        axis.set_axis_off()
    for axis, (title, found) in zip(axes.flat[: len(panels)], panels.items(), strict=True):
        for number, (arm, outcome) in enumerate(found.items()):
            films = np.arange(1, outcome.regret.shape[1] + 1)
            mean = outcome.regret.mean(axis=0)
            error = [standard_error(column) or 0.0 for column in outcome.regret.T]
            axis.plot(films, mean, label=f"{arm} ({len(outcome.records)})", color=f"C{number}")
            axis.fill_between(films, mean - error, mean + error, alpha=0.2, color=f"C{number}", linewidth=0.0)
        axis.set(title=title, xlabel="films", ylim=(0.0, None))
        axis.legend(frameon=False, fontsize="small")
    figure.savefig(path, dpi=130)
    plt.close(figure)
