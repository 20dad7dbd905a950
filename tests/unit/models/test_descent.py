import itertools
import threading

import numpy as np
import pytest

from models.descent import descend_together
from models.polytope import STEP, descend, polytope

BOX = polytope(np.vstack([np.eye(3), -np.eye(3)]), np.ones(6), np.empty((0, 3)), np.empty(0))
POINT = polytope(np.vstack([np.eye(3), -np.eye(3)]), np.full(6, 0.5), np.eye(3), np.full(3, 0.25))
TOPS = np.array([[0.2, 0.3, 0.9], [2.0, 0.0, -0.5], [0.0, 0.0, 0.0], [-3.0, 3.0, 0.1]])


def bowl(k, v):
    """A quartic bowl around TOPS[k], in units of STEP; its lowest point may lie outside the box."""
    miss = STEP * v - BOX.to_inner(TOPS[k])
    return float((miss**2).sum() + (miss**4).sum()), STEP * (2.0 * miss + 4.0 * miss**3)


def bowls(walks, at):
    return [bowl(k, v) for k, v in zip(walks, at, strict=True)]


def together(losses=bowls, count=4, **more):
    starts = [np.full(3, 0.1 * (k + 1)) for k in range(count)]
    return descend_together([BOX] * count, starts, losses, close=1e-12, **more), starts


def test_each_walk_ends_where_it_would_have_alone():
    ended, starts = together()
    alone = [descend(BOX, x, lambda v, k=k: bowl(k, v), close=1e-12) for k, x in enumerate(starts)]
    np.testing.assert_array_equal(ended, alone)
    np.testing.assert_allclose(ended, np.clip(TOPS, -1.0, 1.0), atol=1e-4)


def test_walks_that_go_on_are_valued_together_by_the_calling_thread():
    asked = []

    def losses(walks, at):
        assert threading.current_thread() is threading.main_thread()
        asked.append(list(walks))
        return bowls(walks, at)

    together(losses)
    assert asked[0] == [0, 1, 2, 3]
    assert all(set(later) <= set(earlier) for earlier, later in itertools.pairwise(asked))


def test_no_walk_takes_more_steps_than_allowed():
    (short, _), (long, _) = together(steps=1), together(steps=60)
    values = [[bowl(k, BOX.to_inner(w) / STEP)[0] for k, w in enumerate(ended)] for ended in (short, long)]
    assert (np.array(values[0]) > np.array(values[1])).any()


def test_what_the_values_raise_ends_every_walk():
    calls = []

    def lost(walks, at):
        calls.append(walks)
        if len(calls) == 3:
            raise TimeoutError("lost")
        return bowls(walks, at)

    before = threading.active_count()
    with pytest.raises(TimeoutError, match="lost"):
        together(lost)
    assert len(calls) == 3
    assert threading.active_count() == before


def test_a_region_that_is_a_point_asks_for_nothing():
    (ended,) = descend_together([POINT], [POINT.centre], bowls, close=1e-9)
    np.testing.assert_array_equal(ended, POINT.centre)
    assert descend_together([], [], bowls, close=1e-9) == []
