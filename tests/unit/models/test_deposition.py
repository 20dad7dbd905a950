import numpy as np
import pytest
from pydantic import ValidationError

from models.composition import SearchSpace
from models.deposition import Commands, DepositionGrid, Source
from models.film import Film, FilmGeometry, commanded_film, film_violations, named_commands
from tests.oracles.wedge import deposited

SPACE = SearchSpace(elements=("Fe", "Ga", "Pd"))
SOURCES = (
    Source(element="Pd", rate=0.5, step=1.0, upper=100.0),
    Source(element="Fe", rate=1.0, step=5.0, lower=20.0, upper=200.0),
    Source(element="Ga", rate=2.0, step=0.1, upper=50.0),
)
GEOMETRY = FilmGeometry(devices=7, grid=DepositionGrid(unit="W", sources=SOURCES, ratio_within=1.0))
NONE = np.empty(0)


def commanded(a, b, geometry=GEOMETRY):
    return commanded_film(Commands(np.array(a), np.array(b)), NONE, SPACE, geometry)


def test_a_film_is_what_its_fluxes_leave_on_the_substrate():
    film = commanded([100.0, 10.0, 40.0], [50.0, 30.0, 80.0])
    followed = [deposited([100.0, 20.0, 20.0], [50.0, 60.0, 40.0], t) for t in np.linspace(0.0, 1.0, 7)]
    assert np.allclose(film.compositions(), followed, atol=2e-4)


def test_a_film_has_the_flux_ratio_of_its_own_commands():
    film = commanded([100.0, 0.0, 0.0], [100.0, 50.0, 0.0])  # fluxes 100 and 200
    assert film.s[3] == pytest.approx(2.0 / 3.0)


def test_a_film_on_the_grid_breaks_no_rule():
    assert film_violations(commanded([100.0, 10.3, 40.0], [50.0, 30.0, 80.0]), SPACE, GEOMETRY) == []


@pytest.mark.parametrize(
    ("a", "b", "named"),
    [
        ([102.0, 10.0, 40.0], [50.0, 30.0, 80.0], "Fe in steps of 5 W"),
        ([15.0, 10.0, 40.0], [50.0, 30.0, 80.0], "Fe off or 20 to 200 W at both ends"),
        ([0.0, 10.0, 40.0], [50.0, 30.0, 80.0], "Fe off or 20 to 200 W at both ends"),
        ([50.0, 10.0, 40.0], [50.0, 30.0, 120.0], "Pd off or 0 to 100 W at both ends"),
        ([0.0, 0.0, 0.0], [0.0, 0.0, 0.0], "no source is on at an end"),
    ],
)
def test_commands_that_a_source_cannot_follow_are_named(a, b, named):
    told = Commands(np.array(a), np.array(b))
    film = Film(np.array([0.5, 0.3, 0.2]), np.array([0.4, 0.3, 0.3]), NONE, GEOMETRY.mixing(), commands=told)
    assert any(named in rule for rule in film_violations(film, SPACE, GEOMETRY))


def test_a_film_much_thicker_at_one_end_is_named():
    even = GEOMETRY.model_copy(update={"grid": GEOMETRY.grid.model_copy(update={"ratio_within": 0.1})})
    thicker = commanded([100.0, 10.0, 40.0], [100.0, 20.0, 40.0])  # fluxes 140 and 160
    assert film_violations(thicker, SPACE, even) == ["flux ratio 1 within a share of 0.1: is 1.14285714286"]
    assert film_violations(thicker, SPACE, GEOMETRY) == []


def test_fractions_that_do_not_follow_from_the_commands_are_named():
    good = commanded([100.0, 10.3, 40.0], [50.0, 30.0, 80.0])
    other = Film(good.b, good.a, NONE, GEOMETRY.mixing(), commands=good.commands)
    broken = film_violations(other, SPACE, GEOMETRY)
    assert [rule for rule in broken if "does not follow" in rule] == [
        "deposition grid: A does not follow from the commands",
        "deposition grid: B does not follow from the commands",
        "deposition grid: positions does not follow from the commands",
    ]


def test_a_film_without_commands_is_named():
    film = Film(np.array([0.5, 0.3, 0.2]), np.array([0.4, 0.3, 0.3]), NONE, GEOMETRY.mixing())
    assert film_violations(film, SPACE, GEOMETRY) == ["deposition grid: the film has no commands"]


def test_in_a_pair_film_two_commands_change_and_the_other_fractions_hardly_do():
    pair = GEOMETRY.model_copy(update={"grading": "pair"})
    steady = commanded([100.0, 10.0, 40.0], [80.0, 20.0, 40.0], pair)  # the total flux stays 140
    drifting = commanded([100.0, 10.0, 40.0], [80.0, 10.0, 80.0], pair)  # Ga keeps its command, the total flux too
    swelling = commanded([100.0, 10.0, 40.0], [100.0, 20.0, 60.0], pair)  # it rises by a fifth, and Fe falls with it
    three = commanded([100.0, 10.0, 40.0], [80.0, 15.0, 60.0], pair)
    assert film_violations(steady, SPACE, pair) == []
    assert film_violations(drifting, SPACE, pair) == []
    assert any("fixed elements constant within 0.005" in rule for rule in film_violations(swelling, SPACE, pair))
    assert "two elements trade: the commands of 3 change" in film_violations(three, SPACE, pair)


def test_commands_by_name_find_their_elements():
    told = named_commands({"Pd": 3.0, "Fe": 20.0}, {"Fe": 25.0}, SPACE)
    assert told.a.tolist() == [20.0, 0.0, 3.0]
    assert told.b.tolist() == [25.0, 0.0, 0.0]


@pytest.mark.parametrize(
    "source",
    [
        {"rate": 0.0},
        {"step": 0.0},
        {"upper": 0.5},
        {"lower": 7.1, "upper": 7.9},
        {"lower": 30.0, "upper": 20.0},
        {"step": 1e-6, "upper": 100.0},
    ],
)
def test_a_source_without_a_usable_command_is_refused(source):
    with pytest.raises(ValidationError):
        Source.model_validate({"element": "Fe", "rate": 1.0, "step": 1.0, "upper": 100.0} | source)


def test_an_element_has_one_source():
    with pytest.raises(ValidationError, match="one source per element: Fe has more"):
        DepositionGrid(unit="W", sources=(SOURCES[1], SOURCES[1]))


def test_a_grid_and_a_list_of_films_exclude_each_other():
    with pytest.raises(ValidationError, match="not both"):
        FilmGeometry(grid=GEOMETRY.grid, choices=({"a": {"Fe": 1.0}, "b": {"Fe": 1.0}},))
