"""Whatever the readings are, training ends in a finite model or in a typed error, and order never matters."""

from random import Random

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from models.dataset import Dataset
from models.errors import FitFailed, InvalidDataset, NotEnoughData
from models.train import train
from tests.oracles import small_lab

PROBLEM = small_lab.problem(process=False)
FAR = np.array([[1.0, 0.0, 0.0], [0.2, 0.3, 0.5], [40.0, -20.0, -19.0]])

value = st.one_of(
    st.sampled_from([0.0, 1.0, -1.0, 10.0]),
    st.floats(-10.0, 10.0),
    st.floats(allow_nan=True, allow_infinity=False, width=64),
)
variance = st.one_of(st.just(np.nan), st.sampled_from([0.0, 1e-12, 1.0, 1e12]), st.floats(0.0, 1e300))
share = st.integers(0, 6)


@st.composite
def datasets(draw):
    n = draw(st.integers(1, 10))

    def column(of):
        return np.array(draw(st.lists(of, min_size=n, max_size=n)), dtype=np.float64)

    parts = np.array(draw(st.lists(st.tuples(share, share, share), min_size=n, max_size=n)), dtype=np.float64) + 1e-3
    films = np.array([f"film-{k}" for k in draw(st.lists(st.integers(0, 3), min_size=n, max_size=n))])
    X = parts / parts.sum(1, keepdims=True)
    names = np.array([f"r{k}" for k in range(n)])
    return Dataset(X, column(value)[:, None], column(variance)[:, None], films, np.arange(n, dtype=np.float64), names)


def one_absurd_variance():
    """The only positive variance is larger than anything that can be squared."""
    X = np.vstack([np.full((6, 3), 1.0 / 3.0), [[0.001, 0.001, 0.998]]])
    Yvar = np.array([[0.0]] * 6 + [[8.14405796e157]])
    films, names = np.array(["film-0"] * 7), np.array([f"r{k}" for k in range(7)])
    return Dataset(X, np.zeros((7, 1)), Yvar, films, np.arange(7.0), names)


@settings(max_examples=40, deadline=None)
@example(one_absurd_variance(), Random(0))  # noqa: S311  (an order of rows, no secret)
@given(datasets(), st.randoms(use_true_random=False))
def test_training_ends_well(dataset, random):
    rows = np.array(random.sample(range(len(dataset)), len(dataset)))
    try:
        bundle = train(PROBLEM, dataset, seed=0)
    except (NotEnoughData, FitFailed, InvalidDataset) as error:
        with pytest.raises(type(error)):
            train(PROBLEM, dataset.take(rows), seed=0)
        return
    predicted = bundle.predict(PROBLEM, FAR)
    assert np.isfinite(predicted.mean).all()
    assert np.isfinite(predicted.sd).all()
    shuffled = train(PROBLEM, dataset.take(rows), seed=0).predict(PROBLEM, FAR)
    np.testing.assert_array_equal(shuffled.mean, predicted.mean)
    np.testing.assert_array_equal(shuffled.sd, predicted.sd)
