"""Health: both detectors fire on a model that was built to be sick, and neither on one that is not."""

import numpy as np
import pytest

from models.catalog import ConditionalVAE, NeighbourJitter
from models.generation import train_generator
from models.generators.base import Draws, Wish, nothing_expected
from models.generators.health import conditional_error, copying_chance, health, novel_share, verdict
from models.generators.two_sample import two_sample_test
from tests.oracles import alloy_table

TRAINED, UNSEEN = alloy_table.alloys(160, seed=1), alloy_table.alloys(120, seed=2)
SMALL = {"steps": 350, "width": 32, "latent": 4, "held_out": 0.0}


class Repeater:
    """Draws nothing but examples of its training, by a hair changed."""

    def __init__(self, examples, rows):
        self.X, self.rows = examples.X, rows

    def draw(self, _wish, count, *, seed):
        rng = np.random.default_rng(seed)
        X = self.X[self.rows[rng.integers(len(self.rows), size=count)]]
        X = X * np.exp(1e-3 * rng.standard_normal(X.shape))
        return Draws(X / X.sum(axis=1, keepdims=True), np.zeros(count), *nothing_expected(count, 1))

    def reconstruct(self, _examples):
        return None

    def information(self, _examples, *, seed):
        return {}


def of_vae(**options):
    generator = train_generator(ConditionalVAE(**(SMALL | options)), TRAINED, seed=3).generator
    return health(generator, TRAINED, UNSEEN, seed=4)


def test_a_trained_model_is_healthy():
    told = of_vae()
    assert told.verdict == "healthy"
    assert told.active_units >= 3
    assert told.importance_bound > told.elbo
    assert told.kl == pytest.approx(sum(told.kl_per_dimension))
    assert told.support_accuracy > 0.8
    assert told.two_sample_test < 0.5
    assert abs(told.elements_drawn - told.elements_real) < 0.5
    assert told.frequency_error < 0.15
    assert told.validity == 1.0
    assert told.as_json()["conditional_error"] is None


def test_a_model_whose_code_says_nothing_is_collapsed():
    told = of_vae(beta=10.0, free_bits=0.0, cycles=0)
    assert told.kl < 0.5
    assert told.verdict == "collapsed"


def test_a_model_that_repeats_one_example_is_collapsed():
    assert health(Repeater(TRAINED, np.array([7])), TRAINED, UNSEEN, seed=0).verdict == "collapsed"


def test_a_model_that_repeats_its_examples_is_memorising():
    told = health(Repeater(TRAINED, np.arange(len(TRAINED))), TRAINED, UNSEEN, seed=0)
    assert told.verdict == "memorising"
    assert told.copying > 0.95
    assert told.novel_share == 0.0


def test_a_perfect_model_is_healthy():
    """Its draws are other alloys of the same kind."""
    fresh = alloy_table.alloys(512, seed=9)
    told = health(Repeater(fresh, np.arange(len(fresh))), TRAINED, UNSEEN, seed=0)
    assert told.verdict == "healthy"
    assert abs(told.copying - 0.5) < 0.1
    assert abs(told.two_sample_test) < 0.15
    assert told.diversity == pytest.approx(1.0, abs=0.05)


def test_copying_chance_by_counting_pairs():
    rng = np.random.default_rng(0)
    drawn, trained, unseen = (rng.dirichlet(np.ones(3), n) for n in (20, 30, 25))
    near = [np.abs(points[:, None] - trained).sum(-1).min(1) for points in (drawn, unseen)]
    wanted = np.mean((near[0][:, None] < near[1]) + 0.5 * (near[0][:, None] == near[1]))
    assert copying_chance(drawn, trained, unseen) == pytest.approx(wanted)


def test_two_sample_test_tells_what_can_be_told():
    rng = np.random.default_rng(1)
    one, same, other = (rng.dirichlet(a, 200) for a in ([2, 3, 4], [2, 3, 4], [40, 3, 4]))
    assert abs(two_sample_test(one, same)) < 0.15
    assert two_sample_test(one, other) > 0.9
    assert np.isnan(two_sample_test(one[:4], other))


def test_two_sample_test_by_hand():
    """Six points of each kind in two heaps far from each other: every vote is right."""
    here, there = np.tile([1.0, 0.0], (6, 1)), np.tile([0.0, 1.0], (6, 1))
    assert two_sample_test(here, there) == 1.0


def test_novelty_counts_from_the_nearest_known_composition():
    known = np.array([[1.0, 0.0], [0.0, 1.0]])
    drawn = np.array([[0.95, 0.05], [0.85, 0.15], [0.5, 0.5]])
    assert novel_share(drawn, known) == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("figures", "wanted"),
    [
        ((0.5, 1.0, 8.0), "healthy"),
        ((0.9, 1.0, 8.0), "memorising"),
        ((0.9, 0.1, 8.0), "collapsed"),
        ((0.2, 1.0, 0.2), "collapsed"),
        ((np.nan, 1.0, None), "healthy"),
    ],
)
def test_verdict(figures, wanted):
    assert verdict(*figures) == wanted


def test_conditional_error_is_that_of_the_oracle():
    """With the truth as oracle, draws near examples of the wanted hardness come close to it."""

    def oracle(X):
        return alloy_table.hardness(X)[:, None]

    jitter = train_generator(NeighbourJitter(neighbours=1, scale=1e-3, exchanged=0.0), TRAINED, seed=0).generator
    assert conditional_error(jitter, TRAINED, oracle, seed=0) < 15.0
    model = train_generator(ConditionalVAE(**SMALL, novel_share=0.0), TRAINED, seed=3).generator
    spread = np.nanstd(TRAINED.Y)
    assert conditional_error(model, TRAINED, oracle, seed=0) < 0.25 * spread
    unweighed = model.with_options(pool=1)
    assert conditional_error(unweighed, TRAINED, oracle, seed=0) > 0.3 * spread


def test_validity_is_what_was_legal_as_drawn():
    draws = train_generator(NeighbourJitter(), TRAINED, seed=0).generator.draw(Wish.anything(TRAINED), 5, seed=0)
    moved = Draws(draws.X, np.array([0.0, 0.0, 0.3, 1e-12, 0.2]), draws.mean, draws.sd)
    assert moved.validity == pytest.approx(0.6)
