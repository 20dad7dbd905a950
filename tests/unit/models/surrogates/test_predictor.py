import subprocess
import sys

import numpy as np
import pytest

from models.errors import IncompatibleCheckpoint
from models.objective import Objective
from models.surrogates.predictor import BLOCK, Predictor
from models.train import train
from tests.oracles import small_lab


@pytest.fixture(scope="module")
def surrogate():
    return train(small_lab.problem(), small_lab.dataset(4, known=0.3), seed=1).surrogate


def test_it_predicts_what_the_surrogate_predicts(surrogate):
    X = small_lab.probe(BLOCK + 7)
    said, expected = Predictor.from_arrays(surrogate.arrays()).predict(X), surrogate.predict(X)
    np.testing.assert_allclose(said.mean, expected.mean, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(said.latent_sd, expected.sd, rtol=1e-6)
    np.testing.assert_allclose(said.film_effect_sd, np.tile(surrogate.film_effect_sd, (len(X), 1)), rtol=1e-12)
    np.testing.assert_allclose(said.noise_sd, np.tile(surrogate.noise_sd, (len(X), 1)), rtol=1e-12)


def test_means_take_the_direction_of_their_objective(surrogate):
    X, arrays = small_lab.probe(3), surrogate.arrays()
    down = Objective(property="signal", unit="V", direction="minimise")
    plain, signed = Predictor.from_arrays(arrays).predict(X), Predictor.from_arrays(arrays, (down,)).predict(X)
    np.testing.assert_array_equal(signed.mean, -plain.mean)
    np.testing.assert_array_equal(signed.latent_sd, plain.latent_sd)
    with pytest.raises(IncompatibleCheckpoint, match="1 objectives, not of 2"):
        Predictor.from_arrays(arrays, (down, down))


def test_no_points_no_predictions(surrogate):
    assert Predictor.from_arrays(surrogate.arrays()).predict(np.empty((0, 4))).mean.shape == (0, 1)


@pytest.mark.parametrize("spoil", [lambda a: a.pop("theta"), lambda a: a.update(width=np.ones(7)), lambda a: a.clear()])
def test_arrays_that_are_no_model_are_refused(surrogate, spoil):
    arrays = surrogate.arrays()
    spoil(arrays)
    with pytest.raises(IncompatibleCheckpoint):
        Predictor.from_arrays(arrays)


def test_it_needs_no_torch():
    code = "import sys, models.surrogates.predictor; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
