import numpy as np
import pytest
import torch

from models.catalog import ExpectedImprovement
from models.composition import SearchSpace
from models.film import FilmGeometry
from models.policies.base import Question
from models.policies.expected_improvement import reference_points
from models.policies.film_acquisition import FilmImprovement
from models.policies.film_optimizer import Candidate, best_films, distinct, refine
from models.structures import film_structures, legal_film
from models.tensors import to_tensor
from tests.oracles import film_lab

OPTIONS = ExpectedImprovement(mc_samples=64, raw_films=64, restarts=3)
PROBLEM = film_lab.problem_of(
    SearchSpace(elements=("A", "B", "C")), FilmGeometry(devices=5, span_min=0.05, span_max=0.3), OPTIONS
)
S = PROBLEM.film.mixing()


@pytest.fixture(scope="module")
def question():
    drawn = film_structures(PROBLEM.space, PROBLEM.film).draw(4, np.random.default_rng(3))
    films = [legal_film(structure, w, PROBLEM.space, PROBLEM.film) for structure, ws in drawn for w in ws]
    data = film_lab.measured(PROBLEM, films).canonical()
    return Question(PROBLEM, data, (), 11, film_lab.surrogate(PROBLEM, data), lambda _phase: None)


@pytest.fixture(scope="module")
def acquisition(question):
    reference = to_tensor(reference_points(question))
    return FilmImprovement(question.model().latents(), reference, devices=5, draws=64, seed=1)


def value(acquisition, candidate):
    with torch.no_grad():
        return acquisition.value(to_tensor(candidate.structure.points(candidate.w[None], S)))[0].item()


def test_of_ten_thousand_random_films_none_gains_a_hundredth_more_than_the_best(question, acquisition):
    best = best_films(question, acquisition, OPTIONS)[0]
    drawn = question.structures.draw(10_000, np.random.default_rng(0))
    points = to_tensor(np.concatenate([structure.points(w, S) for structure, w in drawn]))
    with torch.no_grad():
        random = torch.cat([acquisition.value(part) for part in torch.split(points, 1000)])
    assert best.value >= random.max().item() - 0.01  # the value is the logarithm of the gain


def test_candidates_come_best_first_with_the_gain_they_claim(question, acquisition):
    ranked = best_films(question, acquisition, OPTIONS)
    gains = [c.value for c in ranked]
    assert gains == sorted(gains, reverse=True)
    for candidate in ranked[:5]:
        assert candidate.value == pytest.approx(value(acquisition, candidate), abs=1e-9)


def test_refinement_climbs_and_stays_legal(question, acquisition):
    structure = question.structures.items[0]
    for w in structure.region.sample(5, np.random.default_rng(2)):
        start = Candidate(structure, w, value(acquisition, Candidate(structure, w, 0.0)))
        (ended,) = refine([start], acquisition, S, steps=30)
        assert ended.value >= start.value
        assert (structure.region.G @ ended.w <= structure.region.h + 1e-9).all()
        assert legal_film(structure, ended.w, PROBLEM.space, PROBLEM.film) is not None


class Bowl:
    """A gain that is largest for films all of whose devices lie at `top`."""

    def __init__(self, top):
        self.top = to_tensor(top)

    def value(self, X):
        return -((X - self.top) ** 2).sum(dim=(-2, -1))


def test_refinement_along_a_border_is_not_lost():
    """The best film of a bowl whose lowest point lies beyond the edge C = 0: on that edge, where the films start."""
    space, geometry = SearchSpace(elements=("A", "B", "C")), FilmGeometry(devices=5)
    (structure,) = film_structures(space, geometry).items
    bowl = Bowl([0.3, 0.9, -0.2])
    for a, b in ((0.9, 0.8), (0.7, 0.55), (1.0, 0.1)):
        w = np.array([a, 1.0 - a, 0.0, b, 1.0 - b, 0.0])
        (ended,) = refine([Candidate(structure, w, value(bowl, Candidate(structure, w, 0.0)))], bowl, S, steps=30)
        assert -0.31 < ended.value < -0.29  # at (0.2, 0.8, 0), the foot of the top on the edge, it is -0.30


def test_a_mirror_image_is_no_other_film(question):
    structure = question.structures.items[0]
    w = structure.region.sample(1, np.random.default_rng(4))[0]
    mirrored = np.concatenate([w[3:6], w[:3]])
    far = structure.region.pull(w[None], structure.region.centre[None])[0]
    candidates = [Candidate(structure, x, 0.0) for x in (w, w + 1e-3, mirrored, far)]
    assert distinct(candidates, 9, question.structures.extent) == [candidates[0], candidates[3]]
    assert distinct(candidates, 1, question.structures.extent) == candidates[:1]


def test_how_far_films_lie_apart_is_judged_by_how_far_they_can(question):
    """One atomic percent is nothing where fractions reach from 0 to 1, and half of everything where they reach 2."""
    structure = question.structures.items[0]
    w = np.array([0.40, 0.30, 0.30, 0.38, 0.31, 0.31])
    candidates = [Candidate(structure, x, 0.0) for x in (w, w + np.array([0.01, -0.01, 0.0, 0.0, 0.0, 0.0]))]
    assert len(distinct(candidates, 9, np.ones(3))) == 1
    assert len(distinct(candidates, 9, np.full(3, 0.02))) == 2
