import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from models.catalog import FilmGP, NoiseModel
from models.dataset import Dataset
from models.errors import FitFailed, InvalidDataset, NotEnoughData
from models.train import train
from tests.oracles import small_lab

PROBLEM = small_lab.problem()


def changed(dataset, *, y=None, x=None):
    Y = dataset.Y if y is None else np.asarray(y, dtype=np.float64)[:, None]
    return replace(dataset, Y=Y, X=dataset.X if x is None else x)


def test_it_learns_the_property_behind_offsets_and_noise():
    bundle = train(PROBLEM, small_lab.dataset(20, offset=0.3), seed=0)
    X = small_lab.probe(200)
    error = bundle.predict(PROBLEM, X).mean[:, 0] - small_lab.truth(X)
    assert np.sqrt(np.mean(error**2)) < 0.35 * np.std(small_lab.truth(X))
    report = bundle.metrics["objectives"][0]
    assert 0.15 < report["film_effect_sd"] < 0.6
    assert 0.02 < report["noise_sd"] < 0.1


def test_the_film_effect_pays_where_films_differ():
    data = small_lab.dataset(12, offset=0.6)
    with_effect, without = (
        train(small_lab.problem(film_effect=on), data, seed=0).metrics["objectives"][0] for on in (True, False)
    )
    assert without["film_effect_sd"] == 0.0
    assert with_effect["leave_film_out"]["log_density"] > without["leave_film_out"]["log_density"]


def test_smaller_is_better_is_the_same_model_upside_down():
    data, X = small_lab.dataset(), small_lab.probe()
    up = train(PROBLEM, data, seed=0).predict(PROBLEM, X)
    problem = small_lab.problem(direction="minimise")
    down = train(problem, data, seed=0)
    np.testing.assert_allclose(down.predict(problem, X).mean, up.mean, rtol=1e-6)
    np.testing.assert_allclose(down.surrogate.predict(X).mean, -up.mean, rtol=1e-6)


def test_the_unit_of_the_readings_does_not_matter():
    data, X = small_lab.dataset(), small_lab.probe()
    in_volts = train(PROBLEM, data, seed=0).predict(PROBLEM, X)
    in_microvolts = train(PROBLEM, changed(data, y=1e6 * data.Y[:, 0]), seed=0).predict(PROBLEM, X)
    np.testing.assert_allclose(in_microvolts.mean, 1e6 * in_volts.mean, rtol=1e-6)
    np.testing.assert_allclose(in_microvolts.sd, 1e6 * in_volts.sd, rtol=1e-4)


@pytest.mark.parametrize("slip", [1e4, -1e6, 1e12])
def test_a_wild_reading_makes_the_model_unsure_and_not_wrong(slip):
    """A slip of the decimal point hides the property; then the intervals must be as wide as the slip is large."""
    data, X = small_lab.dataset(6), small_lab.probe(300)
    y = data.Y[:, 0].copy()
    y[3] += slip
    bundle = train(PROBLEM, changed(data, y=y), seed=0)
    predicted = bundle.predict(PROBLEM, X)
    assert np.mean(np.abs(small_lab.truth(X) - predicted.mean[:, 0]) < 1.96 * predicted.sd[:, 0]) > 0.9
    assert bundle.metrics["objectives"][0]["leave_film_out"]["log_density"] > -2.0 * np.log(abs(slip))


def test_metrics_are_json_and_name_what_was_done():
    first = train(PROBLEM, small_lab.dataset(4), seed=3)
    second = train(PROBLEM, small_lab.dataset(5), seed=3, previous=first)
    report = json.loads(json.dumps(second.metrics))
    assert report["objectives"][0]["readings"] == 35
    assert report["objectives"][0]["films"] == 5
    assert set(report["objectives"][0]["leave_film_out"]) == {
        "coverage_50",
        "coverage_90",
        "coverage_95",
        "log_density",
        "readings",
        "reliability",
        "ranks",
        "film_residuals",
    }
    assert {film["film"] for film in report["objectives"][0]["leave_film_out"]["film_residuals"]} == set(
        small_lab.dataset(5).films.tolist()
    )
    assert [row["variable"] for row in report["sensitivities"]["signal"]] == ["Fe", "Ga", "Pd", "anneal"]
    assert not first.metrics["fit"][0]["warm"]
    assert report["fit"][0]["warm"]
    assert report["seconds"] > 0
    assert second.versions["torch"].startswith("2.")
    assert second.fingerprint == small_lab.dataset(5).fingerprint()


def test_one_film_has_no_other_film_to_be_judged_by():
    assert train(PROBLEM, small_lab.dataset(1), seed=0).metrics["objectives"][0]["leave_film_out"] is None


def test_a_warm_start_ends_no_worse():
    data = small_lab.dataset(6)
    warm = train(PROBLEM, data, seed=0, previous=train(PROBLEM, small_lab.dataset(5), seed=0))
    cold = train(PROBLEM, data, seed=0)
    assert warm.metrics["fit"][0]["log_evidence"] > cold.metrics["fit"][0]["log_evidence"] - 0.5


def test_a_dear_fit_is_made_again_when_the_data_grew_by_a_tenth(monkeypatch):
    monkeypatch.setattr("models.surrogates.film_gp.ALWAYS_FITTED", 20)
    first = train(PROBLEM, small_lab.dataset(12), seed=0)
    grown = {n: train(PROBLEM, small_lab.dataset(n), seed=0, previous=first) for n in (13, 14)}
    assert grown[13].metrics["fit"] == []
    assert grown[13].metrics["objectives"][0]["readings_at_fit"] == 84
    assert grown[13].surrogate.hyperparameters == first.surrogate.hyperparameters
    assert grown[13].metrics["objectives"][0]["films"] == 13
    assert len(grown[14].metrics["fit"]) == 1
    assert grown[14].metrics["objectives"][0]["readings_at_fit"] == 98
    plain = small_lab.problem(film_effect=False)
    assert train(plain, small_lab.dataset(13), seed=0, previous=first).metrics["fit"] != []


def test_a_previous_bundle_of_another_search_space_is_no_start():
    other = small_lab.problem(elements=("Co", "Ga", "Pd"))
    previous = train(other, small_lab.dataset(3), seed=0)
    assert not train(PROBLEM, small_lab.dataset(3), seed=0, previous=previous).metrics["fit"][0]["warm"]


@pytest.mark.parametrize(
    "dataset",
    [
        Dataset.empty(4),
        small_lab.dataset(1, devices=1),
        changed(small_lab.dataset(), y=np.full(28, np.nan)),
        changed(small_lab.dataset(), x=np.tile(small_lab.probe(1), (28, 1))),
        changed(small_lab.dataset(), y=np.where(np.arange(28) == 3, 1.0, np.nan)),
    ],
    ids=["nothing", "one reading", "all dead", "one point", "one left"],
)
def test_too_little_is_said_to_be_too_little(dataset):
    with pytest.raises(NotEnoughData, match=f"readings of {PROBLEM.objectives[0].property} at [01] distinct points"):
        train(PROBLEM, dataset, seed=0)


def test_a_dataset_of_other_columns_is_refused():
    with pytest.raises(InvalidDataset, match="do not fit"):
        train(small_lab.problem(process=False), small_lab.dataset(), seed=0)


def spoiled():
    data = small_lab.dataset()
    y, n = data.Y[:, 0], len(data)
    yield "equal values", changed(data, y=np.full(n, 5.0))
    yield "all zero", changed(data, y=np.zeros(n))
    yield "all but one equal", changed(data, y=np.where(np.arange(n) == 2, 3.0, 10.0))
    yield "two points", data.take(np.array([0, 5]))
    yield "repeats", changed(data, x=np.repeat(data.X[:2], n // 2, axis=0))
    yield (
        "repeats without noise",
        replace(changed(data, x=np.repeat(data.X[:2], n // 2, axis=0)), Yvar=np.zeros((n, 1))),
    )
    yield "neighbours", changed(data, x=data.X[:1] + 1e-9 * np.arange(n)[:, None])
    yield "no noise", replace(data, Yvar=np.zeros((n, 1)))
    yield "great noise", replace(data, Yvar=np.full((n, 1), 1e12))
    yield "great offset", changed(data, y=1e9 + y)
    yield "tiny values", changed(data, y=1e-300 * y)
    yield "dead devices", changed(data, y=np.where(np.arange(n) % 3 == 0, np.nan, y))
    for size in (1e3, 1e12, 1e60):
        yield f"outlier {size:g}", changed(data, y=np.where(np.arange(n) == 3, size, y))


SPOILED = dict(spoiled())


@pytest.mark.parametrize("dataset", SPOILED.values(), ids=SPOILED)
def test_bad_data_end_in_a_finite_model(dataset):
    bundle = train(PROBLEM, dataset, seed=0)
    far = np.array([[5.0, -2.0, -2.0, 9.0]])
    predicted = bundle.predict(PROBLEM, np.vstack([small_lab.probe(), far, dataset.X]))
    assert np.isfinite(predicted.mean).all()
    assert np.isfinite(predicted.sd).all()
    assert predicted.sd.min() > 0.0
    json.dumps(bundle.metrics, allow_nan=False)


@pytest.mark.parametrize(
    ("outlier", "unit", "error"), [(1e300, 1.0, InvalidDataset), (1e99, 1e-9, FitFailed)], ids=["in V", "in sd"]
)
def test_a_reading_beyond_arithmetic_is_named(outlier, unit, error):
    data = small_lab.dataset()
    with pytest.raises(error, match="a reading"):
        train(PROBLEM, changed(data, y=np.where(np.arange(28) == 3, outlier, unit * data.Y[:, 0])), seed=0)


def test_progress_is_called_often_and_may_stop_the_work():
    phases = []
    train(PROBLEM, small_lab.dataset(), seed=0, progress=phases.append)
    assert phases.count("fit") > 20
    assert phases[-1] == "validate"

    def stop(_phase):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(PROBLEM, small_lab.dataset(), seed=0, progress=stop)


def test_a_wild_reading_is_named_and_costs_the_others_nothing():
    """One reading off by 40 standard deviations: its film is predicted as if it had not been taken."""
    data, film = small_lab.dataset(6, seed=1), slice(14, 21)
    y = data.Y[:, 0].copy()
    y[17] += 2.0
    spoilt, without = changed(data, y=y), data.take(np.arange(len(data)) != 17)
    believing = PROBLEM.model_copy(update={"surrogate": FilmGP(noise=NoiseModel(outliers="none"))})

    def error(bundle):
        away = bundle.predict(PROBLEM, data.X[film]).mean[:, 0] - small_lab.truth(data.X[film])
        return float(away.std())  # but for the film's own offset

    robust = train(PROBLEM, spoilt, seed=0)
    (outlier,) = robust.metrics["objectives"][0]["outliers"]
    assert (outlier["reading"], outlier["film"]) == (data.names[17], data.films[17])
    assert outlier["counts_for"] < 0.02
    assert spoilt.canonical().Y[outlier["row"], 0] == y[17]
    assert error(robust) == pytest.approx(error(train(PROBLEM, without, seed=0)), rel=0.2)
    swayed = train(believing, spoilt, seed=0)
    assert swayed.metrics["objectives"][0]["outliers"] == []
    assert error(swayed) > 10.0 * error(robust)


def test_saturated_readings_are_at_least_their_limit():
    """Readings above 4 V all read 4 V: told so, the model expects more than the limit there, untold it does not."""
    data = small_lab.dataset(8, offset=0.0)
    above = data.Y > 4.0
    y = np.minimum(data.Y, 4.0)
    told = replace(data, Y=y, censored=above.astype(np.int8))
    assert above.sum() > 5
    true = small_lab.truth(data.X)[above[:, 0]]
    knows, believes = (
        train(PROBLEM, d, seed=0).predict(PROBLEM, data.X[above[:, 0]]).mean[:, 0] for d in (told, replace(data, Y=y))
    )
    assert np.sqrt(np.mean((knows - true) ** 2)) < 0.6 * np.sqrt(np.mean((believes - true) ** 2))


def test_a_minimised_property_has_its_sides_turned():
    data = small_lab.dataset(8, offset=0.0)
    above = data.Y > 4.0
    told = replace(data, Y=np.minimum(data.Y, 4.0), censored=above.astype(np.int8))
    up, down = (
        train(small_lab.problem(direction=way), told, seed=0).predict(small_lab.problem(direction=way), data.X[:20])
        for way in ("maximise", "minimise")
    )
    np.testing.assert_allclose(up.mean, down.mean, atol=0.1)


def test_dead_devices_are_evidence_of_the_yield_and_no_readings():
    data = small_lab.dataset(8)
    dead = data.X[:, 0] > 0.5
    told = replace(data, Y=np.where(dead[:, None], np.nan, data.Y), dead=dead)
    bundle = train(PROBLEM, told, seed=0)
    assert bundle.metrics["objectives"][0]["readings"] == int((~dead).sum())
    assert bundle.metrics["yield"]["varies_with_material"]
    survival = bundle.surrogate.survival()
    chance = survival(torch.as_tensor(np.array([[0.9, 0.05, 0.05, 0.5], [0.1, 0.5, 0.4, 0.5]])), None)
    assert chance[0] < 0.4
    assert chance[1] > 0.85
    again = type(bundle.surrogate).from_arrays(bundle.surrogate.arrays()).survival()
    assert torch.equal(again(torch.as_tensor(data.X), None), survival(torch.as_tensor(data.X), None))
    assert train(PROBLEM, data, seed=0).surrogate.survival() is None


def test_repeated_readings_share_what_they_say_of_their_noise():
    data = small_lab.dataset(5)
    rng = np.random.default_rng(0)
    variance = 0.05**2 * rng.chisquare(2, data.Y.shape) / 2 / 3
    told = replace(data, Yvar=variance, replicates=np.full(data.Y.shape, 3.0))
    readings = train(PROBLEM, told, seed=0).surrogate.state.readings(0)
    raw = variance[:, 0]
    assert np.ptp(np.log(readings.known_variance)) < 0.8 * np.ptp(np.log(raw))
