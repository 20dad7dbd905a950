import numpy as np
import pytest

from benchmarks.decisions import calibration, continuous, trade_off
from benchmarks.decisions.arms import ARMS
from benchmarks.decisions.campaign import run
from benchmarks.decisions.noise import Noise
from benchmarks.decisions.peers.points import closed, film_between
from benchmarks.decisions.records import Records
from models.film import film_violations


@pytest.fixture(scope="module")
def task():
    return trade_off.task()


def test_the_hypervolume_is_the_share_of_a_box_that_random_points_find_dominated():
    rng = np.random.default_rng(3)
    points = np.column_stack([rng.uniform(0.5, 3.0, 12), rng.uniform(60.0, 130.0, 12)])
    points[4] = np.nan
    low, high = np.array([1.0, 60.0]), np.array([3.0, 120.0])
    drawn = low + (high - low) * rng.random((200_000, 2))
    dominated = np.any([(drawn[:, 0] <= p[0]) & (drawn[:, 1] >= p[1]) for p in points], axis=0)
    expected = dominated.mean() * np.prod(high - low)
    assert trade_off.hypervolume(points) == pytest.approx(expected, rel=0.01)
    assert trade_off.hypervolume(np.array([[0.9, 70.0], [2.0, 125.0]])) == 0.0


def test_no_composition_of_the_lattice_lies_beyond_the_front(task):
    rng = np.random.default_rng(0)
    some = task.grid[rng.choice(len(task.grid), 500)]
    values = task.truths(np.column_stack([some, rng.choice(np.linspace(0.0, 1.0, 41), 500)]))
    front = trade_off.max_front(task.grid)
    assert trade_off.hypervolume(np.vstack([front, values])) == pytest.approx(task.total)


def test_a_campaign_of_two_objectives_never_loses_hypervolume(task):
    outcome = run(task, ARMS["random"].make(), seed=2, noise=Noise(), films=6)
    path = np.array(outcome["best_true"])
    assert (np.diff(path) >= 0.0).all()
    assert 0.0 <= path[0] <= path[-1] <= 1.0
    assert outcome["recommended"] == [None] * 5


def test_a_film_between_any_two_points_keeps_every_rule(task):
    rng = np.random.default_rng(1)
    problem = task.problem
    low, high = problem.space.lower(), problem.space.upper()
    pairs = [rng.uniform(-0.1, 0.9, (2, 4)) for _ in range(150)]
    pairs += [np.array([x, x + 1e-3 * rng.standard_normal(4)]) for x in task.grid[::2500]]
    pairs += [np.array([x, x]) for x in task.grid[::2500]]
    for first, second in pairs:
        film = film_between(problem, first, second, np.array([0.3]))
        assert not film_violations(film, problem.space, problem.film)
        ends = (closed(first, low, high), closed(second, low, high))
        span = np.abs(ends[1] - ends[0]).max()
        if problem.film.span_min <= span <= problem.film.span_max:
            np.testing.assert_allclose([film.a, film.b], ends)


def test_a_finished_campaign_is_measured_again_to_the_same_readings(tmp_path):
    task = continuous.load("fe-ga-pd-pair")
    seen = []

    class Watching:
        def decide(self, asked):
            seen.append(asked.dataset)
            return ARMS["random"].make().decide(asked)

    outcome = run(task, Watching(), seed=1, noise=Noise(offset=0.6), films=4)
    records = Records(tmp_path / "raw" / "t2_t3.jsonl")
    key = {"task": task.name, "arm": "filmloop", "version": "1", "seed": 1, "offset": 0.6, "films": 4}
    records.add(key | outcome)
    (record,) = calibration.last_campaigns(tmp_path, [task.name], 0.6, 10)
    again = calibration.replayed(task, record, 0.6)
    np.testing.assert_allclose(again.X, seen[-1].X, atol=1e-6)
    np.testing.assert_allclose(again.Y, seen[-1].Y, atol=1e-3)
