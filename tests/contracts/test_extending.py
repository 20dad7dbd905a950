"""docs/extending.md says how a kind is added: what it shows is added here, and keeps what every policy promises."""

import inspect
import re
from pathlib import Path
from types import ModuleType

import pytest

from models import catalog
from models.registry import POLICIES
from tests.contracts import test_policies as contract
from tests.oracles import film_lab

PAGE = Path(__file__).parents[2] / "docs" / "extending.md"
OPTIONS, FILE, ENTRY = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
PROMISES = [
    test
    for name, test in vars(contract).items()
    if name.startswith("test_") and set(inspect.signature(test).parameters) == {"problem", "data"}
]


@pytest.fixture
def added(monkeypatch):
    """The kind of the page: its options in the catalogue, its file executed, its entry in the registry."""
    scope = dict(vars(catalog))
    exec(OPTIONS, scope)  # noqa: S102  # the page's own code is what is tested
    monkeypatch.setattr(catalog, "ProbabilityOfImprovement", scope["ProbabilityOfImprovement"], raising=False)
    module = ModuleType("probability_of_improvement")
    exec(FILE, vars(module))  # noqa: S102
    for name, policy in eval(f"{{{ENTRY}}}", vars(module)).items():  # noqa: S307
        monkeypatch.setitem(POLICIES, name, policy)
    return scope["ProbabilityOfImprovement"]


@pytest.fixture
def problem(added):
    plain = film_lab.problem_of(contract.SPACE, contract.GEOMETRY, catalog.RandomFilms())
    return plain.model_copy(update={"policy": contract.small(added)})


@pytest.fixture
def data(problem):
    return contract.measured(problem)


def test_the_promises_are_found():
    assert len(PROMISES) >= 5


@pytest.mark.parametrize("promise", PROMISES, ids=lambda test: test.__name__)
def test_the_kind_that_the_page_adds_keeps_what_every_policy_promises(problem, data, promise):
    promise(problem, data)
