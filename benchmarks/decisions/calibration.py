"""How far to trust the model in the campaigns that Filmloop ran: whole films left out, with and without film effect.

    python -m benchmarks.decisions.calibration --seeds 30 --offset 0 0.3 0.6

Each finished campaign of Filmloop, as the raw files of T1, T2 and T3 have it, is measured again, film by film, with
the same noise; so both models are fitted to the same readings. Where no campaign was played with an offset, the films
of those without are measured with it.
"""

import argparse
import json
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.decisions import continuous, t1
from benchmarks.decisions.campaign import extended
from benchmarks.decisions.figures import CALIBRATION, in_words, paired, standard_error
from benchmarks.decisions.noise import Noise
from benchmarks.decisions.records import RESULTS, Record, Records
from benchmarks.decisions.report import OURS
from benchmarks.decisions.task import Task
from benchmarks.provenance import heading, markdown_table, provenance
from models.catalog import FilmGP
from models.dataset import Dataset
from models.film import Film
from models.train import train

Array = NDArray[np.float64]

GROUPS: Sequence[Sequence[str]] = [list(t1.TASKS), *([name] for name in continuous.TASKS)]
"""Tasks of one row each, if none are named."""


def load(name: str) -> Task:
    """Any task with one objective."""
    return t1.load(name) if name in t1.TASKS else continuous.load(name)


def replayed(task: Task, record: Record, offset: float) -> Dataset:
    """The readings of a finished campaign, measured again with a film offset of that many sd."""
    width = task.problem.space.dimension + len(task.problem.space.process_columns)
    dataset = Dataset.empty(width, len(task.problem.objectives))
    for number, ends in enumerate(record["made"]):
        a, b, process = (np.array(part, dtype=float) for part in ends)
        film = Film(a, b, process, task.problem.film.mixing())
        reading = Noise(offset=offset).measure(task, record["seed"], number, film)
        dataset = extended(dataset, film, reading.y, number)
    return dataset


def report(task: Task, record: Record, offset: float, *, film_effect: bool) -> list[float]:
    """Coverage and mean log density, in units of the property's sd, of one model on one campaign's readings."""
    problem = task.problem.model_copy(update={"surrogate": FilmGP(film_effect=film_effect)})
    bundle = train(problem, replayed(task, record, offset), seed=record["seed"])
    found = bundle.metrics["objectives"][0]["leave_film_out"]
    return [*(found[name] for name in CALIBRATION[:-1]), found["log_density"] + float(np.log(task.sd[0]))]


def last_campaigns(folder: Path, tasks: Sequence[str], offset: float, seeds: int) -> list[Record]:
    """Filmloop's campaigns of its last version on each task, in order: with this offset, else without any."""
    records = [r for name in ("t1", "t2_t3") for r in Records(folder / "raw" / f"{name}.jsonl").all()]
    kept: list[Record] = []
    for task in tasks:
        own = [r for r in records if (r["task"], r["arm"]) == (task, OURS) and r["seed"] < seeds]
        own = [r for r in own if r["offset"] == offset] or [r for r in own if r["offset"] == 0.0]
        kept += [r for r in own if r["version"] == own[-1]["version"]]
    return kept


def parser(doc: str | None, *, offset: Sequence[float], seeds: int) -> argparse.ArgumentParser:
    """Options of a table over the campaigns that were played, with their defaults."""
    options = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--tasks", nargs="+", action="append", help="tasks of one row; may be given several times")
    options.add_argument("--offset", type=float, nargs="+", default=offset)
    options.add_argument("--seeds", type=int, default=seeds)
    options.add_argument("--results", type=Path, default=RESULTS)
    return options


def means(found: Array, names: Sequence[str]) -> dict[str, float | None]:
    """Figures of campaigns, `c x len(names)`, as part of a row: their means, and the error of the log density's."""
    told: dict[str, float | None] = dict(
        zip((n.replace("_", " ") for n in names), found.mean(axis=0).tolist(), strict=True)
    )
    return told | {"s.e. of log density": standard_error(found[:, names.index("log_density")])}


def write(
    folder: Path, study: str, title: str, rows: Sequence[Mapping[str, object]], comparisons: Sequence[str]
) -> None:
    """Print a table with what is said below it, and write both as Markdown and as JSON."""
    page = "\n".join([heading(title), markdown_table(rows), "", *comparisons, ""])
    print(page)
    document = {"study": study, "provenance": provenance(), "rows": rows, "comparisons": comparisons}
    (folder / f"{study}.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    (folder / f"{study}.md").write_text(page, encoding="utf-8")


def main() -> None:
    """Print and write one row per group of tasks, offset and model."""
    options = parser(__doc__, offset=[0.0, 0.3, 0.6], seeds=30).parse_args()
    groups = options.tasks or GROUPS
    rows, lines = [], []
    for group in groups:
        for offset in options.offset:
            records = last_campaigns(options.results, group, offset, options.seeds)
            if not records:
                continue
            both = {effect: _figures(records, offset, film_effect=effect) for effect in (True, False)}
            words = {"tasks": ", ".join(group), "offset": offset, "campaigns": len(records)}
            words |= {"played with": records[0]["offset"]}
            rows += [{**words, "film effect": effect, **means(found, CALIBRATION)} for effect, found in both.items()]
            test = paired(both[True][:, -1], both[False][:, -1])
            line = f"- {words['tasks']}, offset {offset:g}: log density with minus without film effect"
            lines.append(f"{line} {in_words(test)}")
    title = "Calibration of the model in Filmloop's own campaigns, whole films left out"
    write(options.results, "calibration", title, rows, lines)


def _figures(records: Sequence[Record], offset: float, *, film_effect: bool) -> Array:
    return np.array([report(load(record["task"]), record, offset, film_effect=film_effect) for record in records])


if __name__ == "__main__":
    main()
