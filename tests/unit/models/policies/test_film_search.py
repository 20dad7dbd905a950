"""What the search answers beside the film: every pair's score; and where it has to start and what it has to beat."""

from dataclasses import replace
from itertools import combinations, product

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from models.catalog import ExpectedImprovement, KnowledgeGradient, RandomFilms
from models.composition import ElementBounds, SearchSpace
from models.dataset import Dataset
from models.film import Film, FilmChoice, FilmGeometry
from models.policies.base import Question
from models.policies.expected_improvement import reference_points
from models.policies.film_acquisition import FilmImprovement
from models.policies.film_search import search
from models.policies.makeable import gains_of
from models.propose import propose
from models.tensors import to_tensor
from tests.oracles import film_lab

OPTIONS = ExpectedImprovement(mc_samples=64, raw_films=128, restarts=3)
SPACE = SearchSpace(elements=("A", "B", "C"))
GEOMETRY = FilmGeometry(devices=5, span_min=0.05, span_max=0.4)


def campaign(geometry=GEOMETRY, space=SPACE, policy=OPTIONS, films=4):
    problem = film_lab.problem_of(space, geometry, policy)
    random = problem.model_copy(update={"policy": RandomFilms()})
    made = [r.film for r in propose(random, None, Dataset.empty(3), pending=[], count=films, seed=1)]
    return problem, film_lab.measured(problem, made).canonical()


def asked(problem, data, pending=()):
    return Question(problem, data, tuple(pending), 11, film_lab.surrogate(problem, data), lambda _phase: None)


def improvement(question, devices=5, draws=64):
    reference = to_tensor(reference_points(question))
    return FilmImprovement(question.model().latents(), reference, devices=devices, draws=draws, seed=1)


def pair_films(i, j, least=0.05, most=0.4):
    """Pair films on a lattice of 5 at.%."""
    parts = np.linspace(0.0, 1.0, 21)
    for fixed, at, to in product(parts, parts, parts):
        if 1.0 - fixed >= max(at, to) and least <= to - at <= most:
            a, b = np.full(3, fixed), np.full(3, fixed)
            a[i], a[j], b[i], b[j] = at, 1.0 - fixed - at, to, 1.0 - fixed - to
            yield Film(a, b, np.empty(0), GEOMETRY.mixing())


@pytest.fixture(scope="module")
def searched():
    question = asked(*campaign())
    acquisition = improvement(question)
    return question, acquisition, search(question, acquisition, OPTIONS, 2.0)


def test_every_pair_has_the_gain_of_its_best_film(searched):
    question, acquisition, chosen = searched
    assert {score.pair for score in chosen.pairs} == set(combinations("ABC", 2))
    assert [s.gain for s in chosen.pairs] == sorted((s.gain for s in chosen.pairs), reverse=True)
    for score in chosen.pairs:
        i, j = ("ABC".index(e) for e in score.pair)
        listed = 2.0 * max(gains_of(question, acquisition, list(pair_films(i, j))))
        assert listed * 0.95 < score.gain < listed * 1.3


def test_a_free_film_gains_at_least_as_much_as_any_pair_film(searched):
    _, _, chosen = searched
    assert chosen.gain >= 0.999 * chosen.pairs[0].gain


def test_the_reason_says_which_elements_are_graded_and_what_pairs_gain(searched):
    _, _, chosen = searched
    change = chosen.film.b - chosen.film.a
    said = chosen.recommend("expected_improvement", "because").reason
    first, second = chosen.pairs[:2]
    largest = int(np.argmax(np.abs(change)))
    assert said.startswith(f"because; grades {'ABC'[largest]} {change[largest]:+.2f}, ")
    assert f"of pairs alone {'-'.join(first.pair)} gains {first.gain:.3g} V" in said
    assert said.endswith(f"next best {'-'.join(second.pair)} {second.gain:.3g} V")


def test_the_film_is_no_worse_than_that_of_the_best_point_first(searched):
    """The rule of two steps: the best single point, then the pair film through it with the largest mean improvement."""
    question, acquisition, chosen = searched
    lattice = np.array([x for x in product(np.linspace(0.0, 1.0, 21), repeat=3) if abs(sum(x) - 1.0) < 1e-9])
    with torch.no_grad():
        top = lattice[int(acquisition.value(to_tensor(lattice)[:, None, :]).argmax())]
        films = [f for i, j in combinations(range(3), 2) for f in pair_films(i, j)]
        through = [f for f in films if (np.abs(f.compositions() - top).max(axis=1) < 1e-9).any()]
        points = to_tensor(np.array([f.compositions() for f in through]))
        single = acquisition.gain(points.reshape(-1, 1, 3)).reshape(len(through), -1).mean(dim=1)
    two_step = through[int(single.argmax())]
    assert len(through) > 10
    assert chosen.gain >= 2.0 * gains_of(question, acquisition, [two_step])[0]


def test_two_films_chosen_one_after_the_other_gain_more_together_than_the_two_best_alone():
    problem, data = campaign()
    rough = film_lab.surrogate(problem, data, lengthscale=0.15)
    bundle = replace(film_lab.bundle(problem, data), surrogate=rough)
    joint = improvement(replace(asked(problem, data), surrogate=rough), devices=10, draws=512)

    def gain(*films):
        return float(joint.gain(to_tensor(np.vstack([f.points() for f in films]))[None])[0])

    together, alone = 0.0, 0.0
    for seed in (3, 4, 5):
        first, second = propose(problem, bundle, data, pending=[], count=2, seed=seed)
        next_best = first.alternatives[0]
        together += gain(first.film, second.film)
        alone += gain(first.film, Film(next_best.a, next_best.b, next_best.process, first.film.s))
    assert together > 1.05 * alone


CHOICES = (
    FilmChoice(a={"A": 0.6, "B": 0.4}, b={"A": 0.3, "B": 0.7}),
    FilmChoice(a={"A": 0.2, "B": 0.2, "C": 0.6}, b={"A": 0.2, "B": 0.5, "C": 0.3}),
    FilmChoice(a={"A": 0.5, "C": 0.5}, b={"A": 0.2, "C": 0.8}),
    FilmChoice(a={"A": 0.1, "B": 0.4, "C": 0.5}, b={"A": 0.4, "B": 0.1, "C": 0.5}),
)
LISTED = FilmGeometry(devices=5, span_min=0.05, choices=CHOICES)


def test_of_listed_films_the_best_is_chosen_and_every_pair_has_its_score():
    problem, data = campaign(LISTED)
    question = asked(problem, data)
    acquisition = improvement(question)
    chosen = search(question, acquisition, OPTIONS, 1.0)
    films = [
        Film(*(np.array([e.get(x, 0.0) for x in "ABC"]) for e in (c.a, c.b)), np.empty(0), LISTED.mixing())
        for c in CHOICES
    ]
    gains = gains_of(question, acquisition, films)
    assert chosen.gain == pytest.approx(max(gains))
    assert np.array_equal(chosen.film.a, films[int(np.argmax(gains))].a)
    assert {s.pair: pytest.approx(s.gain) for s in chosen.pairs} == {
        ("A", "B"): max(gains[0], gains[3]),
        ("B", "C"): gains[1],
        ("A", "C"): gains[2],
    }


def test_a_listed_film_that_was_made_may_be_made_again():
    problem, _ = campaign(replace_choices(CHOICES[:1]), policy=KnowledgeGradient(mc_samples=16, pool=64, raw_films=16))
    first = [a.film for a in propose(problem, None, Dataset.empty(3), pending=[], count=2, seed=0)]
    data = film_lab.measured(problem, first)
    (answer,) = propose(problem, film_lab.bundle(problem, data), data, pending=[], count=1, seed=0)
    assert answer.source == "model"
    assert np.array_equal(answer.film.points(), first[0].points())
    assert answer.gain > 0.0


def replace_choices(choices):
    return LISTED.model_copy(update={"choices": choices})


@pytest.mark.parametrize(
    ("choice", "named"),
    [
        (FilmChoice(a={"A": 0.5, "X": 0.5}, b={"A": 1.0}), r"unknown elements \['X'\]"),
        (FilmChoice(a={"A": 0.5, "B": 0.4}, b={"A": 1.0}), "fractions sum to 1"),
        (FilmChoice(a={"A": 0.5, "B": 0.5}, b={"A": 0.5, "B": 0.5}), "span 0.05 to 1"),
        (FilmChoice(a={"A": 0.5, "B": 0.5}, b={"A": 0.2, "C": 0.8}), "C <= 0.7"),
        (FilmChoice(a={"A": 0.5, "B": 0.5}, b={"A": 0.6, "B": 0.4}, process={"T": 300.0}), "process values"),
    ],
)
def test_a_listed_film_that_breaks_a_rule_is_refused_by_its_number(choice, named):
    space = SearchSpace(elements=("A", "B", "C"), bounds=(ElementBounds(element="C", upper=0.7),))
    with pytest.raises(ValidationError, match=f"film choice 1 breaks a rule: .*{named}"):
        film_lab.problem_of(space, replace_choices((CHOICES[0], choice)), OPTIONS)


def test_uniform_films_are_proposed_where_no_gradient_is_allowed():
    problem, data = campaign(FilmGeometry(devices=3, span_max=0.0), policy=replace_options(KnowledgeGradient))
    (answer,) = propose(problem, film_lab.bundle(problem, data), data, pending=[], count=1, seed=0)
    assert answer.source == "model"
    assert np.abs(answer.film.a - answer.film.b).max() < 1e-9


def replace_options(kind):
    return kind(mc_samples=16, pool=64, raw_films=32, restarts=1)


def test_where_a_film_says_little_of_its_material_the_best_one_is_read_again():
    """Large film effects: with few films allowed, the knowledge gradient of a repeat is above zero and finite."""
    problem, data = campaign(policy=replace_options(KnowledgeGradient))
    loud = film_lab.bundle(problem, data)
    loud = replace(loud, surrogate=film_lab.surrogate(problem, data, noise=0.5, film=1.0))
    (answer,) = propose(problem, loud, data, pending=[], count=1, seed=0)
    assert answer.gain > 0.0
