import numpy as np
import pytest

from benchmarks.lengthscales import Landscape, fitted


def test_a_column_that_changes_more_has_the_shorter_lengthscale():
    X = np.random.default_rng(0).dirichlet(np.ones(3), 120)
    row = fitted(Landscape("made up", ("A", "B", "C"), X, np.sin(9.0 * X[:, 0]) + 0.1 * X[:, 1]), seed=0)
    scales = dict(part.split() for part in str(row["lengthscales"]).split(", "))
    assert row["readings"] == 120
    assert float(scales["A"]) < 0.5 * min(float(scales["B"]), float(scales["C"]))
    assert row["noise"] < 0.05


def test_level_and_spread_are_those_of_the_logarithms():
    X = np.random.default_rng(1).dirichlet(np.ones(3), 60)
    row = fitted(Landscape("made up", ("A", "B", "C"), X, np.cos(4.0 * X[:, 2])), seed=0)
    logarithms = np.log([float(part.split()[1]) for part in str(row["lengthscales"]).split(", ")])
    assert row["spread"] == pytest.approx(logarithms.std(ddof=1), abs=0.05)
    assert row["level"] == pytest.approx(logarithms.mean() - (np.sqrt(2.0) - 3.0 + 0.5 * np.log(3.0)), abs=0.05)
