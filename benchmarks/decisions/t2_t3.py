"""T2 and T3: 15 films of 13 devices on a real Fe-Ga-Pd wafer and on a synthetic Hall resistivity, pair and free.

    python -m benchmarks.decisions.t2_t3 --seeds 10 --arms filmloop random nimo-combi-all-pairs --offset 0

Campaigns are kept as JSON lines in `results/decisions/raw/t2_t3.jsonl` and not repeated for the same version of an
arm.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from benchmarks.decisions.continuous import TASKS, load
from benchmarks.decisions.records import Records
from benchmarks.decisions.study import parser, run_missing

DEFAULT_ARMS = ("filmloop", "random", "nimo-combi-all-pairs")


def main() -> None:
    """Run what is missing, then print and write the table."""
    options = parser(__doc__, tuple(TASKS), DEFAULT_ARMS).parse_args()
    run_missing(Records(options.results / "raw" / "t2_t3.jsonl"), load, options)


if __name__ == "__main__":
    main()
