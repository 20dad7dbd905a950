"""Jitter with exchange: what changes places, what stays, and that what was stored before draws as it did."""

import numpy as np
import pytest

from models.catalog import NeighbourJitter
from models.composition import GroupRule, SearchSpace
from models.generation import train_generator
from models.generators.base import Examples, Wish
from models.generators.neighbour_jitter import NeighbourJitterGenerator

ELEMENTS = ("Fe", "Co", "Ni", "Cr", "Al", "Ti")
KNOWN = np.array([[0.5, 0.3, 0.2, 0.0, 0.0, 0.0], [0.0, 0.0, 0.3, 0.7, 0.0, 0.0], [0.25, 0.25, 0.0, 0.25, 0.25, 0.0]])
"""Nobody knows titanium."""
ANYTHING = Wish(np.empty(0), np.empty(0))


def jitter(exchanged, X=KNOWN):
    none, names = np.empty((len(X), 0)), np.array([f"a{k}" for k in range(len(X))])
    examples = Examples(ELEMENTS, (), (), X, none, none, names)
    return train_generator(NeighbourJitter(exchanged=exchanged), examples, seed=0).generator


def sets_of(X):
    return {tuple(row) for row in X > 0.0}


def test_without_exchange_no_set_of_elements_is_new():
    assert sets_of(jitter(0.0).draw(ANYTHING, 100, seed=1).X) == sets_of(KNOWN)


def test_an_exchanged_element_is_one_that_the_composition_lacked_and_somebody_knows():
    plain, changed = (jitter(e).draw(ANYTHING, 400, seed=1).X for e in (0.0, 1.0))
    gone, new = (plain > 0.0) & (changed == 0.0), (plain == 0.0) & (changed > 0.0)
    assert (gone.sum(axis=1) == 1).all()
    assert (new.sum(axis=1) == 1).all()
    # The newcomer takes over the fraction, and the others keep theirs.
    np.testing.assert_array_equal(np.sort(plain, axis=1), np.sort(changed, axis=1))
    np.testing.assert_array_equal(plain[gone], changed[new])
    assert new[:, :5].any(axis=0).all()
    assert not new[:, 5].any()


@pytest.mark.parametrize("share", [0.2, 0.5])
def test_the_share_is_that_of_the_draws(share):
    plain, changed = (jitter(e).draw(ANYTHING, 2000, seed=3).X for e in (0.0, share))
    # Four standard errors of a binomial share.
    assert abs(np.mean((plain != changed).any(axis=1)) - share) < 4.0 * np.sqrt(share * (1.0 - share) / 2000)


def test_where_every_known_element_is_present_nothing_can_be_exchanged():
    full = np.array([[0.4, 0.3, 0.3, 0.0, 0.0, 0.0], [0.2, 0.2, 0.6, 0.0, 0.0, 0.0]])
    one, other = (jitter(e, full).draw(ANYTHING, 50, seed=2).X for e in (0.0, 1.0))
    np.testing.assert_array_equal(one, other)


def test_exchanged_draws_obey_the_rules():
    rule = GroupRule(name="pair", elements=("Cr", "Al"), upper=0.3, max_present=1)
    space = SearchSpace(elements=ELEMENTS, groups=(rule,))
    drawn = jitter(1.0).draw(Wish(np.empty(0), np.empty(0), space), 60, seed=4)
    assert [v for x in drawn.X for v in space.violations(x)] == []
    assert drawn.moved.max() > 0.1, "some exchanges broke the rule and were mended"


def test_one_that_was_stored_before_there_were_exchanges_draws_as_it_did():
    arrays = jitter(0.0).arrays()
    older = arrays | {"options": arrays["options"][:2]}
    read = NeighbourJitterGenerator.from_arrays(older)
    assert read.options.exchanged == 0.0
    drawn, again = (g.draw(ANYTHING, 20, seed=5).X for g in (jitter(0.0), read))
    np.testing.assert_array_equal(drawn, again)
