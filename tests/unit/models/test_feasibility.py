import pytest
from pydantic import ValidationError

from models.catalog import RandomFilms
from models.composition import ElementBounds, GroupRule, SearchSpace
from models.deposition import DepositionGrid, Source
from models.feasibility import film_clash, film_on_grid
from models.film import FilmGeometry, film_violations
from tests.oracles import film_lab

NARROW = SearchSpace(
    elements=("A", "B", "C"),
    bounds=(ElementBounds(element="A", lower=0.4, upper=0.5), ElementBounds(element="C", upper=0.9)),
    groups=(GroupRule(name="g", elements=("B", "C"), max_present=1),),
)


def grid(*, step=1.0, lower=0.0, upper=100.0, elements="ABC"):
    sources = (Source(element=e, rate=0.5 + k / 7, step=step, lower=lower, upper=upper) for k, e in enumerate(elements))
    return DepositionGrid(unit="W", sources=tuple(sources))


def test_a_span_names_the_bounds_that_it_clashes_with_and_no_others():
    assert film_clash(NARROW, FilmGeometry(span_min=0.2)) == "no free film with span 0.2 to 1; A >= 0.4; A <= 0.5"


def test_a_span_that_fits_is_no_clash():
    assert film_clash(NARROW, FilmGeometry(span_min=0.1)) is None
    assert film_clash(NARROW, FilmGeometry(grading="pair", span_min=0.1)) is None


@pytest.mark.parametrize(
    ("elements", "named"),
    [("AB", "the deposition grid has no source of C"), ("ABCD", "sources of D, which are not among the elements")],
)
def test_sources_and_elements_must_agree(elements, named):
    assert named in film_clash(NARROW, FilmGeometry(grid=grid(elements=elements)))


def test_a_grid_too_coarse_for_the_bounds_is_named_with_them():
    tight = SearchSpace(elements=("A", "B", "C"), bounds=(ElementBounds(element="A", lower=0.4440, upper=0.4441),))
    clash = film_clash(tight, FilmGeometry(grid=grid(step=25.0)))
    assert clash.startswith("no free film in steps of the deposition grid (W) obeys all of: span 0 to 1; A >= 0.444")
    with pytest.raises(ValidationError, match="in steps of the deposition grid"):
        film_lab.problem_of(tight, FilmGeometry(grid=grid(step=25.0)), RandomFilms())


def test_fractions_beyond_what_the_sources_can_deliver_are_named():
    trace = SearchSpace(elements=("A", "B", "C"), bounds=(ElementBounds(element="A", lower=0.001, upper=0.01),))
    clash = film_clash(trace, FilmGeometry(grid=grid(lower=50.0)))
    assert clash == "no free film with span 0 to 1; A >= 0.001; A <= 0.01; what the sources can deliver"


def test_a_film_on_the_grid_is_found_once_and_obeys_the_rules():
    geometry = FilmGeometry(devices=4, span_min=0.02, grid=grid(lower=10.0))
    film = film_on_grid(NARROW, geometry)
    assert film_violations(film, NARROW, geometry) == []
    assert film_on_grid(NARROW, geometry) is film
