import numpy as np
import pytest
import torch
from scipy.stats import kstest

from models.propose import propose
from models.tensors import normal_draws, to_array, use_device
from models.train import train
from tests.oracles import film_lab
from tests.unit.models.policies.test_film_acquisition import FILMS, PROBLEM


@pytest.fixture(autouse=True)
def _processor_afterwards():
    yield
    use_device("cpu")


@pytest.mark.parametrize("name", ["tpu", "cuda", "cuda:x", "cuda:99", "CPU", ""])
def test_a_device_that_is_not_there_is_refused_by_name(name):
    with pytest.raises(ValueError, match=f"device '{name}'"):
        use_device(name)


def test_auto_takes_the_accelerator_if_there_is_one():
    assert use_device("auto") == ("cuda:0" if torch.cuda.is_available() else "cpu")


def test_draws_are_standard_normal_and_repeat():
    drawn = to_array(normal_draws(1024, 3, seed=7))
    assert drawn.shape == (1024, 3)
    assert min(kstest(column, "norm").pvalue for column in drawn.T) > 0.05
    assert np.array_equal(drawn, to_array(normal_draws(1024, 3, seed=7)))
    assert not np.array_equal(drawn, to_array(normal_draws(1024, 3, seed=8)))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no accelerator")
def test_an_accelerator_gives_the_same_film():
    data = film_lab.measured(PROBLEM, FILMS)
    films = []
    for device in ("cpu", "cuda:0"):
        use_device(device)
        bundle = train(PROBLEM, data, seed=0)
        films.append(propose(PROBLEM, bundle, data, pending=[], count=1, seed=0)[0].film.points())
    np.testing.assert_allclose(films[0], films[1], atol=1e-4)
