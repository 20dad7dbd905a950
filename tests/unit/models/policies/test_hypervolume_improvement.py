import numpy as np
import pytest

from models.catalog import ExpectedImprovement, RandomFilms
from models.dataset import Dataset
from models.policies.base import Question
from models.policies.frame import BASELINE, Frame
from models.propose import propose
from models.tensors import to_tensor
from tests.oracles import film_lab, trade_off_lab

EI = ExpectedImprovement(mc_samples=64, raw_films=64, restarts=2)


def campaign(objectives=2, *, films=4, **more):
    problem = trade_off_lab.problem(objectives, **more)
    random = problem.model_copy(update={"policy": RandomFilms()})
    empty = Dataset.empty(3, len(problem.properties))
    made = [r.film for r in propose(random, None, empty, pending=[], count=films, seed=1)]
    return problem, trade_off_lab.measured(problem, made)


def question(problem, data, pending=()):
    return Question(problem, data.canonical(), tuple(pending), 0, film_lab.surrogate(problem, data), lambda _p: None)


def asked(problem, data, **more):
    return propose(problem, film_lab.bundle(problem, data), data, count=1, seed=2, **({"pending": []} | more))[0]


@pytest.mark.parametrize("objectives", [2, 3, 4])
def test_a_film_is_proposed_with_every_property_and_a_reason(objectives):
    problem, data = campaign(objectives, limited=True)
    answer = asked(problem, data)
    assert answer.policy == "hypervolume_improvement"
    assert answer.mean.shape == (5, objectives + 1)
    assert answer.gain > 0.0
    assert "trade-off" in answer.reason
    assert "p1 below" in answer.reason
    assert "with roughness kept within limits" in answer.reason


def test_what_is_minimised_is_told_in_its_own_direction():
    problem, data = campaign()
    answer = asked(problem, data)
    low, high = data.Y[:, 1].min(), data.Y[:, 1].max()
    assert low - 0.01 < answer.mean[:, 1].min() < answer.mean[:, 1].max() < high + 0.01


def test_the_gain_is_in_the_product_of_the_units():
    """Of two problems that differ in the unit of one property, the gains differ by its size and the film in nothing."""
    problem, data = campaign()
    in_mV = Dataset(data.X, data.Y * [1.0, 1e3], data.Yvar, data.films, data.times)
    one, other = asked(problem, data), asked(problem, in_mV)
    assert np.allclose(one.film.points(), other.film.points(), atol=1e-6)
    assert other.gain == pytest.approx(1e3 * one.gain, rel=1e-6)


def test_a_given_reference_is_kept_to():
    problem, data = campaign(references=(4.0, -0.001, None, None))
    frame = Frame(question(problem, data))
    assert frame.reference.tolist() == [4.0, 0.001]
    assert "p0 above 4 V and p1 below -0.001 V" in frame.reason(1.0)


def test_only_points_that_may_belong_to_the_front_are_to_be_beaten_and_all_in_flight():
    problem, data = campaign(films=30)
    flight = [r.film for r in propose(problem, None, data, pending=[], count=2, seed=5)]
    frame = Frame(question(problem, data, flight))
    known = frame.known().tolist()
    assert len(known) == BASELINE + 10
    mean = film_lab.surrogate(problem, data).predict(data.X).mean
    for k in range(2):
        assert data.X[np.argmax(mean[:, k])].tolist() in known


def test_a_limit_moves_the_film_to_where_it_gains_within_it():
    """The best is at 70 % of C, which is too rough: a film to there gains less than the one that heeds the limit."""
    films, labs = {}, {}
    for limited in (False, True):
        problem, data = campaign(1, limited=limited, policy=EI, films=10)
        signal = np.exp(-((data.X - trade_off_lab.TOPS[2]) ** 2).sum(1) / 0.2)
        lab = Dataset(data.X, np.column_stack([signal, data.Y[:, 1:]]), data.Yvar, data.films, data.times)
        films[limited], labs[limited] = asked(problem, lab), question(problem, lab)
    assert films[True].reason.startswith("expected improvement ")
    judge = Frame(labs[True]).acquisition(1024)
    gain = {k: judge.gain(to_tensor(film.film.points())[None]).item() for k, film in films.items()}
    assert gain[True] > 1.5 * gain[False]
    assert films[True].film.points()[:, 2].max() < films[False].film.points()[:, 2].max()


def test_where_no_reading_keeps_the_limits_a_film_that_may_is_sought():
    problem, data = campaign(2, limited=True)
    rough = Dataset(data.X, data.Y + np.array([0.0, 0.0, 1.0 - data.Y[:, 2].min()]), data.Yvar, data.films, data.times)
    answer = asked(problem, rough)
    assert answer.source == "model"
    assert "over 0 trade-offs" in answer.reason
    assert answer.mean[:, 2].min() < rough.Y[:, 2].min() + 0.05


def test_a_property_that_was_not_read_everywhere_is_no_hindrance():
    problem, data = campaign(limited=True)
    Y = data.Y.copy()
    Y[::2, 1] = np.nan
    Y[1::2, 2] = np.nan
    assert asked(problem, Dataset(data.X, Y, data.Yvar, data.films, data.times)).gain > 0.0


def test_films_differ_when_several_are_asked_for_at_once():
    problem, data = campaign()
    films = propose(problem, film_lab.bundle(problem, data), data, pending=[], count=3, seed=2)
    assert len({f.film.points().tobytes() for f in films}) == 3
    assert films[2].gain < films[0].gain


def test_equal_values_everywhere_leave_a_film_to_make():
    problem, data = campaign()
    flat = Dataset(data.X, np.full_like(data.Y, 3.0), data.Yvar, data.films, data.times)
    assert asked(problem, flat).film.points().shape == (5, 3)
