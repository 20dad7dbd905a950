from math import comb

import numpy as np
import pytest

from models.composition import CategoricalVariable, ElementBounds, GroupRule, SearchSpace
from models.surrogates.posterior_map import feasible_points, middle_process, simplex_lattice
from models.train import train
from tests.oracles import small_lab

SIX = ("Ni", "Fe", "Co", "Mn", "Ce", "La")
SPACES = {
    "binary": SearchSpace(elements=("Fe", "Ga")),
    "ternary": SearchSpace(elements=("Fe", "Ga", "Pd")),
    "sliver": SearchSpace(elements=("Fe", "Ga", "Pd"), bounds=(ElementBounds(element="Fe", lower=0.501, upper=0.502),)),
    "at most 4 of 6": SearchSpace(elements=SIX, groups=(GroupRule(name="all", elements=SIX, max_present=4),)),
    "absent or 0.3": SearchSpace(elements=SIX, bounds=(ElementBounds(element="Ce", absent_or_at_least=0.3),)),
    "fifteen": SearchSpace(elements=tuple(f"E{k}" for k in range(15))),
}


@pytest.mark.parametrize(("dimension", "divisions"), [(2, 5), (3, 10), (4, 3)])
def test_lattice_has_every_composition_once(dimension, divisions):
    lattice = simplex_lattice(dimension, divisions)
    assert len(np.unique(lattice, axis=0)) == comb(divisions + dimension - 1, dimension - 1)
    np.testing.assert_allclose(lattice.sum(1), 1.0)
    np.testing.assert_allclose(lattice * divisions, np.round(lattice * divisions), atol=1e-12)
    assert lattice.min() >= 0.0


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
@pytest.mark.parametrize("most", [50, 400])
def test_points_are_feasible_and_as_many_as_a_map_needs(space, most):
    points = feasible_points(space, most)
    assert most / 8 < len(points) <= most
    assert [v for x in points for v in space.violations(x)] == []
    np.testing.assert_array_equal(points, feasible_points(space, most))


def test_middle_process_takes_the_first_choice():
    temperature = small_lab.problem().space.process[0]
    substrate = CategoricalVariable(name="substrate", choices=("Si", "MgO"))
    space = SearchSpace(elements=("Fe", "Ga"), process=(temperature, substrate))
    np.testing.assert_array_equal(middle_process(space), [0.5, 1.0, 0.0])


@pytest.mark.parametrize("direction", ["maximise", "minimise"])
def test_map_is_the_prediction_in_physical_units_and_best_in_its_direction(direction):
    problem = small_lab.problem(direction=direction)
    bundle = train(problem, small_lab.dataset(5), seed=0)
    drawn = bundle.posterior_map(problem, max_points=60)
    X = np.hstack([drawn.points, np.full((len(drawn.points), 1), 0.5)])
    mean, sd = bundle.predict(problem, X)
    np.testing.assert_array_equal(drawn.mean, mean[:, 0])
    np.testing.assert_array_equal(drawn.sd, sd[:, 0])
    best = (max if direction == "maximise" else min)(drawn.mean)
    assert drawn.best_mean == best
    assert drawn.best_composition == drawn.points[drawn.mean.index(best)]
    assert drawn.best_sd == drawn.sd[drawn.mean.index(best)]
    assert np.corrcoef(drawn.mean, small_lab.truth(X))[0, 1] > 0.9
    assert type(drawn).model_validate_json(drawn.model_dump_json()) == drawn
