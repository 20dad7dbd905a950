"""From finished campaigns to figures: regret by number of films, pooled over tasks and seeds, and paired tests.

Notation: c campaigns (task and seed), n films.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, ttest_rel

from benchmarks.decisions.records import Record
from benchmarks.decisions.task import Task

Array = NDArray[np.float64]
Pair = tuple[str, int]
"""Task and seed: what two arms are paired by."""

CALIBRATION = ("coverage_50", "coverage_90", "coverage_95", "log_density")


@dataclass(frozen=True, eq=False)
class Outcome:
    """The campaigns of one arm."""

    arm: str
    tasks: Mapping[str, Task]
    records: Sequence[Record]

    @property
    def pairs(self) -> list[Pair]:
        """Task and seed of each campaign, `c`."""
        return [(r["task"], r["seed"]) for r in self.records]

    @cached_property
    def regret(self) -> Array:
        """Regret of the best true value measured after 1, 2, ... films, `c x n`.

        While no device has given a value, it is that of the first value to come.
        """
        paths = np.array([self._below_best(r, r["best_true"]) for r in self.records])
        first = paths[np.arange(len(paths)), np.argmax(~np.isnan(paths), axis=1)]
        return np.where(np.isnan(paths), first[:, None], paths)

    @cached_property
    def recommended(self) -> Array | None:
        """Regret of the recommended point after the last film, `c`; None for an arm without a model."""
        if any(r["recommended"][-1] is None for r in self.records):
            return None
        return np.array([self._below_best(r, r["recommended"][-1:])[0] for r in self.records])

    @cached_property
    def films_to_goal(self) -> Array:
        """Films until the goal of the task was reached, `c`; budget + 1 where none was."""
        found = []
        for record, path in zip(self.records, self.regret, strict=True):
            reached = path <= self._below_best(record, [self.tasks[record["task"]].goal])[0]
            found.append(int(np.argmax(reached)) + 1 if reached.any() else len(path) + 1)
        return np.array(found, dtype=float)

    @property
    def area(self) -> Array:
        """Regret averaged over the number of films, `c`."""
        mean: Array = self.regret.mean(axis=1)
        return mean

    def calibration(self) -> dict[str, float]:
        """Coverage and mean log density, whole films left out, at the end of the campaigns; empty without a model."""
        last = [r["calibration"][-1] for r in self.records if r["calibration"] and r["calibration"][-1]]
        return {name: float(np.mean([c[name] for c in last])) for name in CALIBRATION} if last else {}

    def seconds(self) -> float:
        """Mean CPU seconds of a decision."""
        return float(np.mean([s for r in self.records for s in r["cpu_seconds"]]))

    def only(self, pairs: set[Pair]) -> "Outcome":
        """The campaigns of some tasks and seeds, in order."""
        kept = [r for r in self.records if (r["task"], r["seed"]) in pairs]
        return Outcome(self.arm, self.tasks, sorted(kept, key=lambda r: (r["task"], r["seed"])))

    def _below_best(self, record: Record, values: Sequence[float | None]) -> Array:
        task = self.tasks[record["task"]]
        sign = task.problem.objectives[0].sign()
        return np.array([np.nan if v is None else sign * (task.best - v) for v in values])


def standard_error(values: Array) -> float | None:
    """Of the mean; None for a single value."""
    return float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else None


def paired(one: Array, other: Array) -> dict[str, float | None]:
    """Paired comparison of two arms in a figure of which less is better: a negative difference is a win of `one`."""
    difference = one - other
    wins, losses = int((difference < 0.0).sum()), int((difference > 0.0).sum())
    varied = len(one) > 1 and bool(np.ptp(difference) > 0.0)
    return {
        "pairs": len(one),
        "difference": float(difference.mean()),
        "standard_error": standard_error(difference),
        "wins": wins,
        "losses": losses,
        "paired_t_p": float(ttest_rel(one, other).pvalue) if varied else 1.0,
        "sign_test_p": float(binomtest(wins, wins + losses).pvalue) if wins + losses else 1.0,
    }


def in_words(test: Mapping[str, float | None]) -> str:
    """A paired comparison as part of a sentence."""
    error = test["standard_error"] or 0.0
    return (
        f"{test['difference']:+.3g} ± {error:.2g} over {test['pairs']} pairs, less in {test['wins']}, more in"
        f" {test['losses']}; paired t p = {test['paired_t_p']:.2g}, sign test p = {test['sign_test_p']:.2g}"
    )
