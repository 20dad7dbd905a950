"""T2 and T3: 15 films of 13 devices on a real Fe-Ga-Pd wafer and on a synthetic Hall resistivity, pair and free.

    python -m benchmarks.decisions.t2_t3 --seeds 10 --arms filmloop random nimo-combi-all-pairs --offset 0

Campaigns are kept as JSON lines in `results/decisions/raw/t2_t3.jsonl` and not repeated for the same version of an
arm. One table per task; units differ, so nothing is pooled over tasks.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from benchmarks.decisions.continuous import TASKS, load
from benchmarks.decisions.records import Records
from benchmarks.decisions.report import outcomes, plot, table, write
from benchmarks.decisions.study import parser, run_missing

DEFAULT_ARMS = ("filmloop", "nimo-combi-all-pairs", "random")


def main() -> None:
    """Run what is missing, then print and write the tables."""
    options = parser(__doc__, tuple(TASKS), DEFAULT_ARMS).parse_args()
    records = Records(options.results / "raw" / "t2_t3.jsonl")
    if not options.table_only:
        run_missing(records, load, options)
    if options.run_only:
        return
    tasks = {task: load(task) for task in options.tasks}
    films = {name: options.films or task.films for name, task in tasks.items()}
    panels = {
        f"{name}, film offset {offset:g} sd": outcomes(
            records.all(), {name: task}, options.arms, offset=offset, films=films, seeds=options.seeds
        )
        for name, task in tasks.items()
        for offset in options.offset
    }
    tables = {title: table(found) for title, found in panels.items()}
    units = ", ".join(f"{name}: {task.unit}" for name, task in tasks.items())
    print(write(options.results, "t2_t3", tables, {"unit of regret": units}))
    plot(options.results / "t2_t3.png", panels, "unit of the property")


if __name__ == "__main__":
    main()
