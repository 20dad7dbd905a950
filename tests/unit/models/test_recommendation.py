import numpy as np
import pytest

from models.catalog import ExpectedImprovement, RandomFilms
from models.composition import CategoricalVariable, ContinuousVariable, SearchSpace
from models.dataset import Dataset
from models.film import FilmGeometry
from models.problem import Problem
from models.propose import propose
from models.recommendation import DRAWS, recommend
from tests.oracles import film_lab, listed_lab, trade_off_lab

EI = ExpectedImprovement(mc_samples=32)


@pytest.mark.parametrize("limited", [False, True])
def test_the_probability_of_being_best_is_that_of_plain_sampling(limited):
    problem = listed_lab.problem(1, limited=limited, policy=EI)
    data = listed_lab.measured(problem)
    bundle = film_lab.bundle(problem, data)
    answer = recommend(problem, bundle, data, seed=3)
    values = listed_lab.drawn(bundle.surrogate, listed_lab.POSSIBLE, draws=20_000, seed=1)
    score = np.where(values[..., 1] <= 0.8, values[..., 0], -np.inf) if limited else values[..., 0]
    expected = np.bincount(score.argmax(1)[np.isfinite(score).any(1)], minlength=7) / 20_000
    told = {tuple(c.composition.values()): c.probability_best for c in (answer, *answer.rivals)}
    assert len(told) == 6  # of 7 that are possible: the recommended one and its five rivals
    for x, p in zip(listed_lab.POSSIBLE.tolist(), expected, strict=True):
        if tuple(x) in told:
            assert told[tuple(x)] == pytest.approx(p, abs=4.0 * np.sqrt(p * (1 - p) / DRAWS) + 5e-3)


def test_it_is_the_best_mean_and_not_the_luckiest_reading():
    """One reading of many at the same composition is far too good; its neighbours know better."""
    problem = trade_off_lab.problem(1, policy=EI)
    data = trade_off_lab.measured(problem)
    Y = data.Y.copy()
    Y[:, 0] = 1.0 - (data.X[:, 0] - 0.5) ** 2
    lucky = int(np.argmin(Y[:, 0]))
    again = Dataset(
        np.vstack([data.X, data.X[[lucky] * 9]]),
        np.vstack([Y, Y[[lucky] * 9]]),
        np.full((len(Y) + 9, 1), np.nan),
        np.append(data.films, ["film-x"] * 9),
        np.arange(len(Y) + 9.0),
    )
    again.Y[lucky, 0] = 1.2
    bundle = film_lab.bundle(problem, again)
    found = np.array(list(recommend(problem, bundle, again, seed=0).composition.values()))
    assert np.abs(found - data.X[lucky]).max() > 0.1


def test_a_climb_ends_above_every_candidate_and_every_reading():
    problem = trade_off_lab.problem(1, policy=EI)
    data = trade_off_lab.measured(problem)
    bundle = film_lab.bundle(problem, data)
    answer = recommend(problem, bundle, data, seed=0)
    everywhere = problem.space.sample(4000, seed=5)
    assert answer.mean >= bundle.predict(problem, np.vstack([everywhere, data.X])).mean[:, 0].max() - 1e-3
    x = np.array(list(answer.composition.values()))
    assert problem.space.violations(x) == []
    assert answer.distance_to_measured == pytest.approx(np.abs(data.X - x).max(1).min())


def test_the_process_is_part_of_the_answer():
    """The property grows with the temperature and is better on MgO."""
    temperature = ContinuousVariable(name="T", unit="K", lower=300.0, upper=900.0)
    space = SearchSpace(
        elements=("A", "B"), process=(temperature, CategoricalVariable(name="substrate", choices=("Si", "MgO")))
    )
    problem = Problem(space=space, objectives=film_lab.SIGNAL, film=FilmGeometry(devices=3), policy=EI)
    rng = np.random.default_rng(0)
    a, t, mgo = rng.random(30), rng.random(30), rng.integers(0, 2, 30)
    X = np.column_stack([a, 1 - a, t, 1 - mgo, mgo])
    y = 1.0 - 4.0 * (a - 0.3) ** 2 + t + 0.5 * mgo
    data = Dataset(X, y[:, None], np.full((30, 1), np.nan), np.array([f"f{k}" for k in range(30)]), np.arange(30.0))
    bundle = film_lab.bundle(problem, data)
    answer = recommend(problem, bundle, data, seed=0)
    fraction, level = (g.ravel() for g in np.meshgrid(np.linspace(0.0, 1.0, 101), np.linspace(0.0, 1.0, 51)))
    on_mgo = np.column_stack([fraction, 1.0 - fraction, level, np.zeros_like(level), np.ones_like(level)])
    mean = bundle.predict(problem, on_mgo).mean[:, 0]
    assert answer.process["substrate"] == "MgO"
    assert answer.process["T"] == pytest.approx(300.0 + 600.0 * level[mean.argmax()], abs=30.0)
    assert answer.mean > mean.max() - 1e-3


def test_a_process_between_two_steps_is_not_recommended():
    """Best of all would be 550 K, but the oven is set in steps of 200 K from 300 K."""
    oven = ContinuousVariable(name="T", unit="K", lower=300.0, upper=900.0, step=200.0)
    space = SearchSpace(elements=("A", "B"), process=(oven,))
    problem = Problem(space=space, objectives=film_lab.SIGNAL, film=FilmGeometry(devices=3), policy=EI)
    rng = np.random.default_rng(0)
    a, t = rng.random(20), rng.integers(0, 4, 20) / 3.0
    X, y = np.column_stack([a, 1.0 - a, t]), 1.0 - 4.0 * (a - 0.3) ** 2 - (t - 5.0 / 12.0) ** 2
    data = Dataset(X, y[:, None], np.full((20, 1), np.nan), np.array([f"f{k}" for k in range(20)]), np.arange(20.0))
    answer = recommend(problem, film_lab.bundle(problem, data), data, seed=0)
    assert answer.process == {"T": 500.0}
    assert {c.process["T"] for c in answer.rivals} <= {300.0, 500.0, 700.0, 900.0}


def test_rivals_are_named_wherever_the_best_of_the_whole_region_may_lie():
    problem = film_lab.problem_of(SearchSpace(elements=tuple("ABCDE")), FilmGeometry(devices=5), EI)
    random = problem.model_copy(update={"policy": RandomFilms()})
    made = [a.film for a in propose(random, None, Dataset.empty(5), pending=[], count=13, seed=3)]
    data = film_lab.measured(problem, made, seed=3)
    bundle = film_lab.bundle(problem, data)
    answer = recommend(problem, bundle, data, seed=0)
    told = np.array([list(c.composition.values()) for c in (answer, *answer.rivals)])
    everywhere, share = problem.space.sample(1000, seed=5), np.linspace(0.0, 0.5, 1000)[:, None]
    dense = np.vstack([everywhere, (1.0 - share) * told[0] + share * everywhere])
    best = dense[listed_lab.drawn(bundle.surrogate, dense, draws=400, seed=1)[..., 0].argmax(1)]
    distance = np.abs(best[:, None] - told).max(-1)
    assert (distance[:, 0] > 0.05).mean() > 0.05  # the best of a draw is often something else to make
    assert len(answer.rivals) == 5
    assert answer.probability_best == pytest.approx((distance.argmin(1) == 0).mean(), abs=0.15)


def test_rivals_are_sought_where_limits_may_be_kept():
    """The best that is allowed is a line of compositions; far beyond it most would be better, but breaks the limit."""
    problem = trade_off_lab.problem(1, limited=True, policy=EI)
    limit = problem.outcomes[0].model_copy(update={"lower": None, "upper": 0.3})
    problem = problem.model_copy(update={"outcomes": (limit,)})
    X = np.random.default_rng(0).dirichlet(np.ones(3), 40)
    Y = np.column_stack([10.0 * X[:, 0], X[:, 0]])
    names = np.array([f"f{k // 5}" for k in range(40)])
    data = Dataset(X, Y, np.full(Y.shape, np.nan), names, np.arange(40.0))
    answer = recommend(problem, film_lab.bundle(problem, data), data, seed=0)
    on_the_line = [c for c in answer.rivals if abs(c.composition["A"] - 0.3) < 0.1]
    assert len(on_the_line) == 5
    assert min(c.chance_within_limits for c in answer.rivals) > 0.02


def test_a_minimised_property_is_told_in_its_own_direction():
    problem = trade_off_lab.problem(1, policy=EI)
    data = trade_off_lab.measured(problem)
    down = problem.model_copy(
        update={"objectives": (problem.objectives[0].model_copy(update={"direction": "minimise"}),)}
    )
    mirrored = Dataset(data.X, -data.Y, data.Yvar, data.films, data.times)
    one = recommend(problem, film_lab.bundle(problem, data), data, seed=0)
    other = recommend(down, film_lab.bundle(down, mirrored), mirrored, seed=0)
    assert other.composition == pytest.approx(one.composition, abs=1e-6)
    assert other.mean == pytest.approx(-one.mean)


def test_where_no_composition_likely_keeps_the_limits_the_likeliest_is_recommended():
    problem = listed_lab.problem(1, limited=True, policy=EI)
    data = listed_lab.measured(problem)
    rough = Dataset(data.X, data.Y + np.array([0.0, 5.0]), data.Yvar, data.films, data.times)
    answer = recommend(problem, film_lab.bundle(problem, rough), rough, seed=0)
    assert answer.chance_within_limits < 0.5
    assert answer.chance_within_limits == max(c.chance_within_limits for c in (answer, *answer.rivals))


def test_order_plays_no_part_and_the_answer_is_json():
    problem = trade_off_lab.problem(1, limited=True, policy=EI)
    data = trade_off_lab.measured(problem)
    bundle = film_lab.bundle(problem, data)
    one = recommend(problem, bundle, data, seed=4)
    other = recommend(problem, bundle, data.take(np.random.default_rng(0).permutation(len(data))), seed=4)
    assert one == other
    assert type(one).model_validate_json(one.model_dump_json()) == one


def test_several_objectives_have_no_single_best():
    problem = trade_off_lab.problem(2)
    data = trade_off_lab.measured(problem)
    with pytest.raises(ValueError, match="needs one objective"):
        recommend(problem, film_lab.bundle(problem, data), data, seed=0)
