import numpy as np
import pytest

from models.directions import directions
from tests.oracles.hypervolume import hypervolume, inclusion_exclusion


@pytest.mark.parametrize("objectives", [1, 2, 3, 4])
def test_the_mean_reach_along_directions_is_the_volume(objectives):
    Y = np.random.default_rng(7).random((9, objectives))
    u = directions(2048, 8, objectives, seed=1).reshape(-1, objectives)
    assert (u.max(axis=1) == 1.0).all()
    reach = (Y[:, None] / u).min(axis=-1).max(axis=0)
    assert (reach**objectives).mean() == pytest.approx(inclusion_exclusion(Y), rel=5e-3)
    assert hypervolume(Y) == pytest.approx(inclusion_exclusion(Y), rel=1e-10)
