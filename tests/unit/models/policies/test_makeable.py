"""Films that tools with steps can make, against every such film there is."""

import itertools

import numpy as np
import pytest
import torch

from models.catalog import ExpectedImprovement, RandomFilms
from models.composition import ContinuousVariable, SearchSpace
from models.dataset import Dataset
from models.deposition import Commands, DepositionGrid, Source
from models.film import FilmGeometry, commanded_film, film_violations
from models.policies.base import Question
from models.policies.expected_improvement import reference_points
from models.policies.film_acquisition import FilmImprovement
from models.policies.film_optimizer import best_films
from models.policies.makeable import best_makeable, gains_of, values_of
from models.propose import propose
from models.rounding import Rounding, Wanted
from models.tensors import to_tensor
from tests.oracles import film_lab

OPTIONS = ExpectedImprovement(mc_samples=32, raw_films=64, restarts=2)
GRID = DepositionGrid(
    unit="W",
    sources=(
        Source(element="A", rate=1.0, step=10.0, upper=80.0),
        Source(element="B", rate=1.4, step=10.0, upper=80.0),
    ),
)
OVEN = ContinuousVariable(name="T", unit="K", lower=300.0, upper=900.0, step=100.0)


def asked(geometry, process=(), elements=("A", "B")):
    problem = film_lab.problem_of(SearchSpace(elements=elements, process=process), geometry, OPTIONS)
    random = problem.model_copy(update={"policy": RandomFilms()})
    empty = Dataset.empty(len(elements) + len(process))
    made = [r.film for r in propose(random, None, empty, pending=[], count=3, seed=1)]
    data = film_lab.measured(problem, made).canonical()
    return Question(problem, data, (), 11, film_lab.surrogate(problem, data, lengthscale=0.2), lambda _phase: None)


def improvement(question):
    reference = to_tensor(reference_points(question))
    devices = question.problem.film.devices
    return FilmImprovement(question.model().latents(), reference, devices=devices, draws=64, seed=1)


def test_the_best_film_of_the_grid_is_nearly_the_best_of_all_its_films():
    question = asked(FilmGeometry(devices=4, span_min=0.05, span_max=0.5, grid=GRID))
    space, geometry, acquisition = question.problem.space, question.problem.film, improvement(question)
    film, _ = best_makeable(question, acquisition, best_films(question, acquisition, OPTIONS))
    assert film_violations(film, space, geometry) == []
    steps = 10.0 * np.array(list(itertools.product(range(9), repeat=2)))[1:]
    every = [
        commanded_film(Commands(a, b), np.empty(0), space, geometry) for a, b in itertools.product(steps, repeat=2)
    ]
    rates = np.array([1.0, 1.4])
    legal = [
        f
        for f in every
        if 0.05 <= np.abs(f.a - f.b).max() <= 0.5 and 0.8 <= f.commands.b @ rates / (f.commands.a @ rates) <= 1.2
    ]
    assert len(legal) > 500
    with torch.no_grad():
        best = max(gains_of(question, acquisition, legal))
    assert gains_of(question, acquisition, [film])[0] > 0.98 * best


def test_no_single_step_makes_the_film_better():
    question = asked(FilmGeometry(devices=4, span_min=0.05, grid=GRID), process=(OVEN,))
    acquisition = improvement(question)
    film, candidate = best_makeable(question, acquisition, best_films(question, acquisition, OPTIONS))
    around = Rounding(question.problem.space, question.problem.film).neighbours(
        Wanted(film, candidate.structure.support, candidate.structure.pair)
    )
    assert len(around) > 4
    (value,) = values_of(question, acquisition, [film])
    assert value >= max(values_of(question, acquisition, around))


@pytest.mark.parametrize("grading", ["free", "pair"])
def test_a_proposed_film_carries_its_commands_and_an_oven_in_steps(grading):
    sources = (*GRID.sources, Source(element="C", rate=0.8, step=10.0, upper=80.0))
    grid = GRID.model_copy(update={"sources": sources, "constant_within": 0.03})
    question = asked(FilmGeometry(devices=4, grading=grading, span_min=0.05, grid=grid), (OVEN,), ("A", "B", "C"))
    problem, data = question.problem, question.dataset
    for answer in propose(problem, film_lab.bundle(problem, data), data, pending=[], count=2, seed=0):
        assert answer.source == "model"
        assert film_violations(answer.film, problem.space, problem.film) == []
        told = np.array([answer.film.commands.a, answer.film.commands.b]) / 10.0
        assert np.array_equal(told, np.rint(told))
        assert problem.space.decode_process(answer.film.process)["T"] % 100.0 == pytest.approx(0.0, abs=1e-6)
