from itertools import combinations

import numpy as np
import pytest

from models.catalog import ExpectedImprovement, RandomFilms
from models.composition import SearchSpace
from models.dataset import Dataset
from models.film import FilmGeometry
from models.policies.base import Question
from models.policies.expected_improvement import BASELINE, reference_points
from models.propose import propose
from tests.oracles import film_lab

OPTIONS = ExpectedImprovement(mc_samples=64, raw_films=64, restarts=3)


def campaign(grading="free", elements=("A", "B", "C"), films=4, **more):
    space = SearchSpace(elements=elements)
    geometry = FilmGeometry(devices=7, grading=grading, span_min=0.05, span_max=0.4)
    problem = film_lab.problem_of(space, geometry, OPTIONS, **more)
    random = problem.model_copy(update={"policy": RandomFilms()})
    empty = Dataset.empty(len(elements))
    made = [r.film for r in propose(random, None, empty, pending=[], count=films, seed=1)]
    return problem, film_lab.measured(problem, made)


@pytest.fixture(scope="module")
def recommended():
    problem, data = campaign()
    return problem, data, propose(problem, film_lab.bundle(problem, data), data, pending=[], count=1, seed=2)[0]


def test_the_gain_is_said_in_the_unit_and_the_reason_is_readable(recommended):
    _, data, answer = recommended
    said = f"expected improvement {answer.gain:.3g} V over the best of {len(data)} readings; grades "
    assert answer.reason.startswith(said)
    assert answer.gain > 0.0


def test_alternatives_differ_from_the_choice_and_gain_no_more(recommended):
    _, _, answer = recommended
    assert len(answer.alternatives) >= 3
    for other in answer.alternatives:
        assert other.gain <= answer.gain * 1.02
        assert np.abs(np.r_[other.a, other.b] - np.r_[answer.film.a, answer.film.b]).max() > 0.01


def test_every_pair_that_can_trade_has_its_gain():
    problem, data = campaign(grading="pair", elements=("A", "B", "C", "D"))
    answer = propose(problem, film_lab.bundle(problem, data), data, pending=[], count=1, seed=2)[0]
    changed = np.flatnonzero(np.abs(answer.film.a - answer.film.b) > 1e-9)
    chosen = tuple(problem.space.elements[k] for k in changed)
    assert {chosen, *(other.pair for other in answer.alternatives)} == set(combinations("ABCD", 2))
    assert len(answer.alternatives) == 5


def test_the_chosen_film_crosses_the_hill(recommended):
    """With four films read, the next one is better than all of them."""
    problem, data, answer = recommended
    assert film_lab.truth(problem, answer.film.points()).max() > film_lab.truth(problem, data.X).max()


def test_only_the_best_read_points_and_all_in_flight_are_to_be_beaten():
    problem, data = campaign(films=20)
    flight = [r.film for r in propose(problem, None, data, pending=[], count=2, seed=5)]
    question = Question(problem, data.canonical(), tuple(flight), 0, film_lab.surrogate(problem, data), lambda _p: None)
    reference = reference_points(question)
    assert len(reference) == BASELINE + 14
    mean = question.model().predict(data.X).mean[:, 0]
    assert data.X[np.argmax(mean)].tolist() in reference.tolist()
    assert data.X[np.argmin(mean)].tolist() not in reference.tolist()


def test_a_dead_device_is_nothing_to_be_beaten():
    problem, data = campaign()
    Y = data.Y.copy()
    Y[3] = np.nan
    dead = Dataset(data.X, Y, data.Yvar, data.films, data.times, data.names)
    question = Question(problem, dead, (), 0, film_lab.surrogate(problem, dead), lambda _p: None)
    reference = reference_points(question).tolist()
    assert data.X[3].tolist() not in reference
    assert data.X[4].tolist() in reference
    answer = propose(problem, film_lab.bundle(problem, dead), dead, pending=[], count=1, seed=2)[0]
    assert "the best of 27 readings" in answer.reason


def test_a_minimised_property_is_sought_low():
    problem, data = campaign()
    low = problem.model_copy(
        update={"objectives": (problem.objectives[0].model_copy(update={"direction": "minimise"}),)}
    )
    mirrored = Dataset(data.X, -data.Y, data.Yvar, data.films, data.times, data.names)
    up = propose(problem, film_lab.bundle(problem, data), data, pending=[], count=1, seed=2)[0]
    down = propose(low, film_lab.bundle(low, mirrored), mirrored, pending=[], count=1, seed=2)[0]
    assert np.allclose(up.film.points(), down.film.points(), atol=1e-6)
    assert np.allclose(up.mean, -down.mean, atol=1e-6)
    assert np.allclose(up.sd, down.sd)
    assert up.gain == pytest.approx(down.gain)


def test_the_search_tells_its_progress_all_along_so_that_a_long_one_keeps_its_lease(recommended):
    problem, data, answer = recommended
    told = []
    again = propose(problem, film_lab.bundle(problem, data), data, pending=[], count=1, seed=2, progress=told.append)[0]
    assert len(told) > 20  # every batch of starting films and every step of a refinement
    np.testing.assert_array_equal(again.film.points(), answer.film.points())


def test_the_search_ends_when_progress_says_so(recommended):
    problem, data, _ = recommended
    calls = []

    def lost(phase):
        calls.append(phase)
        if len(calls) == 5:
            raise TimeoutError

    with pytest.raises(TimeoutError):
        propose(problem, film_lab.bundle(problem, data), data, pending=[], count=1, seed=2, progress=lost)
    assert len(calls) == 5
