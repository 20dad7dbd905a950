"""Where the search starts, of films whose compositions were measured: no fraction is exactly 0."""

from dataclasses import replace

import numpy as np

from models.catalog import ExpectedImprovement, RandomFilms
from models.composition import GroupRule, SearchSpace
from models.dataset import Dataset
from models.film import FilmGeometry
from models.policies.base import Question
from models.policies.film_starts import starting_films
from models.policies.judged import judged
from models.propose import propose
from tests.oracles import film_lab

ELEMENTS = tuple("ABCDEF")
SPACE = SearchSpace(elements=ELEMENTS, groups=(GroupRule(name="few", elements=ELEMENTS, max_present=3),))
PROBLEM = film_lab.problem_of(SPACE, FilmGeometry(devices=5), ExpectedImprovement())


def made_with_traces(count):
    random = PROBLEM.model_copy(update={"policy": RandomFilms()})
    made = [a.film for a in propose(random, None, Dataset.empty(6), pending=[], count=count, seed=1)]
    data = film_lab.measured(PROBLEM, made)
    X = data.X + 0.002 * np.random.default_rng(0).random(data.X.shape)
    return made, replace(data, X=X / X.sum(axis=1, keepdims=True)).canonical()


def test_films_that_were_read_with_traces_are_starts_without_them():
    made, data = made_with_traces(4)
    question = Question(PROBLEM, data, (), 11, film_lab.surrogate(PROBLEM, data), lambda _phase: None)
    s = PROBLEM.film.mixing()
    acquisition = judged(question, lambda X: X.sum(dim=(-2, -1)))
    starts = starting_films(question, acquisition, 2000, s, question.rng())
    points = np.concatenate([structure.points(w, s) for structure, w in starts])
    for film in made:
        nearest = min(
            np.abs(points - film.points()[order]).max(axis=(1, 2)).min() for order in (slice(None), np.s_[::-1])
        )
        assert nearest < 0.01
    assert ((points > 1e-9).any(axis=1).sum(axis=1) <= 3).all()
