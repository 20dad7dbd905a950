import numpy as np

from models.composition import ElementBounds, GroupRule, LinearRule, SearchSpace
from models.presence import ENUMERATED

LETTERS = tuple("ABCDEFGHIJKLMNOP")


def names(space, mask):
    return "".join(e for e, present in zip(space.elements, mask, strict=True) if present)


def test_without_presence_rules_there_is_one_support():
    masks, complete = SearchSpace(elements=("A", "B", "C")).supports()
    assert complete
    assert [m.tolist() for m in masks] == [[True, True, True]]


def test_only_largest_supports_are_listed_where_an_element_may_fade_out():
    space = SearchSpace(
        elements=("A", "B", "C", "D"), groups=(GroupRule(name="g", elements=("B", "C", "D"), max_present=2),)
    )
    masks, complete = space.supports()
    assert complete
    assert sorted(names(space, m) for m in masks) == ["ABC", "ABD", "ACD"]


def test_an_element_that_cannot_fade_out_is_both_in_and_out():
    space = SearchSpace(elements=("A", "B"), bounds=(ElementBounds(element="B", absent_or_at_least=0.1),))
    masks, complete = space.supports()
    assert complete
    assert sorted(names(space, m) for m in masks) == ["A", "AB"]


def test_an_element_with_a_least_fraction_is_always_in():
    space = SearchSpace(
        elements=("A", "B", "C"),
        bounds=(ElementBounds(element="A", lower=0.2),),
        groups=(GroupRule(name="g", elements=("A", "B", "C"), max_present=2),),
    )
    masks, _ = space.supports()
    assert sorted(names(space, m) for m in masks) == ["AB", "AC"]


def test_too_many_supports_are_drawn_by_seed_and_feasible():
    space = SearchSpace(
        elements=LETTERS,
        bounds=tuple(ElementBounds(element=e, absent_or_at_least=0.02) for e in LETTERS),
        linear=(LinearRule(name="a", coefficients={"A": 1.0}, lower=0.1),),
    )
    assert 2 ** len(LETTERS) > ENUMERATED
    masks, complete = space.supports(limit=20, seed=1)
    assert not complete
    assert 5 < len(masks) <= 20
    assert all(mask[0] and space.region(mask) is not None for mask in masks)
    again, _ = space.supports(limit=20, seed=1)
    assert np.array_equal(masks, again)


def test_a_limit_draws_among_those_listed():
    space = SearchSpace(elements=LETTERS, groups=(GroupRule(name="g", elements=LETTERS, max_present=3),))
    masks, complete = space.supports(limit=10, seed=2)
    assert not complete
    assert len({m.tobytes() for m in masks}) == 10
    assert all(m.sum() == 3 for m in masks)
