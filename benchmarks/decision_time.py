"""From D_t to the next film: seconds of each part at growing n, beside the linear algebra that bounds them.

Run: `python -m benchmarks.decision_time --sizes 65 260 1040 --repeats 5`

The data are films of 13 devices on the Fe-Ga-Pd wafer of the demo, with its noise and film offset. Every part is timed
in CPU seconds of one thread, and the reference (one Cholesky factorisation of an n x n covariance, and one n x K
posterior by triangular solves) in the same run, so that the ratio holds where absolute seconds do not.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from scipy.linalg import cholesky, solve_triangular

from benchmarks.provenance import heading, markdown_table, provenance, write_study
from models.dataset import Dataset
from models.film import Film
from models.propose import propose
from models.train import train
from service.simulation.campaign import fe_ga_pd_problem
from service.simulation.wafer import Wafer


def films_on_the_wafer(count: int, seed: int) -> list[Film]:
    """Random feasible films, drawn by the same policy that the comparison of the demo uses."""
    problem = fe_ga_pd_problem(policy="random")
    empty = Dataset.empty(problem.space.dimension)
    return [r.film for r in propose(problem, None, empty, pending=[], count=count, seed=seed)]


def measured(films: list[Film], wafer: Wafer, seed: int) -> Dataset:
    """Noisy readings of the films: noise sd 0.15 V, film offset sd 0.15 V."""
    rng = np.random.default_rng(seed)
    X = np.vstack([f.points() for f in films])
    names = np.repeat([f"film-{i:04d}" for i in range(len(films))], [len(f.s) for f in films])
    offset = np.repeat(rng.normal(0, 0.15, len(films)), [len(f.s) for f in films])
    Y = wafer.truth(X[:, :3]) + offset + rng.normal(0, 0.15, len(X))
    return Dataset(X, Y[:, None], np.full((len(X), 1), np.nan), names, np.arange(len(X), dtype=float))


def cpu_seconds(work: Callable[[], object], repeats: int) -> float:
    """Median CPU seconds of the process over `repeats` runs."""
    taken = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return statistics.median(taken)


def linear_algebra(n: int, devices: int, repeats: int) -> tuple[float, float]:
    """CPU seconds of one n x n Cholesky and of one posterior of K points from its factor."""
    rng = np.random.default_rng(0)
    x = rng.random(n)
    K = np.exp(-np.abs(x[:, None] - x)) + np.eye(n)
    factor = cholesky(K, lower=True)
    cross = rng.random((n, devices))
    posterior = cpu_seconds(lambda: (v := solve_triangular(factor, cross, lower=True)).T @ v, repeats)
    return cpu_seconds(lambda: cholesky(K, lower=True), repeats), posterior


def row(n: int, repeats: int) -> dict[str, float]:
    """Figures at n readings."""
    problem, wafer = fe_ga_pd_problem(), Wafer.load()
    devices = problem.film.devices
    films = films_on_the_wafer(n // devices, seed=n)
    before, now = measured(films[:-1], wafer, 1), measured(films, wafer, 1)
    first = train(problem, before, seed=1)
    cold = cpu_seconds(lambda: train(problem, now, seed=1), repeats)
    warm = cpu_seconds(lambda: train(problem, now, seed=1, previous=first), repeats)
    bundle = train(problem, now, seed=1, previous=first)
    ask = cpu_seconds(lambda: propose(problem, bundle, now, pending=[], count=1, seed=1), repeats)
    factor, posterior = linear_algebra(n, devices, max(repeats, 20))
    return {
        "n": n,
        "fit_cold_s": cold,
        "fit_warm_s": warm,
        "propose_s": ask,
        "decision_s": warm + ask,
        "cholesky_s": factor,
        "posterior_s": posterior,
        "decision_over_cholesky": (warm + ask) / factor,
    }


def main() -> None:
    """Print the table and store it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sizes", type=int, nargs="+", default=[65, 260, 1040])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="store the table under benchmarks/results")
    args = parser.parse_args()
    facts = provenance()
    print(heading("decision time, K = 13, CPU seconds of one thread, median"))
    rows = [row(n, args.repeats) for n in args.sizes]
    print(markdown_table(rows))
    if args.write:
        write_study("decision_time", {**facts, "repeats": args.repeats}, rows)


if __name__ == "__main__":
    main()
