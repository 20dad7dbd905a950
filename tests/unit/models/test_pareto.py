import numpy as np
import pytest

from models.objective import Objective
from models.pareto import inferred_reference, non_dominated, reference_point


def test_a_point_leaves_the_front_when_another_is_as_good_everywhere_and_better_somewhere():
    Y = np.array([[1.0, 3.0], [2.0, 2.0], [2.0, 1.0], [3.0, 0.0], [3.0, 0.0], [0.0, 0.0]])
    assert non_dominated(Y).tolist() == [True, True, False, True, True, False]


def test_an_inferred_reference_lies_below_the_front_by_a_tenth_of_its_range():
    front = np.array([[0.0, 10.0], [5.0, 5.0], [10.0, 0.0]])
    cloud = np.vstack([front, [[-5.0, -5.0]]])
    assert inferred_reference(cloud).tolist() == [-1.0, -1.0]


def test_a_front_of_one_point_leaves_room_down_to_the_median():
    cloud = np.array([[9.0, 9.0], [1.0, 2.0], [2.0, 1.0], [0.0, 0.0], [3.0, 3.0]])
    assert inferred_reference(cloud).tolist() == [2.0, 2.0]


def test_one_objective_counts_from_below_its_least_value():
    assert inferred_reference(np.array([[3.0], [1.0], [11.0]])).tolist() == [0.0]


def test_a_given_reference_counts_in_the_objective_s_own_direction():
    sought = (
        Objective(property="strength", unit="MPa"),
        Objective(property="loss", unit="W", direction="minimise", reference=2.5),
    )
    front = np.array([[0.0, -1.0], [10.0, -2.0]])
    assert reference_point(sought, front).tolist() == [-1.0, -2.5]


@pytest.mark.parametrize(("worth", "counts"), [(0.0, -0.5), (-0.2, -0.5), (-3.0, -3.0)])
def test_a_target_that_every_reading_meets_leaves_something_to_be_worth_more_than(worth, counts):
    sought = (
        Objective(property="strength", unit="MPa"),
        Objective(property="tec", unit="ppm/K", direction="match", target=2.0, tolerance=0.5),
    )
    assert reference_point(sought, np.array([[1.0, worth], [2.0, worth]]))[1] == counts
