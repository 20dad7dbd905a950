"""Expected improvement of one device, against quadrature."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from models.objective import Objective


@pytest.mark.parametrize("direction", ["maximise", "minimise"])
@pytest.mark.parametrize(
    ("mean", "sd", "over"), [(1.0, 0.5, 1.2), (-3.0, 2.0, -3.0), (4.0, 0.1, 1.0), (0.0, 1e-3, 2.0)]
)
def test_improvement_is_the_mean_of_what_lies_beyond(direction, mean, sd, over):
    sought = Objective(property="signal", unit="V", direction=direction)
    sign = 1.0 if direction == "maximise" else -1.0
    expected, _ = quad(
        lambda z: max(0.0, sign * (mean + sd * z - over)) * norm.pdf(z), -12, 12, points=[(over - mean) / sd], limit=200
    )
    found = sought.improvement(np.array([mean]), np.array([sd]), over)
    assert found[0] == pytest.approx(expected, abs=1e-8)


def test_what_is_certain_improves_by_what_it_is():
    sought = Objective(property="signal", unit="V")
    np.testing.assert_array_equal(sought.improvement(np.array([1.0, 3.0]), np.zeros(2), 2.0), [0.0, 1.0])
