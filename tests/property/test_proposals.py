"""Whatever a campaign's rules are: every proposed film obeys every one of them, or the rules were refused at once."""

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from models.catalog import ExpectedImprovement, RandomFilms, SpaceFilling
from models.composition import (
    CategoricalVariable,
    ContinuousVariable,
    ElementBounds,
    GroupRule,
    LinearRule,
    SearchSpace,
)
from models.dataset import Dataset
from models.film import FilmGeometry, film_violations
from models.propose import propose
from tests.oracles import film_lab


def calm(examples):
    """The same examples on every run, however slow the machine."""
    checks = [HealthCheck.too_slow, HealthCheck.filter_too_much]
    return settings(max_examples=examples, deadline=None, derandomize=True, suppress_health_check=checks)


PROCESS = (
    ContinuousVariable(name="T", unit="K", lower=300.0, upper=900.0),
    CategoricalVariable(name="substrate", choices=("Si", "MgO", "glass")),
)


def part(largest=1.0):
    return st.floats(0.0, largest).map(lambda x: round(x, 3))


@st.composite
def bounds(draw, element):
    lower = draw(st.sampled_from([0.0, 0.0, 0.0, draw(part(0.2))]))
    upper = draw(st.sampled_from([1.0, round(lower + draw(part(0.6)), 3)]))
    least = draw(st.sampled_from([None, None, draw(part(0.2))]))
    return ElementBounds(element=element, lower=lower, upper=min(upper, 1.0), absent_or_at_least=least)


@st.composite
def groups(draw, elements):
    members = draw(st.lists(st.sampled_from(elements), min_size=1, unique=True))
    lower = draw(st.sampled_from([0.0, 0.0, draw(part(0.3))]))
    most = draw(st.sampled_from([None, *range(1, len(members) + 1)]))
    return GroupRule(
        name="g", elements=tuple(members), lower=lower, upper=draw(st.sampled_from([1.0, 0.7])), max_present=most
    )


@st.composite
def facets(draw, elements):
    """A half-space that holds a given composition."""
    unit = draw(st.sampled_from([1.0, 1e-3, 1e6]))
    slope = [unit * k for k in draw(st.lists(st.integers(-5, 5), min_size=len(elements), max_size=len(elements)))]
    inside = sum(slope) / len(slope)
    return LinearRule(
        name="f", coefficients=dict(zip(elements, slope, strict=True)), upper=inside + unit * draw(part())
    )


@st.composite
def problems(draw, policy):
    elements = tuple("ABCDEF"[: draw(st.integers(2, 6))])
    limited = draw(st.lists(st.sampled_from(elements), unique=True))
    devices = draw(st.integers(1, 8))
    span_min = draw(st.sampled_from([0.0, draw(part(0.3))]))
    try:
        space = SearchSpace(
            elements=elements,
            bounds=tuple(draw(bounds(e)) for e in limited),
            groups=tuple(draw(st.lists(groups(elements), max_size=2))),
            linear=tuple(draw(st.lists(facets(elements), max_size=2))),
            process=draw(st.sampled_from([(), PROCESS[:1], PROCESS[1:], PROCESS])),
        )
        geometry = FilmGeometry(
            devices=devices,
            grading=draw(st.sampled_from(["free", "pair"])),
            span_min=span_min,
            span_max=draw(st.sampled_from([1.0, round(span_min + draw(part(0.5)), 3)])),
            flux_ratio=draw(st.sampled_from([1.0, 2.5])),
        )
        return film_lab.problem_of(space, geometry, policy)
    except ValidationError:
        assume(False)


def empty(problem):
    return Dataset.empty(problem.space.dimension + len(problem.space.process_columns))


def broken(problem, answers):
    return [v for a in answers for v in film_violations(a.film, problem.space, problem.film)]


@calm(60)
@given(problems(SpaceFilling(raw_films=16)), st.integers(0, 2**31 - 1))
def test_space_filling_films_obey_every_rule(problem, seed):
    answers = propose(problem, None, empty(problem), pending=[], count=2, seed=seed)
    assert broken(problem, answers) == []


@calm(25)
@given(problems(ExpectedImprovement(mc_samples=16, raw_films=16, restarts=2)), st.integers(0, 2**31 - 1))
def test_films_chosen_by_the_model_obey_every_rule(problem, seed):
    random = problem.model_copy(update={"policy": RandomFilms()})
    made = [r.film for r in propose(random, None, empty(problem), pending=[], count=3, seed=seed)]
    data = film_lab.measured(problem, made, seed=seed)
    assume(len(np.unique(data.X, axis=0)) > 1)
    answers = propose(problem, film_lab.bundle(problem, data), data, pending=[], count=2, seed=seed)
    assert [a.source for a in answers] == ["model", "model"]
    assert broken(problem, answers) == []
    assert np.isfinite([a.gain for a in answers]).all()
    assert np.isfinite(answers[0].mean).all()


@calm(30)
@given(problems(RandomFilms()), st.integers(0, 2**31 - 1))
def test_a_film_survives_its_journey_through_physical_units(problem, seed):
    (answer,) = propose(problem, None, empty(problem), pending=[], count=1, seed=seed)
    space = problem.space
    back = space.encode_process(space.decode_process(answer.film.process))
    assert np.allclose(back, answer.film.process, atol=1e-12)
    assert broken(problem, [answer]) == []


def test_a_campaign_without_any_film_is_refused_before_it_starts():
    rules = tuple(ElementBounds(element=e, upper=0.4) for e in "AB")
    with pytest.raises(ValidationError, match="no composition obeys all of"):
        SearchSpace(elements=("A", "B"), bounds=rules)
