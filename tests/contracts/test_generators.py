"""One suite that every registered generator passes: a new kind inherits its proof."""

import numpy as np
import pytest
from pydantic import TypeAdapter

from models.catalog import GeneratorChoice
from models.composition import ElementBounds, GroupRule, SearchSpace
from models.errors import IncompatibleCheckpoint, InvalidComposition, NotEnoughData
from models.generation import generator_from_bytes, generator_to_bytes, train_generator
from models.generators.base import Examples, Wish
from models.registry import GENERATORS
from tests.oracles import alloy_table
from tests.oracles.film_rules import broken_composition_rules

DATA = alloy_table.alloys(60, seed=1)
SMALL = {"conditional_vae": {"steps": 120, "width": 16, "latent": 3, "pool": 8}}
"""Options that keep the suite fast."""
RULED = SearchSpace(
    elements=alloy_table.ELEMENTS,
    bounds=(ElementBounds(element="Cr", absent_or_at_least=0.1), ElementBounds(element="Fe", lower=0.15)),
    groups=(GroupRule(name="light", elements=("Al", "Ti"), upper=0.3, max_present=1),),
)


def choice_of(kind):
    return TypeAdapter(GeneratorChoice).validate_python({"name": kind} | SMALL.get(kind, {}))


@pytest.fixture(scope="module", params=sorted(GENERATORS))
def choice(request):
    return choice_of(request.param)


@pytest.fixture(scope="module")
def bundle(choice):
    return train_generator(choice, DATA, seed=5)


def wish(target=np.nan, space=None):
    return Wish(np.array([target]), np.array([np.nan]), space)


def test_it_is_the_generator_that_was_asked_for(choice, bundle):
    assert type(bundle.generator) is GENERATORS[choice.name]
    assert bundle.generator.name == choice.name


@pytest.mark.parametrize("target", [np.nan, 250.0])
@pytest.mark.parametrize("count", [1, 17])
def test_draws_are_compositions(bundle, target, count):
    draws = bundle.generator.draw(wish(target), count, seed=3)
    assert draws.X.shape == (count, 6)
    assert (draws.X >= 0.0).all()
    np.testing.assert_allclose(draws.X.sum(axis=1), 1.0, atol=1e-12)
    assert draws.moved.shape == (count,)
    assert draws.mean.shape == draws.sd.shape == (count, 1)


@pytest.mark.parametrize("target", [np.nan, 250.0])
def test_every_draw_obeys_the_rules(bundle, target):
    draws = bundle.generator.draw(wish(target, RULED), 40, seed=4)
    assert [broken for x in draws.X if (broken := broken_composition_rules(RULED, x) + RULED.violations(x))] == []


def test_draws_differ_and_follow_their_seed(bundle):
    one, again, other = (bundle.generator.draw(wish(300.0), 12, seed=s).X for s in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)
    assert len(np.unique(one.round(9), axis=0)) == 12


@pytest.mark.parametrize("seed", [0, 1])
def test_order_of_the_examples_does_not_matter(choice, bundle, seed):
    shuffled = DATA.take(np.random.default_rng(seed).permutation(len(DATA)))
    other = train_generator(choice, shuffled, seed=5)
    assert other.fingerprint == bundle.fingerprint
    np.testing.assert_array_equal(
        other.generator.draw(wish(300.0), 9, seed=2).X, bundle.generator.draw(wish(300.0), 9, seed=2).X
    )


def test_checkpoint_round_trip_is_exact(bundle):
    stored = generator_to_bytes(bundle)
    copy = generator_from_bytes(stored)
    assert generator_to_bytes(copy) == stored
    for target in (np.nan, 300.0):
        one, two = (b.generator.draw(wish(target, RULED), 9, seed=2) for b in (bundle, copy))
        np.testing.assert_array_equal(one.X, two.X)
        np.testing.assert_array_equal(one.mean, two.mean)


def test_damaged_bytes_are_refused(bundle):
    stored = bytearray(generator_to_bytes(bundle))
    stored[-3] ^= 1
    with pytest.raises(IncompatibleCheckpoint):
        generator_from_bytes(bytes(stored))


def test_rules_on_other_elements_are_refused(bundle):
    with pytest.raises(InvalidComposition):
        bundle.generator.draw(wish(space=SearchSpace(elements=("Fe", "Co"))), 3, seed=0)


def test_progress_may_end_the_training(choice):
    class Enough(Exception):
        pass

    def stop(_phase):
        raise Enough

    with pytest.raises(Enough):
        train_generator(choice, DATA, seed=5, progress=stop)


def test_it_starts_from_an_earlier_one_of_other_columns(choice):
    prior = alloy_table.alloys(50, seed=2, elements=("Ni", "Fe", "Mn", "Cr", "Al", "V"))
    before = train_generator(choice, prior, seed=1)
    after = train_generator(choice, DATA, seed=5, previous=before)
    assert after.elements == DATA.elements
    assert after.generator.draw(wish(300.0, RULED), 5, seed=1).X.shape == (5, 6)


def test_no_example_at_all(choice):
    none = DATA.take(np.array([], dtype=int))
    if choice.name == "uniform_simplex":
        assert len(train_generator(choice, none, seed=0).generator.draw(wish(), 4, seed=0).X) == 4
    else:
        with pytest.raises(NotEnoughData):
            train_generator(choice, none, seed=0)


def test_examples_without_any_property_or_process(choice):
    bare = Examples(DATA.elements, (), (), DATA.X, np.empty((60, 0)), np.empty((60, 0)), DATA.groups)
    draws = train_generator(choice, bare, seed=0).generator.draw(Wish.anything(bare), 6, seed=0)
    assert draws.X.shape == (6, 6)
