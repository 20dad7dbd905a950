"""T2 and T3: 15 films of 13 devices on a real Fe-Ga-Pd wafer and on a synthetic Hall resistivity, pair and free.

    python -m benchmarks.decisions.t2_t3 --seeds 10 --arms filmloop random nimo-combi-all-pairs --offset 0

Campaigns are kept as JSON lines in `results/decisions/raw/t2_t3.jsonl` and not repeated for the same version of an
arm. One table per task; units differ, so nothing is pooled over tasks.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from benchmarks.decisions.continuous import TASKS, load
from benchmarks.decisions.study import conduct

DEFAULT_ARMS = ("filmloop", "nimo-combi-all-pairs", "random")


def main() -> None:
    """Run what is missing, then print and write the tables."""
    facts = {"unit of regret": "V on the wafer, uOhm cm for the Hall resistivity"}
    label = "regret of the best value / unit of the property"
    conduct("t2_t3", __doc__, tuple(TASKS), load, DEFAULT_ARMS, pooled=False, facts=facts, label=label)


if __name__ == "__main__":
    main()
