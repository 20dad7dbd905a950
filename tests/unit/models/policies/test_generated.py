"""Films through generated compositions: what is asked, what is laid, and that the acquisition decides."""

from functools import cache

import numpy as np
import pytest

from models.catalog import ConditionalVAE, ExpectedImprovement, HypervolumeImprovement, InverseDesign, RandomFilms
from models.composition import ContinuousVariable, GroupRule, SearchSpace
from models.dataset import Dataset
from models.film import FilmGeometry, film_violations
from models.generators.base import Draws, nothing_expected
from models.objective import OutcomeConstraint
from models.policies.base import Question
from models.policies.film_optimizer import score
from models.policies.generated import AHEAD, generated, laid, starting_pools, starts_of, wishes
from models.propose import propose
from models.tensors import to_tensor
from tests.oracles import film_lab

ELEMENTS = tuple("ABCDEFGHI")
MANY = SearchSpace(
    elements=ELEMENTS,
    groups=(
        GroupRule(name="all", elements=ELEMENTS, max_present=5),
        GroupRule(name="late", elements=("F", "G", "H", "I"), upper=0.4, max_present=2),
    ),
    process=(ContinuousVariable(name="T", unit="K", lower=300.0, upper=900.0),),
)
FEW = SearchSpace(elements=("A", "B", "C"))
GEOMETRY = FilmGeometry(devices=5, span_min=0.05, span_max=0.3)
QUICK = {"mc_samples": 16, "raw_films": 48, "restarts": 1}


class Oracle:
    """A generator that draws one composition, whatever is asked."""

    name = "oracle"

    def __init__(self, x):
        self.x, self.asked = x, []

    def draw(self, wish, count, *, seed):
        self.asked.append((wish, seed))
        return Draws(np.tile(self.x, (count, 1)), np.zeros(count), *nothing_expected(count, len(wish.targets)))


@cache
def campaign(space, policy, **more):
    """A problem and the readings of four random films."""
    problem = film_lab.problem_of(space, GEOMETRY, policy, **more)
    random = problem.model_copy(update={"policy": RandomFilms()})
    width = space.dimension + len(space.process_columns)
    empty = Dataset.empty(width, len(problem.properties))
    made = [a.film for a in propose(random, None, empty, pending=[], count=4, seed=1)]
    return problem, film_lab.measured(problem, made)


def question_of(problem, data, generator=None):
    data = data.canonical()
    model = film_lab.surrogate(problem, data)
    return Question(problem, data, (), 11, model, lambda _phase: None, generator=generator)


def ask(problem, data, generator=None, seed=3):
    bundle = film_lab.bundle(problem, data)
    (answer,) = propose(problem, bundle, data, pending=[], count=1, seed=seed, generator=generator)
    return answer


def top(d):
    """Where the property of the lab is largest."""
    return np.arange(1.0, d + 1.0) / np.arange(1.0, d + 1.0).sum()


def test_nothing_is_begun_from_generated_compositions_unasked():
    assert starts_of(ExpectedImprovement()) == "systematic"
    assert starts_of(ExpectedImprovement(starts="merged")) == "merged"


def test_a_generator_that_is_not_asked_changes_no_bit_of_a_decision():
    problem, data = campaign(FEW, ExpectedImprovement(**QUICK))
    with_one, oracle = problem.model_copy(update={"generator": ConditionalVAE()}), Oracle(top(3))
    one, other = ask(problem, data), ask(with_one, data, oracle)
    assert oracle.asked == []
    np.testing.assert_array_equal(one.film.points(), other.film.points())
    assert (one.reason, one.gain, one.start) == (other.reason, other.gain, "systematic")


@pytest.mark.parametrize("starts", ["merged", "generated"])
@pytest.mark.parametrize("space", [FEW, MANY], ids=["few", "many"])
def test_films_from_generated_starts_obey_the_rules_and_say_where_they_began(space, starts):
    problem, data = campaign(space, ExpectedImprovement(**QUICK, starts=starts))
    x = space.sample(1, seed=5)[0]
    answer = ask(problem, data, Oracle(x))
    assert film_violations(answer.film, space, GEOMETRY) == []
    assert answer.start in {"uniform", "jitter", "generator"} | ({"systematic"} if starts == "merged" else set())
    again = ask(problem, data, Oracle(x))
    np.testing.assert_array_equal(answer.film.points(), again.film.points())


class Bowl:
    """An acquisition that is largest for films all of whose devices lie at `x`."""

    def __init__(self, x):
        self.x = to_tensor(x)

    def value(self, X):
        return -((X[..., : len(self.x)] - self.x) ** 2).sum(dim=(-2, -1))


def test_the_acquisition_decides_between_the_sources():
    """Only the generator draws the composition that is wanted: the films through it are the best of all starts."""
    policy = ExpectedImprovement(**QUICK, starts="merged")
    problem, data = campaign(MANY, policy)
    x, s = MANY.sample(1, seed=4)[0], problem.film.mixing()
    question = question_of(problem, data, Oracle(x))
    pools = starting_pools(question, Bowl(x), policy, s, question.rng())
    assert set(pools) == {"systematic", "uniform", "jitter", "generator"}
    best = max((c for o, films in pools.items() for c in score(Bowl(x), films, s, origin=o)), key=lambda c: c.value)
    assert best.origin == "generator"


def test_wanted_values_lie_beyond_the_best_in_the_units_of_the_property():
    problem, data = campaign(FEW, ExpectedImprovement(**QUICK))
    question = question_of(problem, data)
    mean = film_lab.surrogate(problem, data.canonical()).predict(np.unique(data.X, axis=0)).mean[:, 0]
    found = [w.targets.tolist() for w in wishes(question)]
    np.testing.assert_allclose(found, [[mean.max() + ahead * mean.std()] for ahead in AHEAD])
    lower = problem.model_copy(
        update={"objectives": (problem.objectives[0].model_copy(update={"direction": "minimise"}),)}
    )
    best = film_lab.surrogate(lower, data.canonical()).predict(np.unique(data.X, axis=0)).mean[:, 0]
    found = [w.targets.tolist() for w in wishes(question_of(lower, data))]
    np.testing.assert_allclose(found, [[-best.max() - ahead * best.std()] for ahead in AHEAD])


def test_with_several_objectives_every_wish_lies_beyond_the_front():
    problem, data = campaign(FEW, HypervolumeImprovement(mc_samples=16, raw_films=48, restarts=1))
    question = question_of(problem, data)
    mean = question.model().predict(np.unique(data.X, axis=0)).mean
    for wish in wishes(question):
        assert not (mean >= wish.targets).all(axis=1).any()
        assert (mean < wish.targets).any(axis=0).all()


def test_outcomes_are_wanted_within_their_limits():
    limits = (
        OutcomeConstraint(property="echo", unit="V", upper=4.0),
        OutcomeConstraint(property="third", unit="V", lower=1.0, upper=2.0),
    )
    problem, data = campaign(FEW, ExpectedImprovement(**QUICK), outcomes=limits)
    for wish in wishes(question_of(problem, data)):
        assert wish.targets[1] < 4.0
        assert wish.targets[2] == 1.5


def test_every_film_laid_runs_through_or_near_its_composition():
    problem, data = campaign(MANY, ExpectedImprovement(**QUICK))
    question, X = question_of(problem, data), MANY.sample(20, seed=2)
    s = problem.film.mixing()
    films = laid(question, X, s, np.random.default_rng(0), 3)
    points = np.concatenate([g.points(w, s)[:, :, :9] for g, w in films])
    assert len(points) == 60
    nearest = np.abs(points[:, :, None] - X).sum(axis=-1).min(axis=(1, 2))
    assert np.mean(nearest < 1e-9) > 0.6  # the others go in a direction in which the rules allow none through it
    for structure, w in films:
        assert (structure.region.h[:, None] + 1e-9 >= structure.region.G @ w.T).all()


def test_draws_of_every_source_are_legal():
    problem, data = campaign(MANY, ExpectedImprovement(**QUICK))
    drawn = generated(question_of(problem, data, Oracle(MANY.sample(1, seed=9)[0])), 12)
    assert set(drawn) == {"uniform", "jitter", "generator"}
    assert [v for X in drawn.values() for x in X for v in MANY.violations(x)] == []


def test_inverse_design_makes_a_film_through_one_of_the_draws():
    problem, data = campaign(MANY, InverseDesign(draws=32, top=2, mc_samples=16))
    x = MANY.sample(1, seed=7)[0]
    answer = ask(problem, data, Oracle(x))
    assert answer.start == "generator"
    assert "best draws of the generator" in answer.reason
    assert np.abs(answer.film.compositions() - x).sum(axis=1).min() < 0.05
    without = ask(problem, data)
    assert without.start == "jitter"
    assert "for want of a trained generator" in without.reason
