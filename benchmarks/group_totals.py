"""What the total of a group of elements is worth as a column of the model: it predicts compositions that were not made.

Run: `python -m benchmarks.group_totals --seeds 30`

Random films are read with the noise of the decision benchmark, and fitted twice: with the rule on the group, and with
the same rule written as one on a sum, which leaves the same region and no column. Paired differences, with less
without:

- `hall`: T3 of the decision benchmark, where Ta, W and Ir are a group and their total is what dilutes and anneals;
- `plates`: three real oxide libraries where three elements drawn by seed are called a group: one that means nothing.

Correlation, root mean square error and mean log density of the truth at 2,000 points of the landscape, log density of
films left out, all in units of the property's sd.
"""

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.stats import ttest_1samp

from benchmarks.decision_time import films_of
from benchmarks.decisions.campaign import extended
from benchmarks.decisions.continuous import hall_task
from benchmarks.decisions.noise import Noise
from benchmarks.decisions.plates import PLATES, Plate
from benchmarks.decisions.task import Task
from benchmarks.provenance import heading, provenance, write_study
from models.composition import GroupRule, LinearRule
from models.dataset import Dataset
from models.problem import Problem
from models.train import train

Array = NDArray[np.float64]

COLUMNS = ("correlation", "rmse", "log_density", "left_out")
GROUP = 3
"""Elements of a group that means nothing."""
NEXT_TO_ALL = 0.999
"""Its largest total: a group without a limit is no column."""


def hall(seed: int) -> Iterator[tuple[Task, GroupRule]]:
    """T3 with its own group."""
    del seed
    task = hall_task("pair")
    yield task, task.problem.space.groups[0]


def plates(seed: int) -> Iterator[tuple[Task, GroupRule]]:
    """Each plate with three of its elements as a group whose limit forbids next to nothing."""
    for number in PLATES:
        plate = Plate.load(number)
        drawn = np.random.default_rng(seed).choice(plate.elements, GROUP, replace=False)
        yield plate, GroupRule(name="drawn", elements=tuple(drawn.tolist()), upper=NEXT_TO_ALL)


LANDSCAPES = {"hall": hall, "plates": plates}


def made(task: Task, films: int, seed: int) -> Dataset:
    """Readings of random films."""
    listed = task.listed
    if listed is None:
        drawn = films_of(task.problem, films, seed)
    else:
        drawn = [listed[k] for k in np.random.default_rng(seed).choice(len(listed), films, replace=False)]
    dataset, noise = Dataset.empty(task.pool().shape[1], 1), Noise()
    for number, film in enumerate(drawn):
        dataset = extended(dataset, film, noise.measure(task, seed, number, film).y, number)
    return dataset


def figures(task: Task, problem: Problem, dataset: Dataset, seed: int) -> list[float]:
    """One fit: the figures of `COLUMNS`."""
    bundle = train(problem, dataset, seed=seed)
    points, sd = task.pool(), float(task.sd[0])
    truth, told = task.truth(points)[:, 0], bundle.predict(problem, points)
    error, spread = (told.mean[:, 0] - truth) / sd, told.sd[:, 0] / sd
    density = -0.5 * (error / spread) ** 2 - np.log(spread) - 0.5 * np.log(2.0 * np.pi)
    left_out = bundle.metrics["objectives"][0]["leave_film_out"]["log_density"] + np.log(sd)
    correlation = np.corrcoef(told.mean[:, 0], truth)[0, 1]
    return [float(v) for v in (correlation, np.sqrt(np.mean(error**2)), density.mean(), left_out)]


def both(task: Task, group: GroupRule, films: int, seed: int) -> tuple[list[float], list[float]]:
    """Figures with the total as a column and without."""
    space = task.problem.space
    others = tuple(g for g in space.groups if g.name != group.name)
    same = LinearRule(
        name=group.name, coefficients=dict.fromkeys(group.elements, 1.0), lower=group.lower, upper=group.upper
    )
    rules = {"groups": (*others, group)}, {"groups": others, "linear": (*space.linear, same)}
    with_total, without = (task.problem.model_copy(update={"space": space.model_copy(update=rule)}) for rule in rules)
    dataset = made(task, films, seed)
    return figures(task, with_total, dataset, seed), figures(task, without, dataset, seed)


def main() -> None:
    """Print one row per setting, and store the table if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--films", type=int, nargs="+", default=[4, 8, 12])
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--landscapes", nargs="+", default=list(LANDSCAPES), choices=list(LANDSCAPES))
    parser.add_argument("--write", action="store_true", help="store the table under benchmarks/results")
    options = parser.parse_args()
    facts = provenance()
    print(heading("the total of a group as a column: with less without"))
    table = []
    for name in options.landscapes:
        for films in options.films:
            pairs = [both(*one, films, seed) for seed in range(options.seeds) for one in LANDSCAPES[name](seed)]
            table.append({"landscape": name, "films": films, "pairs": len(pairs)} | compared(np.array(pairs)))
            print(" ".join(f"{k} {v:.3f}" if isinstance(v, float) else f"{k} {v}" for k, v in table[-1].items()))
    if options.write:
        write_study("group_totals", {**facts, "seeds": options.seeds}, table)


def compared(pairs: Array) -> dict[str, float]:
    """Mean without, mean difference, its standard error and p of a paired t test, of each of the `COLUMNS`.

    Args:
        pairs: `j x 2 x 4` figures, with the total and without.
    """
    found: dict[str, float] = {}
    for k, name in enumerate(COLUMNS):
        change = pairs[:, 0, k] - pairs[:, 1, k]
        found |= {
            f"{name}_without": float(pairs[:, 1, k].mean()),
            f"{name}_change": float(change.mean()),
            f"{name}_error": float(change.std(ddof=1) / len(change) ** 0.5),
            f"{name}_p": float(ttest_1samp(change, 0.0).pvalue),
        }
    return found


if __name__ == "__main__":
    main()
