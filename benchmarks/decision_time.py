"""From D_t to the next film: CPU seconds and memory at growing n, beside the linear algebra that bounds them.

Run: `python -m benchmarks.decision_time --sizes 200 1000 2000 10000 --peers /path/of/the/peers/python`

The task is that of an alloy lab: six elements of which two of three heavy ones may be present, free gradients, films
of 13 devices, noise and film offsets. A decision is what a worker does after a film was measured: refit or update from
the last model, then search the best film. Every size runs in a process of its own, so that its peak memory is its own.
The reference (one Cholesky factorisation of an n x n covariance) is timed in the same process, so that the ratio holds
where seconds do not. With `--peers`, what other tools take to propose one single point from the same readings stands
beside it; their environment is described in `benchmarks/decisions/peers.txt`.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from scipy.linalg import cholesky, solve_triangular

from benchmarks.provenance import heading, markdown_table, provenance, write_study
from models.catalog import ExpectedImprovement, RandomFilms
from models.composition import ElementBounds, GroupRule, SearchSpace
from models.dataset import Dataset
from models.film import Film, FilmGeometry
from models.objective import Objective
from models.problem import Problem
from models.propose import propose
from models.train import train

ELEMENTS = ("Fe", "Co", "Ni", "Ta", "W", "Ir")
PEERS = ("ax", "baybe", "optuna", "nimo")


def alloy_problem() -> Problem:
    """Fe-Co-Ni with two of Ta, W, Ir, at most 30 % of them together; free gradients, 13 devices."""
    heavy = GroupRule(name="heavy", elements=ELEMENTS[3:], upper=0.3, max_present=2)
    bounds = tuple(ElementBounds(element=e, lower=0.1, upper=0.7) for e in ELEMENTS[:3])
    return Problem(
        space=SearchSpace(elements=ELEMENTS, bounds=bounds, groups=(heavy,)),
        objectives=(Objective(property="hall", unit="uOhm cm"),),
        film=FilmGeometry(devices=13, span_min=0.05, span_max=0.4),
        policy=ExpectedImprovement(),
    )


def films_of(problem: Problem, count: int, seed: int) -> list[Film]:
    """Random films of the problem."""
    random = problem.model_copy(update={"policy": RandomFilms()})
    empty = Dataset.empty(problem.space.dimension + len(problem.space.process_columns))
    return [r.film for r in propose(random, None, empty, pending=[], count=count, seed=seed)]


def measured(films: list[Film], seed: int) -> Dataset:
    """Readings of a smooth property with two hills: noise sd 0.1, film offset sd 0.1, in units of its spread."""
    rng = np.random.default_rng(seed)
    X = np.vstack([f.points() for f in films])
    hills = [(3.0, [0.35, 0.35, 0.1, 0.0, 0.1, 0.1]), (2.0, [0.2, 0.15, 0.5, 0.15, 0.0, 0.0])]
    truth = sum(height * np.exp(-((X - np.array(at)) ** 2).sum(1) / 0.04) for height, at in hills)
    devices = [len(f.s) for f in films]
    names = np.repeat([f"film-{i:05d}" for i in range(len(films))], devices)
    offset = np.repeat(rng.normal(0, 0.1, len(films)), devices)
    Y = truth + offset + rng.normal(0, 0.1, len(X))
    return Dataset(
        X, Y[:, None], np.full((len(X), 1), np.nan), names, np.repeat(np.arange(len(films)) * 3600.0, devices)
    )


def cpu_seconds(work: Callable[[], object], repeats: int) -> float:
    """Median CPU seconds of the process over `repeats` runs."""
    taken = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return statistics.median(taken)


def linear_algebra(n: int, devices: int, repeats: int) -> tuple[float, float]:
    """CPU seconds of one n x n Cholesky factorisation, and of one posterior of K points from its factor."""
    rng = np.random.default_rng(0)
    x = rng.random(n)
    K = np.exp(-np.abs(x[:, None] - x)) + np.eye(n)
    factor = cholesky(K, lower=True)
    cross = rng.random((n, devices))
    posterior = cpu_seconds(lambda: (v := solve_triangular(factor, cross, lower=True)).T @ v, repeats)
    return cpu_seconds(lambda: cholesky(K, lower=True, check_finite=False), repeats), posterior


def row(n: int, repeats: int) -> dict[str, object]:
    """Figures of one size: the decision after the last of its films was measured."""
    problem = alloy_problem()
    films = films_of(problem, -(-n // problem.film.devices), seed=n)
    now = measured(films, 1).take(np.arange(n))
    before = now.take(now.films != now.films[-1])
    first = train(problem, before, seed=1)
    cold = cpu_seconds(lambda: train(problem, now, seed=1), repeats)
    warm = cpu_seconds(lambda: train(problem, now, seed=1, previous=first), repeats)
    bundle = train(problem, now, seed=1, previous=first)
    ask = cpu_seconds(lambda: propose(problem, bundle, now, pending=[], count=1, seed=1), repeats)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    factor, _ = linear_algebra(n, problem.film.devices, 3 if n > 3000 else 20)
    return {
        "n": n,
        "fit_cold_s": cold,
        "fit_warm_s": warm,
        "search_s": ask,
        "decision_cold_s": cold + ask,
        "decision_s": warm + ask,
        "peak_mb": peak,
        "cholesky_s": factor,
        "decision_over_cholesky": (warm + ask) / factor,
    }


def in_own_process(n: int, repeats: int) -> dict[str, object]:
    """`row` in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.decision_time", "--one", str(n), "--repeats", str(repeats)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


def peer(python: str, name: str, n: int) -> float | None:
    """CPU seconds in which a peer proposes one point from the same n readings; None, with its words, if it fails."""
    data = measured(films_of(alloy_problem(), -(-n // 13), seed=n), 1).take(np.arange(n))
    asked = json.dumps({"X": data.X.tolist(), "y": data.Y[:, 0].tolist(), "elements": ELEMENTS})
    script = Path(__file__).parent / "decisions" / "peers" / "single_point.py"
    done = subprocess.run([python, str(script), name], input=asked, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{name} at n = {n}: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
        return None
    return float(json.loads(done.stdout.strip().splitlines()[-1])["cpu_seconds"])


def main() -> None:
    """Print the table and store it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sizes", type=int, nargs="+", default=[200, 1000, 2000, 10000])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--peers", help="Python of the peers' environment")
    parser.add_argument("--peers-up-to", type=int, default=2000, help="largest n at which peers are asked")
    parser.add_argument("--one", type=int, help="print the row of one size as JSON")
    parser.add_argument("--write", action="store_true", help="store the table under benchmarks/results")
    args = parser.parse_args()
    if args.one:
        print(json.dumps(row(args.one, args.repeats)))
        return
    facts = provenance()
    print(heading("decision time, d = 6, K = 13, CPU seconds of one thread, median"))
    rows = [in_own_process(n, args.repeats) for n in args.sizes]
    for line in rows if args.peers else ():
        n = int(str(line["n"]))
        line |= {f"{name}_s": peer(args.peers, name, n) if n <= args.peers_up_to else None for name in PEERS}
    print(markdown_table(rows))
    if args.write:
        write_study("decision_time", {**facts, "repeats": args.repeats}, rows)


if __name__ == "__main__":
    main()
