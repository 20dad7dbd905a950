import numpy as np
import pytest
import torch
from pydantic import ValidationError

from models.catalog import CostModel, ExpectedImprovement, ProcessCost
from models.composition import CategoricalVariable, ContinuousVariable, ElementBounds, SearchSpace
from models.dataset import Dataset
from models.film import Film, FilmGeometry
from models.policies.cost import Priced, film_cost
from models.policies.expected_improvement import reference_points
from models.policies.film_acquisition import FilmImprovement
from models.policies.film_optimizer import best_films
from models.propose import propose
from models.tensors import to_tensor
from tests.oracles import film_lab
from tests.oracles.small_campaign import question

SPACE = SearchSpace(
    elements=("A", "B", "C", "D"),
    process=(
        ContinuousVariable(name="T", unit="K", lower=300.0, upper=900.0),
        CategoricalVariable(name="substrate", choices=("Si", "MgO")),
    ),
)
GEOMETRY = FilmGeometry(devices=3, grading="pair", span_min=0.1)
COST = CostModel(
    film=2.0,
    target=1.5,
    process=(
        ProcessCost(variable="T", change=0.5, per_unit_changed=0.01, per_unit=0.002),
        ProcessCost(variable="substrate", change=0.25, choices={"MgO": 3.0}),
    ),
)
PROBLEM = film_lab.problem_of(SPACE, GEOMETRY, ExpectedImprovement(raw_films=64, restarts=2, mc_samples=32, cost=COST))


def film(a, b, kelvin=300.0, substrate="Si"):
    process = SPACE.encode_process({"T": kelvin, "substrate": substrate})
    return Film(np.array(a), np.array(b), process, GEOMETRY.mixing())


AB = film([0.5, 0.5, 0.0, 0.0], [0.2, 0.8, 0.0, 0.0])
ABC = film([0.5, 0.3, 0.2, 0.0], [0.2, 0.6, 0.2, 0.0], 600.0, "MgO")
CD = film([0.0, 0.0, 0.5, 0.5], [0.0, 0.0, 0.2, 0.8], 300.5)


def read(*films):
    """Films in the order in which they were read."""
    return film_lab.measured(PROBLEM, films)


def cost(next_film, data, pending=()):
    asked = question(None, problem=PROBLEM, data=data, pending=pending)
    return film_cost(asked, COST).of(to_tensor(next_film.points())[None]).item()


@pytest.mark.parametrize(
    ("next_film", "expected"),
    [
        (AB, 2.0),
        (ABC, 2.0 + 1.5 + (0.5 + 300 * 0.01 + 300 * 0.002) + (0.25 + 3.0)),
        (CD, 2.0 + 4 * 1.5 + 0.5 * 0.01 + 0.5 * 0.002),
    ],
    ids=["the same again", "one element and the process", "four elements, as good as the same temperature"],
)
def test_the_cost_is_the_sum_of_its_parts_after_the_film_read_last(next_film, expected):
    assert cost(next_film, read(ABC, AB)) == pytest.approx(expected)


def test_the_first_film_costs_no_change():
    assert cost(ABC, Dataset.empty(7)) == pytest.approx(2.0 + 300 * 0.002 + 3.0)


def test_with_films_in_flight_the_cheapest_change_counts():
    assert cost(CD, read(AB), [AB, CD]) == pytest.approx(2.0 + 0.5 * 0.002)
    assert cost(CD, read(CD), [AB]) == cost(CD, read(AB))


def test_traces_in_a_measured_film_are_no_targets():
    data = read(AB)
    X = data.X.copy()
    X[:, :3] += np.array([-0.002, 0.0, 0.002])
    moved = Dataset(X, data.Y, data.Yvar, data.films, data.times, data.names)
    assert cost(AB, moved) == pytest.approx(2.0)


def test_a_calibration_sample_read_last_is_no_film():
    data = read(AB, CD)
    sample = Dataset(
        data.X, data.Y, data.Yvar, data.films, data.times, data.names, calibration=data.films == "film-001"
    )
    assert cost(AB, sample) == pytest.approx(2.0)


class Constant:
    """Every film is worth the same."""

    def value(self, X):
        return torch.zeros(len(X), dtype=X.dtype)

    def gain(self, X):
        return torch.ones(len(X), dtype=X.dtype)


def test_value_falls_with_the_logarithm_of_the_cost_and_the_gain_stays():
    asked = question(None, problem=PROBLEM, data=read(AB))
    X = to_tensor(np.array([AB.points(), ABC.points()]))
    for weight in (0.0, 1.0, 2.0):
        priced = Priced(Constant(), film_cost(asked, COST.model_copy(update={"weight": weight})))
        expected = [-weight * np.log(2.0), -weight * np.log(cost(ABC, read(AB)))]
        np.testing.assert_allclose(priced.value(X).numpy(), expected)
        assert priced.gain(X).tolist() == [1.0, 1.0]


def test_the_gradient_sees_the_cost_of_the_process():
    asked = question(None, problem=PROBLEM, data=read(AB))
    X = to_tensor(ABC.points())[None].requires_grad_()
    (slope,) = torch.autograd.grad(film_cost(asked, COST).of(X).sum(), X)
    assert slope[0, :, 4].sum().item() == pytest.approx(600.0 * 0.012)


def test_a_policy_weighs_it_and_says_it():
    """Changing targets costs a hundred films: the elements stay, and the reason tells the cost."""
    data = read(AB, film([0.7, 0.3, 0.0, 0.0], [0.1, 0.9, 0.0, 0.0], 800.0))
    free = PROBLEM.policy.model_copy(update={"cost": None})
    dear = PROBLEM.policy.model_copy(update={"cost": CostModel(target=100.0, unit="EUR")})
    answers = []
    for policy in (free, dear):
        problem = PROBLEM.model_copy(update={"policy": policy})
        bundle = film_lab.bundle(problem, data)
        answers += propose(problem, bundle, data, pending=[], count=1, seed=4)
    union = [np.maximum(a.film.a, a.film.b) for a in answers]
    assert (union[0][2:] > 1e-9).any()
    assert not (union[1][2:] > 1e-9).any()
    assert "costs" not in answers[0].reason
    assert answers[1].reason.endswith("it costs 1 EUR, 0 elements changed")
    assert answers[1].gain < answers[0].gain


def test_a_cost_of_an_unknown_process_variable_is_refused():
    with pytest.raises(ValidationError, match="cost of 'pressure'"):
        film_lab.problem_of(
            SPACE, GEOMETRY, ExpectedImprovement(cost=CostModel(process=(ProcessCost(variable="pressure"),)))
        )


def test_a_cost_of_an_unknown_choice_is_refused():
    dear = ProcessCost(variable="substrate", choices={"glass": 1.0})
    with pytest.raises(ValidationError, match="'glass'"):
        film_lab.problem_of(SPACE, GEOMETRY, ExpectedImprovement(cost=CostModel(process=(dear,))))


def test_a_cost_needs_no_process():
    """Elements cost something to change where there are no process variables, too."""
    space = SearchSpace(elements=("A", "B", "C"))
    problem = film_lab.problem_of(space, GEOMETRY, PROBLEM.policy.model_copy(update={"cost": CostModel(target=1.5)}))
    ends = np.array([[[0.5, 0.5, 0.0], [0.2, 0.8, 0.0]], [[0.6, 0.4, 0.0], [0.9, 0.1, 0.0]]])
    data = film_lab.measured(problem, [Film(a, b, np.empty(0), GEOMETRY.mixing()) for a, b in ends])
    (answer,) = propose(problem, film_lab.bundle(problem, data), data, pending=[], count=1, seed=4)
    changed = ((np.maximum(answer.film.a, answer.film.b) > 1e-9) != [True, True, False]).sum()
    assert answer.cost == pytest.approx(1.0 + 1.5 * changed)


@pytest.mark.parametrize("seed", [1, 8])
def test_no_target_is_changed_that_need_not_be(seed):
    """The search finds what it finds if only the last film's elements may be used; with these seeds no climb did."""
    rng = np.random.default_rng(seed)
    geometry = FilmGeometry(devices=7, grading="free", span_min=0.05, span_max=0.4)
    space = SearchSpace(elements=tuple("ABCDE"), process=SPACE.process[:1])
    policy = ExpectedImprovement(cost=CostModel(target=5.0))
    problem = film_lab.problem_of(space, geometry, policy)
    films = []
    for a, b in rng.dirichlet(np.ones(3), (3, 2)):
        near = a + (b - a) * min(1.0, 0.3 / np.abs(b - a).max())
        films.append(Film(np.append(a, [0.0, 0.0]), np.append(near, [0.0, 0.0]), np.array([0.5]), geometry.mixing()))
    data = film_lab.measured(problem, films, seed=seed)
    model = film_lab.surrogate(problem, data)
    none = tuple(ElementBounds(element=e, upper=0.0) for e in "DE")
    few = film_lab.problem_of(space.model_copy(update={"bounds": none}), geometry, policy)
    asked, narrow = (question(model, problem=p, data=data, seed=seed) for p in (problem, few))
    improvement = FilmImprovement(
        model.latents(), to_tensor(reference_points(asked)), devices=geometry.devices, draws=128, seed=5
    )
    priced = Priced(improvement, film_cost(asked, policy.cost))
    found, wanted = (best_films(q, priced, policy)[0].value for q in (asked, narrow))
    assert found > wanted - 0.05
