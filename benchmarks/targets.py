"""Films until a target is met: a campaign that names it, one that minimises the distance from it, and random films.

    python -m benchmarks.targets --seeds 30 --write

Two tasks. `drawn`: four elements, a property drawn by seed from a Gaussian process of lengthscale 0.35 (random
features), and a target that 1 % of all compositions lie below (even seeds) or above (odd seeds). `invar`: thermal
expansion of Fe-Ni-Co-Cr-V-Cu alloys by trees fitted to 699 published ones, and a target of 11 ppm/K: 4 % of even draws
lie below it. The tolerance is 0.1 sd of the property over even draws. Films have 7 devices and spans of 5 to 30 at.%; a
reading scatters by 0.05 sd, a film by 0.1 sd. Two space-filling films first, then the arm's own.

| arm | objective | films |
| --- | --- | --- |
| `match` | `match` with target and tolerance | `expected_improvement` |
| `distance` | what a lab can do without: each reading's distance from the target, to be minimised | the same |
| `random` | as `match`, for its recommendation alone | drawn by seed |

All arms of a seed share the property, the first films and the noise of film k. Figures, by true values: films until a
device lies within the tolerance (`device`), films until the recommended composition does and stays so (`recommended`),
and by how much the last one misses the target, in sd. What was never reached counts as one film more than there were.
The recommendation is what is expected nearest of 2,000 even compositions and of those read. Differences are paired.
"""

import argparse
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, ttest_1samp

from benchmarks.generators.landscapes import invar
from benchmarks.provenance import heading, markdown_table, provenance, write_study
from models.catalog import ExpectedImprovement, RandomFilms
from models.composition import SearchSpace
from models.dataset import Dataset
from models.film import FilmGeometry
from models.objective import Objective
from models.problem import Problem
from models.propose import propose
from models.surrogates.base import ModelBundle
from models.train import train

Array = NDArray[np.float64]

ARMS = ("match", "distance", "random")
FIGURES = ("device", "recommended", "miss_sd")
FILMS, FIRST, DEVICES, POOL = 12, 2, 7, 2000
NOISE, OFFSET, TOLERANCE = 0.05, 0.1, 0.1
"""In sd of the property."""
FEATURES, LENGTHSCALE, RARE = 500, 0.35, 0.01
GEOMETRY = FilmGeometry(devices=DEVICES, span_min=0.05, span_max=0.3)
POLICY = ExpectedImprovement(raw_films=512, restarts=4)


@dataclass(frozen=True)
class Task:
    """A property over compositions, and the value that is wanted."""

    space: SearchSpace
    truth: Callable[[Array], Array]
    target: float
    sd: float

    @property
    def tolerance(self) -> float:
        """How far from the target is as good."""
        return TOLERANCE * self.sd

    def miss(self, X: Array) -> Array:
        """Distance of true values from the target, `j`."""
        return np.abs(self.truth(X) - self.target)


def drawn(seed: int) -> Task:
    """A property of four elements, and a target in one of its tails."""
    rng, space = np.random.default_rng([seed, 11]), SearchSpace(elements=("A", "B", "C", "D"))
    # Frequencies of a Matern-5/2 kernel are those of a t distribution of five degrees of freedom.
    frequencies = rng.standard_t(5.0, (FEATURES, 1)) * rng.standard_normal((FEATURES, 4)) / LENGTHSCALE
    phases, weights = rng.uniform(0.0, 2.0 * np.pi, FEATURES), rng.standard_normal(FEATURES)

    def truth(X: Array) -> Array:
        return np.asarray(np.sqrt(2.0 / FEATURES) * (np.cos(X @ frequencies.T + phases) @ weights))

    y = truth(space.sample(4000, seed=1))
    return Task(space, truth, float(np.quantile(y, RARE if seed % 2 == 0 else 1.0 - RARE)), float(y.std()))


def expansion(_seed: int) -> Task:
    """Thermal expansion of invar alloys.

    Raises:
        DataAbsent: If the table is not on this machine.
    """
    land = invar()
    return Task(land.space, lambda X: -land.truth(X), 11.0, land.sd)


TASKS: dict[str, Callable[[int], Task]] = {"drawn": drawn, "invar": expansion}


def problem_of(task: Task, arm: str, seed: int) -> Problem:
    """What an arm asks for."""
    match = Objective(property="value", unit="1", direction="match", target=task.target, tolerance=task.tolerance)
    distance = Objective(property="distance", unit="1", direction="minimise")
    return Problem(
        space=task.space,
        objectives=(distance if arm == "distance" else match,),
        film=GEOMETRY,
        policy=RandomFilms() if arm == "random" else POLICY,
        initial_films=FIRST,
        seed=seed,
    )


def play(task: Task, arm: str, seed: int, films: int = FILMS) -> dict[str, object]:
    """One campaign: after each film the smallest miss of a device so far, and that of what is recommended."""
    asked, pool = problem_of(task, arm, seed), task.space.sample(POOL, seed=3)
    # Random films begin with the space-filling ones of the others.
    start = problem_of(task, "match", seed)
    data, bundle, device, recommended = Dataset.empty(task.space.dimension), None, list[float](), list[float]()
    for number in range(films):
        deciding = start if number < FIRST else asked
        film = propose(deciding, bundle, data, pending=[], count=1, seed=1000 * seed + number)[0].film
        data = _read(task, arm, data, film.points(), np.random.default_rng([seed, number]))
        bundle = train(asked, data, seed=seed, previous=bundle)
        device.append(min([float(task.miss(film.points()).min()), *device]))
        recommended.append(_recommended(task, asked, bundle, np.vstack([pool, data.X])))
    return {
        "arm": arm,
        "seed": seed,
        "device": _first(device, task.tolerance),
        "recommended": _lasting(recommended, task.tolerance),
        "miss_sd": recommended[-1] / task.sd,
    }


def _read(task: Task, arm: str, data: Dataset, X: Array, noise: np.random.Generator) -> Dataset:
    """The readings so far and those of a film."""
    scatter = OFFSET * noise.standard_normal() + NOISE * noise.standard_normal(len(X))
    value = task.truth(X) + task.sd * scatter
    y = np.abs(value - task.target) if arm == "distance" else value
    number = len(set(data.films.tolist()))
    return Dataset(
        np.vstack([data.X, X]),
        np.vstack([data.Y, y[:, None]]),
        np.full((len(data) + len(X), 1), np.nan),
        np.append(data.films, [f"film-{number:03d}"] * len(X)),
        np.arange(len(data) + len(X), dtype=np.float64),
    )


def _recommended(task: Task, asked: Problem, bundle: ModelBundle, points: Array) -> float:
    """By how much what is expected to be best misses the target."""
    worth = bundle.surrogate.predict(points).expected(asked.objectives)[:, 0]
    return float(task.miss(points[[int(np.argmax(worth))]])[0])


def _first(misses: Sequence[float], tolerance: float) -> int:
    """Films until the tolerance was kept."""
    return next((k for k, miss in enumerate(misses, start=1) if miss <= tolerance), len(misses) + 1)


def _lasting(misses: Sequence[float], tolerance: float) -> int:
    """Films after which it was always kept."""
    return max((k for k, miss in enumerate(misses, start=1) if miss > tolerance), default=0) + 1


def compared(runs: Sequence[dict[str, object]], task: str) -> list[dict[str, object]]:
    """Means by arm, with the differences from `match` that go with them."""
    rows = []
    for figure in FIGURES:
        values = {arm: _by_seed(runs, arm, figure) for arm in ARMS}
        for arm in ARMS:
            row: dict[str, object] = {
                "task": task,
                "figure": figure,
                "arm": arm,
                "mean": float(values[arm].mean()),
                "median": float(np.median(values[arm])),
            }
            rows.append(row | _against(values["match"], values[arm], itself=arm == "match"))
    return rows


def _by_seed(runs: Sequence[dict[str, object]], arm: str, figure: str) -> Array:
    found = sorted((int(str(r["seed"])), float(str(r[figure]))) for r in runs if r["arm"] == arm)
    return np.array([value for _, value in found])


def _against(match: Array, other: Array, *, itself: bool) -> dict[str, object]:
    """How much more the other needs, paired: positive speaks for `match`."""
    if itself:
        return {"more than match": "", "error": "", "match better": "", "match worse": "", "p t": "", "p sign": ""}
    more = other - match
    better, worse = int((more > 0.0).sum()), int((more < 0.0).sum())
    return {
        "more than match": float(more.mean()),
        "error": float(more.std(ddof=1) / np.sqrt(len(more))),
        "match better": better,
        "match worse": worse,
        "p t": float(ttest_1samp(more, 0.0).pvalue) if more.any() else 1.0,
        "p sign": float(binomtest(better, max(1, better + worse)).pvalue),
    }


def main() -> None:
    """Play, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=list(TASKS))
    parser.add_argument("--log", type=Path, help="keep each campaign as a line, and play none of these again")
    parser.add_argument("--write", action="store_true", help="store the table under benchmarks/results")
    options = parser.parse_args()
    print(heading("Films until a target is met"), flush=True)
    rows = []
    for name in options.tasks:
        runs = played(name, range(options.seeds), options.log)
        rows += compared(runs, name)
    print(markdown_table(rows))
    if options.write:
        facts = {**provenance(), "seeds": options.seeds, "films": FILMS, "tolerance_sd": TOLERANCE}
        write_study("targets", facts, rows)


def played(name: str, seeds: Sequence[int], log: Path | None) -> list[dict[str, object]]:
    """Every arm of every seed, those of the log as they are there."""
    lines = log.read_text(encoding="utf-8").splitlines() if log is not None and log.exists() else []
    known = [run for run in map(json.loads, lines) if run["task"] == name and run["seed"] in seeds]
    done = {(run["arm"], run["seed"]) for run in known}
    for seed in seeds:
        task = TASKS[name](seed)
        for arm in (arm for arm in ARMS if (arm, seed) not in done):
            run = {"task": name, **play(task, arm, seed)}
            known.append(run)
            print(json.dumps(run), flush=True)
            if log is not None:
                with log.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(run) + "\n")
    return known


if __name__ == "__main__":
    main()
