import numpy as np
import pytest

from models.composition import (
    CategoricalVariable,
    ContinuousVariable,
    ElementBounds,
    GroupRule,
    LinearRule,
    SearchSpace,
)
from models.feasibility import film_clash
from models.film import FilmGeometry, film_violations
from models.structures import LITTLE_CHANGED, MOST_STRUCTURES, film_structures, legal_film, little_changed

LETTERS = tuple("ABCDEFGHIJKLM")
THREE = SearchSpace(elements=("A", "B", "C"))


def pairs(structures):
    return sorted({s.pair for s in structures.items})


def test_without_choices_there_is_one_structure():
    structures = film_structures(THREE, FilmGeometry())
    assert structures.complete
    assert len(structures.items) == 1
    # Two ends of two degrees of freedom each.
    assert structures.items[0].region.freedom == 4


def test_a_least_span_is_reached_by_each_element_in_turn():
    assert len(film_structures(THREE, FilmGeometry(span_min=0.1)).items) == 3


def test_a_mirror_image_is_another_film_where_the_ends_differ():
    assert len(film_structures(THREE, FilmGeometry(span_min=0.1, flux_ratio=2.0)).items) == 6


def test_every_pair_trades():
    structures = film_structures(THREE, FilmGeometry(grading="pair", span_min=0.1))
    assert pairs(structures) == [(0, 1), (0, 2), (1, 2)]
    # One fixed element, the place of the pair, its span.
    assert all(s.region.freedom == 3 for s in structures.items)


def test_an_element_without_room_does_not_trade():
    space = SearchSpace(elements=("A", "B", "C"), bounds=(ElementBounds(element="C", lower=0.2, upper=0.25),))
    assert pairs(film_structures(space, FilmGeometry(grading="pair", span_min=0.1))) == [(0, 1)]


def test_both_ends_share_their_support():
    space = SearchSpace(elements=("A", "B", "C"), groups=(GroupRule(name="g", elements=("B", "C"), max_present=1),))
    structures = film_structures(space, FilmGeometry())
    assert sorted(s.support.tolist() for s in structures.items) == [[True, False, True], [True, True, False]]


def test_categories_are_enumerated_and_continuous_variables_free():
    space = SearchSpace(
        elements=("A", "B"),
        process=(
            CategoricalVariable(name="s", choices=("x", "y")),
            ContinuousVariable(name="T", unit="K", lower=0.0, upper=1.0),
        ),
    )
    structures = film_structures(space, FilmGeometry())
    assert sorted(s.fixed.tolist() for s in structures.items) == [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]
    assert all(s.region.freedom == 3 for s in structures.items)


def test_too_many_structures_are_drawn_by_seed_and_known_points_come_first():
    space = SearchSpace(elements=LETTERS, groups=(GroupRule(name="g", elements=LETTERS, max_present=3),))
    geometry = FilmGeometry(span_min=0.05)
    known = np.zeros((1, 13))
    known[0, [2, 7, 11]] = 1 / 3
    drawn = film_structures(space, geometry, seed=5, near=known)
    assert not drawn.complete
    assert len(drawn.items) == MOST_STRUCTURES
    holding = [s for s in drawn.items if s.support[[2, 7, 11]].all()]
    assert len(holding) == 3
    again = film_structures(space, geometry, seed=5, near=known)
    assert np.array_equal([s.support for s in drawn.items], [s.support for s in again.items])


@pytest.mark.parametrize("grading", ["free", "pair"])
def test_drawn_films_obey_every_rule(grading):
    space = SearchSpace(
        elements=LETTERS[:6],
        bounds=(ElementBounds(element="A", lower=0.1, upper=0.7), ElementBounds(element="F", absent_or_at_least=0.08)),
        groups=(GroupRule(name="g", elements=("D", "E", "F"), upper=0.3, max_present=2),),
        process=(ContinuousVariable(name="T", unit="K", lower=300.0, upper=900.0),),
    )
    geometry = FilmGeometry(devices=9, grading=grading, span_min=0.05, span_max=0.3, flux_ratio=1.7)
    rng = np.random.default_rng(0)
    films = [
        legal_film(structure, w, space, geometry)
        for structure, ws in film_structures(space, geometry).draw(200, rng)
        for w in ws
    ]
    assert len(films) == 200
    assert all(film is not None and film_violations(film, space, geometry) == [] for film in films)


def test_dust_is_swept_to_exact_zeros():
    (structure,) = film_structures(THREE, FilmGeometry()).items
    film = legal_film(structure, np.array([0.6, 0.4, 3e-12, 0.5, 0.5, 1e-15]), THREE, FilmGeometry())
    assert film.a[2] == 0.0
    assert film.b[2] == 0.0
    assert film.a.sum() == pytest.approx(1.0, abs=1e-15)


def test_points_of_many_films_are_the_points_of_each():
    (structure,) = film_structures(THREE, FilmGeometry(devices=4)).items
    w = structure.region.sample(3, np.random.default_rng(1))
    s = FilmGeometry(devices=4).mixing()
    each = [structure.film(row, s).points() for row in w]
    assert np.allclose(structure.points(w, s), each, atol=1e-9)


@pytest.mark.parametrize(("span", "exists"), [(0.2, True), (0.4, False)])
def test_whether_a_film_clash_depends_on_its_span(span, exists):
    space = SearchSpace(elements=("A", "B"), bounds=(ElementBounds(element="A", lower=0.4, upper=0.7),))
    assert (film_clash(space, FilmGeometry(span_min=span)) is None) is exists


@pytest.mark.parametrize("grading", ["free", "pair"])
def test_a_span_of_zero_leaves_uniform_films(grading):
    geometry = FilmGeometry(devices=4, grading=grading, span_max=0.0)
    rng = np.random.default_rng(0)
    for structure, ws in film_structures(THREE, geometry).draw(9, rng):
        assert structure.region.freedom == 2
        for w in ws:
            film = legal_film(structure, w, THREE, geometry)
            assert np.abs(film.a - film.b).max() < 1e-9


def test_known_relations_are_linear_rules():
    """Charge balance, valence electrons and mean radius of every device, each computed from its own definition."""
    charges, radii = {"La": 3.0, "Sr": 2.0, "Mn": 3.0, "O": -2.0}, {"La": 103.0, "Sr": 118.0, "Mn": 65.0, "O": 140.0}
    space = SearchSpace(
        elements=tuple(charges),
        bounds=tuple(ElementBounds(element=e, lower=0.05) for e in charges),
        linear=(
            LinearRule(name="charge balance", coefficients=charges, lower=0.0, upper=0.0),
            LinearRule(name="mean radius in pm", coefficients=radii, lower=118.0, upper=122.0),
        ),
    )
    geometry = FilmGeometry(devices=5, span_min=0.02)
    rng = np.random.default_rng(0)
    films = [legal_film(g, w, space, geometry) for g, ws in film_structures(space, geometry).draw(40, rng) for w in ws]
    X = np.vstack([film.compositions() for film in films])
    assert np.abs(X @ list(charges.values())).max() < 1e-8
    assert (X @ list(radii.values())).min() > 118.0 - 1e-6
    assert (X @ list(radii.values())).max() < 122.0 + 1e-6


@pytest.mark.parametrize("grading", ["pair", "free"])
def test_films_that_change_few_targets_have_the_same_elements_or_one_more_or_fewer(grading):
    geometry = FilmGeometry(devices=3, grading=grading, span_min=0.1)
    space = SearchSpace(
        elements=("A", "B", "C", "D"), groups=(GroupRule(name="few", elements=("C", "D"), max_present=1),)
    )
    structures = little_changed(space, geometry, np.array([[True, True, True, False]]))
    supports = {"".join(e for e, there in zip("ABCD", g.support, strict=True) if there) for g in structures.items}
    assert supports == {"ABC", "AB", "AC", "BC"}  # with D there would be two of C and D
    rng = np.random.default_rng(0)
    for structure, ws in structures.draw(40, rng):
        for w in ws:
            assert legal_film(structure, w, space, geometry) is not None
    assert little_changed(space, geometry, np.empty((0, 4), dtype=bool)).items == ()


def test_the_films_that_change_few_targets_have_a_bound():
    wide = SearchSpace(elements=tuple(f"E{k}" for k in range(12)))
    structures = little_changed(wide, FilmGeometry(grading="pair", span_min=0.1), np.ones((1, 12), dtype=bool))
    assert len(structures.items) == LITTLE_CHANGED
    assert all(g.support.all() for g in structures.items)  # those that change nothing come first
