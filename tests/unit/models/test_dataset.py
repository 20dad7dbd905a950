import numpy as np
import pytest

from models.dataset import Dataset
from models.errors import InvalidDataset


def readings(n=6):
    rng = np.random.default_rng(0)
    return Dataset(
        rng.dirichlet(np.ones(3), n),
        rng.standard_normal((n, 1)),
        np.full((n, 1), np.nan),
        np.array([f"film-{k % 2}" for k in range(n)]),
        np.arange(n, dtype=np.float64),
        np.array([f"r{k}" for k in range(n)]),
    )


def test_arrival_does_not_change_the_canonical_order_nor_the_fingerprint():
    data = readings()
    shuffled = data.take(np.random.default_rng(1).permutation(len(data)))
    assert np.array_equal(data.canonical().X, shuffled.canonical().X)
    assert data.fingerprint() == shuffled.fingerprint()


def test_any_change_of_content_changes_the_fingerprint():
    data = readings()
    moved = Dataset(data.X, data.Y + 1e-12, data.Yvar, data.films, data.times, data.names)
    renamed = Dataset(data.X, data.Y, data.Yvar, data.films[::-1], data.times, data.names)
    assert len({data.fingerprint(), moved.fingerprint(), renamed.fingerprint()}) == 3


def test_an_empty_dataset_has_columns_and_no_rows():
    empty = Dataset.empty(4)
    assert len(empty) == 0
    assert empty.X.shape == (0, 4)
    assert len(empty.canonical()) == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"X": np.full((6, 3), np.nan)},
        {"Y": np.full((6, 1), np.inf)},
        {"Yvar": np.full((6, 1), np.inf)},
        {"Yvar": np.full((6, 1), -1.0)},
        {"Y": np.zeros((5, 1)), "Yvar": np.zeros((5, 1))},
        {"films": np.array(["a"])},
        {"Y": np.zeros((6, 2))},
    ],
)
def test_what_is_no_dataset_is_refused(wrong):
    parts = {name: getattr(readings(), name) for name in ("X", "Y", "Yvar", "films", "times", "names")} | wrong
    with pytest.raises(InvalidDataset):
        Dataset(**parts)
