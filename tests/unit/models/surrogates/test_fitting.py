import numpy as np
import pytest

from models.errors import FitFailed
from models.surrogates.evidence import Readings
from models.surrogates.film_gp_state import FilmGPState
from models.surrogates.fitting import fit
from models.surrogates.hyperparameters import Layout, log_prior, priors
from tests.oracles import small_lab

DATA = FilmGPState.unfitted(small_lab.problem(), small_lab.dataset(6).canonical()).readings(0)


def search(*, starts=1, previous=None, film_effect=True, data=DATA, seed=0):
    layout = Layout(data.x.shape[1], film_effect=film_effect)
    return fit(data, layout=layout, seed=seed, starts=starts, previous=previous, progress=lambda _phase: None)


def penalised(found):
    return found.log_evidence + log_prior(found.hyperparameters.theta(), priors(4, film_effect=True))[0]


def test_the_first_climb_begins_where_the_last_one_ended():
    cold = search()
    warm = search(previous=cold.hyperparameters)
    assert warm.warm
    assert warm.evaluations < cold.evaluations / 3
    assert penalised(warm) == pytest.approx(penalised(cold), abs=1e-4)


def test_more_starts_end_no_lower():
    few, many = search(starts=1), search(starts=4)
    assert penalised(many) >= penalised(few) - 1e-6
    assert many.evaluations > few.evaluations


def test_an_earlier_fit_with_the_film_effect_is_no_start_without_it():
    found = search(previous=search().hyperparameters, film_effect=False)
    assert found.hyperparameters.film_variance == 0.0
    assert not found.warm


def test_hyperparameters_of_a_drawn_function_are_found_again():
    """300 readings of one draw of the prior: noise to a tenth, short and long lengthscales told apart."""
    rng = np.random.default_rng(0)
    x = rng.random((300, 2))
    distance = np.abs(x[:, None] - x) / [0.2, 2.0]
    r = np.sqrt(5.0 * (distance**2).sum(-1))
    f = np.linalg.cholesky((1 + r + r**2 / 3) * np.exp(-r) + 1e-10 * np.eye(300)) @ rng.standard_normal(300)
    y = f + 0.1 * rng.standard_normal(300)
    h = search(data=Readings(x, y, np.full(300, np.nan), np.arange(300))).hyperparameters
    assert np.sqrt(h.noise_variance + h.film_variance) == pytest.approx(0.1, rel=0.15)
    assert 0.1 < h.lengthscales[0] < 0.4
    assert h.lengthscales[1] > 0.7


def test_readings_that_no_covariance_explains_end_in_a_typed_error():
    with pytest.raises(FitFailed, match="at none of 2 starts"):
        search(data=Readings(np.full((3, 1), np.nan), np.ones(3), np.full(3, np.nan), np.arange(3)), starts=2)
