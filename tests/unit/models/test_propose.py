from dataclasses import replace

import numpy as np
import pytest

from models.catalog import ExpectedImprovement, RandomFilms, SpaceFilling
from models.composition import ContinuousVariable, SearchSpace
from models.dataset import Dataset
from models.film import Film, FilmGeometry
from models.propose import propose
from tests.oracles import film_lab, noisy_lab

SPACE = SearchSpace(
    elements=("A", "B", "C"), process=(ContinuousVariable(name="T", unit="K", lower=300.0, upper=900.0),)
)
GEOMETRY = FilmGeometry(devices=5, span_min=0.05, span_max=0.4)
OPTIONS = ExpectedImprovement(mc_samples=32, raw_films=32, restarts=1)


def campaign(films, policy=OPTIONS, initial=2):
    problem = film_lab.problem_of(SPACE, GEOMETRY, policy, initial_films=initial)
    random = problem.model_copy(update={"policy": RandomFilms()})
    made = [r.film for r in propose(random, None, Dataset.empty(4), pending=[], count=films, seed=1)]
    return problem, film_lab.measured(problem, made), made


def test_without_a_model_films_fill_space_and_say_so():
    problem, data, _ = campaign(3)
    (answer,) = propose(problem, None, data, pending=[], count=1, seed=0)
    assert (answer.source, answer.policy) == ("space_filling", "space_filling")
    assert answer.reason.endswith("; there is no trained model")
    assert (answer.mean, answer.sd, answer.gain) == (None, None, None)


def test_the_first_films_fill_space_and_then_the_model_decides():
    problem, data, _ = campaign(1, initial=3)
    answers = propose(problem, film_lab.bundle(problem, data), data, pending=[], count=3, seed=0)
    assert [a.source for a in answers] == ["space_filling", "space_filling", "model"]
    assert answers[0].reason.endswith("; film 2 of 3 before the model decides")
    assert answers[0].mean.shape == (5, 1)


def test_a_film_of_which_some_devices_are_read_counts_once():
    problem, data, made = campaign(1, initial=2)
    rest = Film(made[0].a, made[0].b, made[0].process, made[0].s[3:])
    (answer,) = propose(problem, film_lab.bundle(problem, data), data, pending=[rest], count=1, seed=0)
    assert answer.source == "space_filling"
    (answer,) = propose(problem, film_lab.bundle(problem, data), data, pending=made, count=1, seed=0)
    assert answer.source == "model"


def test_no_reading_at_all_is_enough():
    problem, _, _ = campaign(1)
    answers = propose(problem, None, Dataset.empty(4), pending=[], count=2, seed=0)
    assert len(answers) == 2


def test_dead_devices_are_no_readings():
    problem, data, _ = campaign(2)
    dead = replace(data, Y=np.full_like(data.Y, np.nan), dead=np.ones(len(data), dtype=bool))
    (answer,) = propose(problem, None, dead, pending=[], count=1, seed=0)
    assert answer.reason.startswith("fills the space between 0 readings and 0 films in flight; ")


def test_an_old_model_without_any_reading_left_does_not_decide():
    """Every device turned out dead, or every batch was retracted: the model rests on nothing that counts."""
    problem, data, made = campaign(3)
    bundle = film_lab.bundle(problem, data)
    dead = replace(data, Y=np.full_like(data.Y, np.nan), dead=np.ones(len(data), dtype=bool))
    for left, flight in ((dead, ()), (Dataset.empty(4), made)):
        (answer,) = propose(problem, bundle, left, pending=flight, count=1, seed=0)
        assert answer.source == "space_filling"
        assert answer.reason.endswith("; no device has a reading of signal")


def test_equal_readings_leave_a_choice():
    problem, data, _ = campaign(3)
    level = replace(data, Y=np.full_like(data.Y, 2.5))
    (answer,) = propose(problem, film_lab.bundle(problem, level), level, pending=[], count=1, seed=0)
    assert answer.source == "model"
    assert np.isfinite(answer.gain)


def test_the_prediction_is_that_of_the_model_in_physical_units():
    problem, data, _ = campaign(4)
    bundle = film_lab.bundle(problem, data)
    (answer,) = propose(problem, bundle, data, pending=[], count=1, seed=0)
    mean, sd = bundle.predict(problem, answer.film.points())
    assert np.array_equal(answer.mean, mean)
    assert np.array_equal(answer.sd, sd)


def test_one_film_after_another_is_the_same_as_both_at_once():
    problem, data, _ = campaign(4)
    bundle = film_lab.bundle(problem, data)
    first, second = propose(problem, bundle, data, pending=[], count=2, seed=0)
    (again,) = propose(problem, bundle, data, pending=[first.film], count=1, seed=0)
    assert np.array_equal(again.film.points(), second.film.points())


def test_whatever_stops_the_progress_stops_the_proposal():
    class StopError(Exception):
        pass

    def stop(_phase):
        raise StopError

    problem, data, _ = campaign(4)
    with pytest.raises(StopError):
        propose(problem, film_lab.bundle(problem, data), data, pending=[], count=1, seed=0, progress=stop)


def test_the_film_keeps_the_positions_of_the_geometry():
    geometry = FilmGeometry(devices=3, positions=(0.1, 0.2, 0.9), flux_ratio=2.0)
    problem = film_lab.problem_of(SPACE, geometry, SpaceFilling(raw_films=16))
    (answer,) = propose(problem, None, Dataset.empty(4), pending=[], count=1, seed=0)
    assert np.array_equal(answer.film.s, geometry.mixing())


def test_a_calibration_sample_is_no_film_and_no_place_to_beat():
    """A coupon that reads a thousand times as much changes neither the count of films nor the film that is chosen."""
    problem, data, _ = campaign(2, initial=3)
    coupon = replace(data.take(np.arange(2)), films=np.array(["coupon"] * 2), calibration=np.ones(2, dtype=bool))
    both = noisy_lab.joined(data, replace(coupon, Y=1e3 * coupon.Y))
    model = film_lab.bundle(problem, data)
    for count in (1, 2):
        one, other = (propose(problem, model, d, pending=[], count=count, seed=0)[-1] for d in (data, both))
        assert one.reason == other.reason
        np.testing.assert_array_equal(one.film.points(), other.film.points())
