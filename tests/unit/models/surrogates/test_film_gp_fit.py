import numpy as np
import pytest

from models.catalog import RandomFilms
from models.composition import SearchSpace
from models.dataset import Dataset
from models.film import FilmGeometry
from models.surrogates import conditioning, film_gp_fit
from models.surrogates.film_gp_fit import some_films
from models.train import train
from tests.oracles import film_lab

DEVICES = 13


def lab(films, *, calibration=False):
    random = np.random.default_rng(1)
    ends = random.dirichlet(np.ones(3), (films, 2))
    s = np.linspace(0.0, 1.0, DEVICES)[None, :, None]
    X = ((1.0 - s) * ends[:, None, 0] + s * ends[:, None, 1]).reshape(-1, 3)
    names = np.repeat([f"film-{k}" for k in range(films)], DEVICES)
    Y = np.sin(4.0 * X[:, 0]) + X[:, 1] ** 2 + 0.05 * random.standard_normal(len(X))
    flags = np.arange(len(X)) < 5 if calibration else np.empty(0, dtype=bool)
    times = np.repeat(np.arange(films) * 3600.0, DEVICES)
    return Dataset(X, Y[:, None], np.full((len(X), 1), np.nan), names, times, calibration=flags)


def test_a_small_dataset_is_fitted_whole():
    data = lab(20)
    assert some_films(data) is data


def test_of_a_large_dataset_whole_films_are_fitted_and_every_calibration(monkeypatch):
    monkeypatch.setattr(film_gp_fit, "FITTED", 100)
    data = lab(40, calibration=True)
    part = some_films(data)
    sizes = np.unique(part.films[~part.calibration], return_counts=True)[1]
    assert 100 <= len(part) < 100 + 2 * DEVICES
    assert set(sizes.tolist()) <= {DEVICES, DEVICES - 5}
    assert part.calibration.sum() == 5


def test_the_same_films_are_fitted_again_as_readings_arrive(monkeypatch):
    monkeypatch.setattr(film_gp_fit, "FITTED", 100)
    before, after = (set(some_films(lab(films)).films.tolist()) for films in (40, 42))
    assert len(before - after) <= 2


def test_a_property_that_was_read_on_few_films_keeps_them_all(monkeypatch):
    monkeypatch.setattr(film_gp_fit, "FITTED", 100)
    data = lab(40)
    taken = np.isin(data.films, some_films(data).films)
    rare = np.isin(data.films, np.unique(data.films[~taken])[:2])
    Y = np.vstack([np.column_stack([data.Y, np.full((len(data), 1), np.nan)]), np.full((rare.sum(), 2), np.nan)])
    Y[len(data) :, 1] = 3.0 * data.Y[rare, 0]
    rows = np.concatenate([np.arange(len(data)), np.flatnonzero(rare)])
    both = Dataset(data.X[rows], Y, np.full(Y.shape, np.nan), data.films[rows], data.times[rows])
    part = some_films(both)
    np.testing.assert_array_equal(np.sort(part.films[~np.isnan(part.Y[:, 0])]), np.sort(data.films[taken]))
    assert (~np.isnan(part.Y[:, 1])).sum() == rare.sum()


def test_a_large_dataset_is_fitted_in_part_and_conditioned_on_whole(monkeypatch):
    monkeypatch.setattr(film_gp_fit, "FITTED", 150)
    monkeypatch.setattr(conditioning, "EXACT", 400)
    problem = film_lab.problem_of(SearchSpace(elements=("A", "B", "C")), FilmGeometry(devices=DEVICES), RandomFilms())
    data = lab(45)
    bundle = train(problem, data, seed=0)
    report = bundle.metrics["objectives"][0]
    assert report["posterior"] == "sparse variational"
    assert report["readings"] == report["readings_at_fit"] == 45 * DEVICES
    assert 150 <= bundle.metrics["fit"][0]["readings"] < 150 + DEVICES
    probe = np.random.default_rng(2).dirichlet(np.ones(3), 50)
    error = bundle.predict(problem, probe).mean[:, 0] - np.sin(4.0 * probe[:, 0]) - probe[:, 1] ** 2
    assert np.abs(error).max() < 0.15
    assert report["leave_film_out"]["coverage_95"] == pytest.approx(0.95, abs=0.04)
