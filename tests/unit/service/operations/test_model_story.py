"""How far an element reaches, alone and through the totals of its groups."""

import numpy as np
import pytest

from models.composition import ContinuousVariable, GroupRule, SearchSpace
from service.operations.model_story import effective_lengthscales

ELEMENTS = ("Fe", "Co", "Ni", "Ta", "W")
GROUPS = (
    GroupRule(name="heavy", elements=("Ta", "W"), lower=0.05, upper=0.3),
    GroupRule(name="rare", elements=("Co", "W"), upper=0.5),
)
SPACE = SearchSpace(
    elements=ELEMENTS, groups=GROUPS, process=(ContinuousVariable(name="anneal", unit="K", lower=300, upper=900),)
)
WIDTHS = np.array([0.95, 0.5, 0.95, 0.3, 0.3])
"""Of each element in this space, worked out by hand."""
TOTALS = np.array([[0, 0, 0, 1, 1], [0, 1, 0, 0, 1]]) / np.array([[0.25], [0.5]])
LENGTHSCALES = [0.7, 0.9, 1.1, 3.0, 5.0, 0.4, 0.2, 0.6]


@pytest.mark.parametrize("element", range(5))
def test_a_step_of_one_lengthscale_is_a_distance_of_one(element):
    scales = effective_lengthscales(SPACE, LENGTHSCALES)
    step = np.zeros(5)
    step[element] = scales[element] * WIDTHS[element]
    moved = np.concatenate([step / WIDTHS, [0.0], TOTALS @ step]) / LENGTHSCALES
    assert np.linalg.norm(moved) == pytest.approx(1.0)


def test_what_belongs_to_no_group_is_as_it_was_fitted():
    scales = effective_lengthscales(SPACE, LENGTHSCALES)
    assert [scales[0], scales[2], scales[5]] == pytest.approx([0.7, 1.1, 0.4])
    assert len(scales) == 6
    assert scales[3] < 0.5  # a lengthscale of 3 of its own, but 0.2 of what it shares with W


def test_a_version_from_before_there_were_totals_tells_its_own():
    assert effective_lengthscales(SPACE, LENGTHSCALES[:6]) == LENGTHSCALES[:6]
    assert effective_lengthscales(SPACE, ()) == []
