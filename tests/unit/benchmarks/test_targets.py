"""The benchmark of targets, on one small campaign of each arm."""

import numpy as np
import pytest

from benchmarks import targets
from benchmarks.targets import ARMS, FIGURES, compared, drawn, play
from models.catalog import ExpectedImprovement

QUICK = ExpectedImprovement(raw_films=16, restarts=1, mc_samples=16)


@pytest.mark.parametrize("seed", [0, 1])
def test_a_drawn_target_is_rare_and_the_same_for_every_arm(seed):
    task, again = drawn(seed), drawn(seed)
    y = task.truth(task.space.sample(4000, seed=1))
    beyond = (y < task.target).mean() if seed == 0 else (y > task.target).mean()
    assert beyond == pytest.approx(0.01, abs=0.002)
    assert again.target == task.target
    assert y.std() == pytest.approx(task.sd)


def test_arms_share_the_first_films_and_every_figure_is_compared(monkeypatch):
    monkeypatch.setattr(targets, "POLICY", QUICK)
    task = drawn(0)
    runs = [play(task, arm, seed, films=3) for seed in (0, 1) for arm in ARMS]
    assert {r["arm"] for r in runs} == set(ARMS)
    assert all(1 <= r["device"] <= 4 and 1 <= r["recommended"] <= 4 and r["miss_sd"] >= 0.0 for r in runs)
    rows = compared(runs, "drawn")
    assert [(row["figure"], row["arm"]) for row in rows] == [(f, a) for f in FIGURES for a in ARMS]


def test_what_a_lab_would_do_reads_distances_and_nothing_else():
    task, X = drawn(1), drawn(1).space.sample(7, seed=2)
    nothing = targets.Dataset.empty(4)
    value, distance = (
        targets._read(task, arm, nothing, X, np.random.default_rng(3)).Y for arm in ("match", "distance")
    )
    np.testing.assert_allclose(distance, np.abs(value - task.target))


def test_reached_is_counted_in_films_and_never_is_one_more_than_there_were():
    assert targets._first([0.5, 0.1, 0.3], 0.2) == 2
    assert targets._first([0.5, 0.4], 0.2) == 3
    assert targets._lasting([0.1, 0.5, 0.1, 0.1], 0.2) == 3
    assert targets._lasting([0.1, 0.5], 0.2) == 3
    assert targets._lasting([0.1], 0.2) == 1
