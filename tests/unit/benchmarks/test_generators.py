"""The comparison of generators, on a small table: every figure is there, and an interrupted study keeps what it has."""

import json

import numpy as np
import pytest
from scipy import stats

from benchmarks.decisions.data import DataAbsent
from benchmarks.generators import films, landscapes, loops, mpea
from benchmarks.generators.tables import Table
from benchmarks.generators.tables import mpea as published
from models.catalog import ConditionalVAE, NeighbourJitter
from models.composition import GroupRule, SearchSpace
from tests.oracles import alloy_table


def test_one_seed_of_the_study_is_written_with_every_figure(tmp_path, monkeypatch):
    made = alloy_table.alloys(120, seed=1)
    table = Table(made.elements, made.X, made.Y[:, 0])
    choices = {
        "conditional_vae": ConditionalVAE(steps=60, width=16, latent=3, pool=4),
        "neighbour_jitter": NeighbourJitter(),
    }
    monkeypatch.setattr(mpea, "RESULTS", tmp_path)
    monkeypatch.setattr(mpea, "QUANTILES", np.array([0.3, 0.7]))
    found = {name: [figures] for name, figures in mpea.runs_of(table, 3, choices).items()}
    mpea.write({"seeds": [3]}, found)
    stored = json.loads((tmp_path / "mpea.json").read_text())["generators"]
    assert {"two_sample_test", "active_units", "support_accuracy", "conditional_error", "novel_share"} <= set(
        stored["conditional_vae"]
    )
    assert stored["conditional_vae"]["train_cpu_seconds"] > 0.0
    assert set(stored) == {*choices, "conditional_vae_unweighed", "weighed_jitter", "resampled_data"}
    assert (tmp_path / "mpea.md").read_text().count("| conditional_error |") == 2


def test_no_hardness_is_seen_by_both_the_generators_and_the_oracle():
    made = alloy_table.alloys(120, seed=1)
    split = mpea.Split(Table(made.elements, made.X, made.Y[:, 0]), seed=0)
    shown = np.isfinite(split.trained.Y[:, 0])
    assert not np.isfinite(split.unseen.Y).any()
    # Trees that had seen a point would give its own value back, to the last digit.
    assert np.abs(split.oracle(split.trained.X[shown]) - split.trained.Y[shown]).min() > 0.0


def test_the_published_table_has_its_published_size():
    try:
        table = published()
    except DataAbsent as absent:
        pytest.skip(str(absent))
    assert (table.X.shape, int(np.isfinite(table.y).sum())) == ((630, 30), 377)
    np.testing.assert_allclose(table.X.sum(axis=1), 1.0)


def small_space():
    light = GroupRule(name="light", elements=("Al", "Ti"), upper=0.4, max_present=1)
    return SearchSpace(elements=alloy_table.ELEMENTS, groups=(light,))


def small_landscape():
    space = small_space()

    def truth(X):
        assert not [broken for x in X if (broken := space.violations(x))]
        return alloy_table.hardness(X)

    return landscapes.landscape(space, truth)


def test_a_loop_with_generated_pools_keeps_the_rules_and_says_what_won():
    land = small_landscape()
    assert land.best > land.goal
    model = ConditionalVAE(steps=30, width=16, latent=3, pool=2)
    runs = [loops.campaign(land, arm, 1, 2, model) for arm in ("uniform", "lattice", "mixed")]
    for run in runs:
        assert sum(run["won"].values()) == 2 * loops.BATCH
        assert np.diff(run["regret"]).max() <= 0.0
    assert set(runs[2]["won"]) <= {"uniform", "jitter", "vae"}
    assert runs[0]["regret"][0] == runs[2]["regret"][0]
    rows = loops.table(runs, ["uniform", "lattice", "mixed"])
    assert [row["arm"] for row in rows] == ["uniform", "lattice", "mixed"]
    gaps = loops.differences(runs, ["uniform", "lattice", "mixed"])
    assert {(gap["arm"], gap["less"]) for gap in gaps} == {("mixed", "uniform"), ("mixed", "lattice")}


def small_table():
    made = alloy_table.alloys(120, seed=1)
    return Table(made.elements, made.X, made.Y[:, 0])


def test_a_loop_with_families_left_out_begins_without_them_and_without_their_best():
    table = small_table()
    land = landscapes.families_of(table)
    names = {x.tobytes() for x in table.X > 0.0}
    hard = {x.tobytes() for x in table.X[table.y >= np.nanquantile(table.y, 1.0 - landscapes.HARDEST)] > 0.0}
    for seed in (1, 2):
        X, y = land.known(seed)
        known = {x.tobytes() for x in X > 0.0}
        assert 0 < len(known) < len(names)
        assert not known & hard
        # Whole families: no alloy of a known one is missing, and each is read where a value was published.
        assert len(X) == sum(x.tobytes() in known for x in table.X > 0.0)
        np.testing.assert_allclose(land.truth(X[np.isfinite(y)]), y[np.isfinite(y)])
    assert np.abs(land.truth(table.X) - table.y)[np.isfinite(table.y)].mean() < 0.3 * land.sd
    run = loops.campaign(land, "untrained", 1, 1, ConditionalVAE(), later=10)
    assert run["regret"][0] == pytest.approx((land.best - np.nanmax(land.known(1)[1])) / land.sd)


def test_a_difference_is_resolved_by_both_tests_and_not_worse_by_the_margin():
    clear = -np.linspace(0.5, 1.5, 12)
    assert loops.verdict(clear, 0.25) == "better"
    assert loops.verdict(-clear, 0.25) == "worse"
    even = np.array([-0.1, 0.1] * 15)
    assert (loops.verdict(even, 0.25), loops.verdict(even, 0.01)) == ("not worse", "open")
    assert loops.verdict(np.zeros(5), 0.25) == "not worse"


def test_films_with_generated_starts_are_played_and_compared(monkeypatch):
    monkeypatch.setattr(films, "MODEL", ConditionalVAE(steps=20, width=8, latent=2, pool=2))
    told = [dict(zip(alloy_table.ELEMENTS, x.tolist(), strict=True)) for x in alloy_table.alloys(30, seed=2).X]
    monkeypatch.setattr(films, "told", lambda _land, _seed: told)
    land, arms = small_landscape(), ["lattice", "merged", "rows", "pretrained"]
    runs = [films.campaign(land, arm, 1, 4) for arm in arms]
    for run in runs:
        assert np.diff(run["regret"]).max() <= 0.0
        assert sum(run["won"].values()) == 2
        assert run["regret"][:2] == runs[0]["regret"][:2], "every arm begins with the same two films"
    assert [set(run["won"]) for run in runs[2:]] == [{"generator"}, {"generator"}]
    gaps = films.differences(runs, arms)
    assert ("pretrained", "rows") in {(gap["arm"], gap["less"]) for gap in gaps}
    assert ("lattice", "rows") not in {(gap["arm"], gap["less"]) for gap in gaps}


def test_nothing_in_the_published_table_is_good_and_half_of_it_is_of_the_ridges_elements():
    land = landscapes.wide()
    table = landscapes.published(land, 3)
    assert table.shape == (300, 12)
    assert land.truth(table).max() < land.goal
    assert [v for x in table for v in land.space.violations(x)] == []
    np.testing.assert_array_equal(table, landscapes.published(land, 3))
    assert not np.array_equal(table[150:], landscapes.published(land, 4)[150:])
    assert land.truth(table[:150]).mean() > 1.3 * land.truth(table[150:]).mean()


def test_paired_differences_are_those_of_scipy():
    gap = np.array([-1.0, -0.5, 0.2, -0.7, 0.0])
    told = loops.paired(gap)
    assert told["p_t"] == f"{stats.ttest_rel(gap, np.zeros(5)).pvalue:.3f}"
    assert told["p_sign"] == f"{stats.binomtest(3, 4).pvalue:.3f}"
    assert loops.paired(np.zeros(3))["p_t"] == "-"
