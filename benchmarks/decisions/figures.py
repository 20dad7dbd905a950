"""From finished campaigns to figures: regret by number of films, pooled over tasks and seeds, and paired tests."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, ttest_rel

from benchmarks.decisions.records import Record
from benchmarks.decisions.task import Task

Array = NDArray[np.float64]


def regrets(task: Task, values: Sequence[float | None]) -> Array:
    """How far true values are from the best one, in the task's unit; NaN where there is no value."""
    sign = task.problem.objectives[0].sign()
    return np.array([np.nan if v is None else sign * (task.best - v) for v in values])


def regret_paths(tasks: Mapping[str, Task], records: Sequence[Record]) -> Array:
    """Regret of the best true value measured after 1, 2, ... films, `campaigns x films`.

    Before any device has given a value the regret is that of a landscape's worst case: it is taken as the first one
    that there is.
    """
    paths = np.array([regrets(tasks[r["task"]], r["best_true"]) for r in records])
    first = np.argmax(~np.isnan(paths), axis=1)
    return np.where(np.isnan(paths), paths[np.arange(len(paths)), first][:, None], paths)


def standard_error(values: Array) -> float:
    """Of the mean; NaN for a single value."""
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("nan")


def paired(one: Array, other: Array) -> dict[str, float]:
    """Paired comparison of two arms' final regrets: negative differences are wins of `one`."""
    difference = one - other
    wins, losses = int((difference < 0).sum()), int((difference > 0).sum())
    t = float(ttest_rel(one, other).pvalue) if len(one) > 1 and difference.any() else 1.0
    return {
        "difference": float(difference.mean()),
        "standard_error": standard_error(difference),
        "wins": wins,
        "losses": losses,
        "paired_t_p": t,
        "sign_test_p": float(binomtest(wins, wins + losses).pvalue) if wins + losses else 1.0,
    }
