"""T1: 13 films of 5 devices on three real plates of six elements, every pair-graded film listed.

    python -m benchmarks.decisions.t1 --seeds 30 --arms filmloop random mean-ei-all-films --offset 0 0.6

Campaigns are kept as JSON lines in `results/decisions/raw/t1.jsonl` and not repeated for the same version of an arm.
The first offset's figures stand at the top of `t1.json`.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from benchmarks.decisions.plates import PLATES, Plate
from benchmarks.decisions.records import Records
from benchmarks.decisions.report import outcomes, plot, table, write
from benchmarks.decisions.study import parser, run_missing

TASKS = tuple(f"oer-plate-{number}" for number in PLATES)
DEFAULT_ARMS = (
    "filmloop",
    "filmloop-no-film-effect",
    "nimo-combi-all-pairs",
    "nimo-combi",
    "mean-ei-all-films",
    "random",
)


def load(task: str) -> Plate:
    """The plate of a task's name."""
    return Plate.load(task.rsplit("-", 1)[1])


def main() -> None:
    """Run what is missing, then print and write the table."""
    options = parser(__doc__, TASKS, DEFAULT_ARMS).parse_args()
    records = Records(options.results / "raw" / "t1.jsonl")
    if not options.table_only:
        run_missing(records, load, options)
    if options.run_only:
        return
    tasks = {task: load(task) for task in options.tasks}
    films = {name: options.films or task.films for name, task in tasks.items()}
    panels = {
        f"film offset {offset:g} sd": outcomes(
            records.all(), tasks, options.arms, offset=offset, films=films, seeds=options.seeds
        )
        for offset in options.offset
    }
    tables = {title: table(found) for title, found in panels.items()}
    facts = {"plates": list(tasks), "films": next(iter(films.values())), "unit of regret": "mV"}
    print(write(options.results, "t1", tables, facts))
    plot(options.results / "t1.png", panels, "mV")


if __name__ == "__main__":
    main()
