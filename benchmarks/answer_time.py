"""What it costs to answer researchers: CPU seconds at growing n, beside the fit whose model is asked.

    python -m benchmarks.answer_time --sizes 200 1000 --write

The task is the alloy lab of `benchmarks.decision_time` (six elements, films of 13 devices). The worker draws the *map*
with the decision and finds the *recommendation* after it; *load* and *5000 points* are the API's, with NumPy alone.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from benchmarks.decision_time import alloy_problem, films_of, measured
from benchmarks.provenance import heading, markdown_table, provenance, write_study
from models.checkpoint import to_bytes
from models.envelope import opened
from models.recommendation import recommend
from models.surrogates.predictor import Predictor
from models.train import train

POINTS = 5000


def cpu_seconds(work: Callable[[], object], repeats: int) -> float:
    """Median CPU seconds of the process over `repeats` runs."""
    taken = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return statistics.median(taken)


def row(n: int, repeats: int) -> dict[str, float]:
    """Figures at n readings."""
    problem = alloy_problem()
    dataset = measured(films_of(problem, n // problem.film.devices, seed=n), seed=1)
    began = time.process_time()
    bundle = train(problem, dataset, seed=1)
    fitted = time.process_time() - began
    stored = to_bytes(bundle)
    predictor = Predictor.from_arrays(opened(stored)[1])
    X = np.random.default_rng(0).dirichlet(np.ones(problem.space.dimension), POINTS)
    return {
        "readings": len(dataset),
        "averaged_over": bundle.metrics["objectives"][0]["averaged_over"],
        "fit_cold_s": fitted,
        "recommendation_s": cpu_seconds(lambda: recommend(problem, bundle, dataset, seed=1), repeats),
        "map_s": cpu_seconds(lambda: bundle.posterior_map(problem), repeats),
        "stored_kB": len(stored) / 1e3,
        "load_s": cpu_seconds(lambda: Predictor.from_arrays(opened(stored)[1]), repeats),
        "5000_points_s": cpu_seconds(lambda: predictor.predict(X), repeats),
    }


def main() -> None:
    """Print the table, and keep it if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[200, 1000])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="store the table under benchmarks/results")
    options = parser.parse_args()
    facts = provenance()
    print(heading("answers to researchers, CPU seconds of one thread, median"))
    rows = [row(n, options.repeats) for n in options.sizes]
    print(markdown_table(rows))
    if options.write:
        write_study("answer_time", {**facts, "repeats": options.repeats}, rows)


if __name__ == "__main__":
    main()
