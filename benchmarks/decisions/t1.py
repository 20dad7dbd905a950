"""T1: 13 films of 5 devices on three real plates of six elements, every pair-graded film listed.

    python -m benchmarks.decisions.t1 --seeds 30 --arms filmloop random mean-ei-all-films --offset 0 0.6

Campaigns are kept as JSON lines in `results/decisions/raw/t1.jsonl` and not repeated for the same version of an arm.
The first offset's figures stand at the top of `t1.json`.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from benchmarks.decisions.plates import PLATES, Plate
from benchmarks.decisions.study import conduct

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
    facts = {"unit of regret": "mV"}
    label = "regret of the best value measured / mV"
    conduct("t1", __doc__, TASKS, load, DEFAULT_ARMS, pooled=True, facts=facts, label=label)


if __name__ == "__main__":
    main()
