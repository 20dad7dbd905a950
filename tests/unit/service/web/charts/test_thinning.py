import numpy as np
import pytest

from service.web.charts.thinning import spread, thinned_cloud, thinned_line


@pytest.mark.parametrize("seed", range(5))
def test_a_thinned_line_keeps_its_outline(seed):
    """Whatever pixel column one looks at, the lowest and the highest value in it are drawn."""
    rng = np.random.default_rng(seed)
    x, y = np.sort(rng.random(20_000)), rng.standard_normal(20_000).cumsum()
    y[rng.integers(20_000)] += 500.0
    kept = thinned_line(x, y, 800)
    assert len(kept) <= 800
    assert (np.diff(kept) > 0).all()
    assert {0, 19_999, int(y.argmin()), int(y.argmax())} <= set(kept.tolist())
    column = np.minimum((200 * (x - x[0]) / (x[-1] - x[0])).astype(int), 199)
    for k in np.unique(column):
        here, shown = y[column == k], y[kept][column[kept] == k]
        assert (shown.min(), shown.max()) == (here.min(), here.max())


def test_few_points_stay_as_they_are_and_missing_ones_do_no_harm():
    assert thinned_line(np.arange(5.0), np.arange(5.0), 800).tolist() == [0, 1, 2, 3, 4]
    y = np.full(4000, np.nan)
    y[[17, 3000]] = [5.0, -5.0]
    assert {17, 3000} <= set(thinned_line(np.arange(4000.0), y, 100).tolist())
    assert len(thinned_line(np.zeros(4000), np.arange(4000.0), 100)) <= 100


@pytest.mark.parametrize("count", [100_000, 900, 400, 3])
def test_a_thinned_cloud_keeps_its_extremes_and_its_shape(count):
    rng = np.random.default_rng(count)
    places, values = rng.standard_normal((count, 2)), rng.standard_normal(count)
    kept = set(thinned_cloud(places, values, 400).tolist())
    assert len(kept) <= 400
    extremes = [values.argmin(), values.argmax(), *places.argmin(0), *places.argmax(0)]
    assert {int(k) for k in extremes} <= kept
    if count > 400:
        assert len(kept) > 100
        low, span = places.min(0), np.ptp(places, axis=0)
        quarters = {tuple((4 * (places[k] - low) / span).astype(int).clip(0, 3)) for k in range(count)}
        assert {tuple((4 * (places[k] - low) / span).astype(int).clip(0, 3)) for k in kept} == quarters


def test_spread_keeps_both_ends():
    assert spread(range(1000), 7)[0] == 0
    assert spread(range(1000), 7)[-1] == 999
    assert len(spread(range(1000), 7)) == 7
    assert spread([4, 2], 7) == [4, 2]
