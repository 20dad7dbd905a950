"""Sets of hyperparameters: are they draws from the posterior, and do predictions average over them?"""

from dataclasses import replace

import numpy as np
import pytest

from models.surrogates.averaging import MOST_READINGS, Averaging, sets_for
from models.surrogates.evidence import Readings
from models.surrogates.film_gp import FilmGP
from models.surrogates.fitting import fit
from models.surrogates.hyperparameters import Layout, prior_covariance
from models.train import train
from tests.oracles import small_lab
from tests.oracles.hyperparameter_posterior import brute_force_moments


def silent(_phase):
    pass


def readings(n, *, dimension=2, seed=0):
    """Readings of a wave on films of 4."""
    rng = np.random.default_rng(seed)
    x, film = rng.random((n, dimension)), np.arange(n) // 4
    y = np.sin(5.0 * x[:, 0]) + 0.3 * rng.standard_normal(n // 4 + 1)[film] + 0.1 * rng.standard_normal(n)
    return Readings(x, y, np.full(n, np.nan), film)


def sets_of(data, *, count, elements=2, seed=0):
    layout = Layout(data.x.shape[1], elements=elements)
    found = fit(data, layout=layout, seed=seed, starts=4, previous=None, progress=silent).hyperparameters
    return Averaging(count, elements, seed, silent)(data, found)


@pytest.mark.parametrize("n", [8, 16])
def test_sets_have_the_moments_of_the_posterior(n):
    data = readings(n)
    prior = Layout(2, elements=2).priors()
    mean, sd, effective = brute_force_moments(
        data.x, data.y, data.film, [p.mean for p in prior], prior_covariance(prior), draws=20_000, seed=1
    )
    assert effective > 200
    theta = np.array([h.theta() for h in sets_of(data, count=64)])
    assert (np.abs(theta.mean(0) - mean) < 0.4 * sd).all()
    assert (np.abs(np.log(theta.std(0) / sd)) < np.log(1.5)).all()


def test_lengthscales_of_elements_are_drawn_together():
    """Where readings say nothing of the third element, its lengthscale follows the others."""
    data = readings(16, dimension=3)
    flat = Readings(np.column_stack([data.x[:, :2], np.full(16, 0.5)]), data.y, data.known_variance, data.film)

    def away(elements):
        """How far the third log lengthscale lies from the mean of the others."""
        scales = np.log([h.lengthscales for h in sets_of(flat, count=64, elements=elements)])
        return np.std(scales[:, 2] - scales[:, :2].mean(1))

    assert away(elements=3) < 0.6
    assert away(elements=0) > 1.2


def test_the_same_seed_draws_the_same_sets():
    data = readings(12)
    first, second = sets_of(data, count=8), sets_of(data, count=8)
    assert [h.natural().tolist() for h in first] == [h.natural().tolist() for h in second]
    assert len({h.output_variance for h in first}) > 4


def test_more_readings_are_worth_fewer_sets_and_many_one_only():
    counts = [sets_for(n, 8) for n in (10, 65, 130, MOST_READINGS, MOST_READINGS + 1)]
    assert counts == sorted(counts, reverse=True)
    assert (counts[0], counts[1], counts[-1]) == (8, 8, 1)
    assert counts[-2] > 1
    assert sets_for(10, 1) == 1


def surrogate(count):
    problem = small_lab.problem()
    options = problem.surrogate.model_copy(update={"averaging": count})
    return train(problem.model_copy(update={"surrogate": options}), small_lab.dataset(3), seed=0).surrogate


def test_predictions_are_those_of_all_sets_together():
    model, X = surrogate(8), small_lab.probe(5)
    alone = [FilmGP(replace(model.state, averaged=((h,),))).predict(X) for h in model.state.sets(0)]
    means, variances = np.array([p.mean for p in alone]), np.array([p.sd for p in alone]) ** 2
    prediction = model.predict(X)
    assert prediction.mean == pytest.approx(means.mean(0), rel=1e-9)
    assert prediction.sd**2 == pytest.approx(variances.mean(0) + means.var(0), rel=1e-6)


def test_acquisitions_see_every_set_and_reports_name_their_number():
    model = surrogate(8)
    assert len(model.latents()) == 8
    assert len({latent.variance for latent in model.latents()}) > 4
    assert model.metrics()["objectives"][0]["averaged_over"] == 8
    assert len(surrogate(1).latents()) == 1
