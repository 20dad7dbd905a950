"""Examples, features, columns, training, mixture and property head, each by itself."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats

from models.catalog import ConditionalVAE
from models.dataset import joined
from models.errors import InvalidDataset, NotEnoughData
from models.generation import train_generator
from models.generators.base import Examples, Wish
from models.generators.element_features import element_features
from models.generators.mixture import Mixture, fit_mixture
from models.generators.property_head import PropertyHead
from models.generators.training import annealed, held_out_rows, rank_weights
from models.objective import Objective
from models.problem import Problem
from tests.oracles import alloy_table, small_lab

SMALL = ConditionalVAE(steps=100, width=16, latent=3, pool=8)


def examples(X, **changed):
    n = len(X)
    given = {"Y": np.zeros((n, 1)), "P": np.empty((n, 0)), "groups": np.array([f"f{k}" for k in range(n)])}
    return Examples(("Fe", "Co"), ("signal",), (), np.array(X), **(given | changed))


def test_examples_are_cleaned_and_checked():
    made = examples([[0.499, 0.499], [1.0, 1e-9]])
    np.testing.assert_array_equal(made.X, [[0.5, 0.5], [1.0, 0.0]])
    for wrong in ([[0.5, 0.4]], [[1.2, -0.2]], [[np.nan, 1.0]]):
        with pytest.raises(InvalidDataset):
            examples(wrong)
    with pytest.raises(InvalidDataset):
        examples([[0.5, 0.5]], Y=np.zeros((2, 1)))


def test_examples_of_a_campaign_are_its_film_points_with_their_mean_reading():
    problem, data = small_lab.problem(), small_lab.dataset()
    twice = data.take(np.r_[np.arange(len(data)), 3])
    made = Examples.of(problem, twice)
    points = {(film, x.tobytes()) for film, x in zip(data.films, data.X, strict=True)}
    assert len(made) == len(points)
    row = np.flatnonzero((made.groups == data.films[3]) & (np.abs(made.X - data.X[3, :3]).max(axis=1) < 1e-12))
    np.testing.assert_allclose(made.Y[row, 0], data.Y[3, 0])
    sign = Objective.model_validate(problem.objectives[0]).sign()
    np.testing.assert_array_equal(made.merit, sign * made.Y[:, 0])


def test_a_generator_learns_from_what_was_read_from_prior_data_and_from_what_is_known():
    read, elsewhere = small_lab.dataset(), small_lab.dataset(films=2, devices=5, seed=3)
    prior = replace(elsewhere, sources=np.array(["prd_1"] * len(elsewhere)))
    known = ({"Fe": 0.5, "Pd": 0.5}, {"Ga": 0.7, "Pd": 0.29})
    problem = small_lab.problem().model_copy(update={"generator": ConditionalVAE(known=known)})
    both = joined([read, prior])
    made = Examples.to_learn(problem, both)
    assert len(made) == len(read) + 10 + 2
    bare = made.take(np.isnan(made.Y[:, 0]))
    np.testing.assert_allclose(bare.X, [[0.0, 70 / 99, 29 / 99], [0.5, 0.0, 0.5]])
    assert np.isnan(bare.P).all()
    # Only the campaign's own points are of its own merit; what was read elsewhere keeps its values.
    assert np.isfinite(made.merit).sum() == len(Examples.of(problem, both))
    assert set(elsewhere.Y[:, 0]) <= set(made.Y[:, 0])
    order = np.random.default_rng(0).permutation(len(both))
    assert Examples.to_learn(problem, both.take(order)).fingerprint() == made.fingerprint()
    plain = small_lab.problem()
    assert Examples.to_learn(plain, read).fingerprint() == Examples.of(plain, read).fingerprint()


def prior_without_films(n=60, seed=3):
    """Readings of one source that names no films, as the store gives them."""
    return replace(
        small_lab.dataset(films=n // 5, devices=5, seed=seed),
        sources=np.array(["prd_1"] * n),
        films=np.array(["prd_1/"] * n),
    )


def test_prior_data_without_films_are_held_out_by_composition():
    read, prior = small_lab.dataset(), prior_without_films()
    # The same composition at another reading: it belongs to the first one, whatever the order.
    prior = joined([prior, replace(prior, Y=prior.Y + 1.0).take(np.arange(5))])
    made = Examples.to_learn(small_lab.problem(), joined([read, prior]))
    elsewhere = made.take(np.isnan(made.merit))
    assert len(set(elsewhere.groups)) == len(np.unique(prior.X[:, :3], axis=0)) == 60
    assert not set(elsewhere.groups) & set(read.films)
    out = held_out_rows(made.groups, 0.15, np.random.default_rng(0))
    assert 0 < out[np.isnan(made.merit)].sum() < 60
    order = np.random.default_rng(1).permutation(len(prior))
    again = Examples.to_learn(small_lab.problem(), joined([prior.take(order), read]))
    assert again.fingerprint() == made.fingerprint()


def test_films_of_prior_data_stay_whole():
    named = replace(prior_without_films(), films=np.repeat([f"prd_1/f{k}" for k in range(12)], 5))
    made = Examples.to_learn(small_lab.problem(), joined([small_lab.dataset(), named]))
    assert set(made.groups[np.isnan(made.merit)]) == set(named.films)


def test_known_compositions_that_repeat_are_left_out():
    read, prior = small_lab.dataset(), prior_without_films(10)
    elements = small_lab.problem().space.elements
    named = [dict(zip(elements, x[:3].tolist(), strict=True)) for x in (read.X[4], prior.X[2])]
    rounded = named[0] | {"Fe": named[0]["Fe"] + 1e-10}
    known = (*named, rounded, {"Fe": 0.5, "Pd": 0.5}, {"Fe": 0.495, "Pd": 0.495}, {"Fe": 0.5 + 1e-10, "Pd": 0.5})
    apart = {"Fe": 0.5 + 1e-8, "Pd": 0.5 - 1e-8}
    problem = small_lab.problem().model_copy(update={"generator": ConditionalVAE(known=(*known, apart))})
    made = Examples.to_learn(problem, joined([read, prior]))
    bare = made.take(np.isnan(made.Y[:, 0]))
    np.testing.assert_allclose(bare.X, [[0.5, 0.0, 0.5], [0.5 + 1e-8, 0.0, 0.5 - 1e-8]], atol=1e-12)
    alone = Examples.to_learn(problem, read.take(np.arange(0)))
    assert len(alone) == 4


@pytest.mark.parametrize(("wrong", "said"), [({"Fe": 0.5, "Cu": 0.5}, "Cu"), ({"Fe": 0.5}, "sum to 1")])
def test_known_compositions_are_of_the_campaigns_elements_and_whole(wrong, said):
    told = small_lab.problem().model_dump() | {"generator": {"name": "conditional_vae", "known": [wrong]}}
    with pytest.raises(ValueError, match=f"known composition 0.*{said}"):
        Problem.model_validate(told)


def test_features_are_those_of_the_periodic_table():
    of = element_features(("Co", "Ni", "Zr", "Hf", "A1"))
    assert np.isfinite(of).all()
    assert of[4].tolist() == [0.0] * of.shape[1]
    distance = np.linalg.norm(of[:, None] - of, axis=-1)
    assert distance[0, 1] < distance[0, 2]
    assert distance[2, 3] < distance[0, 2]


def test_rank_weights_by_hand():
    weights = rank_weights(np.array([2.0, 5.0, np.nan, 3.0]), k=0.5)
    raw = np.array([1 / 4.0, 1 / 2.0, 1 / 5.0, 1 / 3.0])
    np.testing.assert_allclose(weights, raw / raw.mean())


def test_examples_without_a_merit_weigh_the_same():
    weights = rank_weights(np.array([np.nan, 5.0, np.nan, 3.0, np.nan]), k=1.0)
    raw = 1.0 / (5.0 + np.array([3.0, 0.0, 3.0, 1.0, 3.0]))
    np.testing.assert_allclose(weights, raw / raw.mean())
    np.testing.assert_array_equal(rank_weights(np.full(4, np.nan), k=0.1), np.ones(4))


def test_rank_weighting_draws_towards_the_best():
    data = alloy_table.alloys(150, seed=1, unknown=0.0)
    drawn = [
        train_generator(SMALL.model_copy(update={"steps": 250, "rank_weighting": k}), data, seed=1)
        .generator.draw(Wish.anything(data), 200, seed=1)
        .X
        for k in (None, 1e-2)
    ]
    plain, weighed = (alloy_table.hardness(X).mean() for X in drawn)
    assert weighed > plain + 0.3 * np.std(data.Y)


def test_whole_films_are_held_out():
    groups = np.repeat([f"f{k}" for k in range(20)], 4)
    out = held_out_rows(groups, 0.15, np.random.default_rng(0))
    assert 0.1 <= out.mean() <= 0.3
    assert not set(groups[out]) & set(groups[~out])
    assert not held_out_rows(groups[:8], 0.15, np.random.default_rng(0)).any()
    assert not held_out_rows(np.array(["one"] * 50), 0.15, np.random.default_rng(0)).any()


def test_annealing_is_cyclical_and_ends_whole():
    betas = [annealed(step, 800, 3, 0.4) for step in range(800)]
    assert betas[0] == betas[200] == betas[400] == 0.0
    assert betas[50] == pytest.approx(0.2)
    assert set(betas[600:]) == {0.4}
    assert annealed(0, 800, 0, 0.4) == 0.4


def test_training_stops_early_and_in_its_time():
    data = alloy_table.alloys(80, seed=3)
    hasty = SMALL.model_copy(update={"steps": 800, "patience": 1, "learning_rate": 0.02, "batch": 8})
    early = train_generator(hasty.model_copy(update={"cycles": 0}), data, seed=0).metrics
    assert (early["ended"], early["held_out"] > 0) == ("early", True)
    late = train_generator(SMALL.model_copy(update={"steps": 4000, "seconds": 1e-6}), data, seed=0).metrics
    assert (late["ended"], late["steps"]) == ("time", 50)


def test_training_leaves_the_random_numbers_of_the_process_alone():
    torch.manual_seed(11)
    wanted = torch.rand(3)
    torch.manual_seed(11)
    train_generator(SMALL, alloy_table.alloys(40, seed=3), seed=0)
    assert torch.equal(torch.rand(3), wanted)


def test_too_few_compositions_are_refused():
    data = alloy_table.alloys(7, seed=3)
    with pytest.raises(NotEnoughData):
        train_generator(SMALL, data, seed=0)


def test_a_warm_start_is_a_head_start():
    """After a few steps, a model that has seen a prior table of other elements knows new alloys better."""
    prior = alloy_table.alloys(200, seed=4, elements=("Fe", "Co", "Ni", "Mn", "Al", "Ti"))
    data, unseen = alloy_table.alloys(30, seed=5), alloy_table.alloys(100, seed=6)
    long, short = (SMALL.model_copy(update={"steps": n, "held_out": 0.0}) for n in (600, 40))
    before = train_generator(long, prior, seed=1)
    cold, warm = (train_generator(short, data, seed=1, previous=b) for b in (None, before))
    assert warm.metrics["carried"] == 5
    right = [((b.generator.reconstruct(unseen) > 0) == (unseen.X > 0)).all(axis=1).mean() for b in (cold, warm)]
    assert right[1] > right[0] + 0.2


def test_mixture_density_is_scipys():
    rng = np.random.default_rng(0)
    spread = rng.standard_normal((2, 3, 3))
    mixture = Mixture(np.array([0.3, 0.7]), rng.standard_normal((2, 3)), spread @ spread.transpose(0, 2, 1) + np.eye(3))
    z = rng.standard_normal((5, 3))
    ours = np.exp(mixture.log_density(z, np.zeros((5, 3)))).sum(axis=1)
    parts = zip(mixture.shares, mixture.means, mixture.covariances, strict=True)
    wanted = sum(s * stats.multivariate_normal.pdf(z, m, c) for s, m, c in parts)
    np.testing.assert_allclose(ours, wanted, rtol=1e-9)


def test_mixture_is_found_again():
    """One component takes the moments of the aggregate posterior exactly, two separate heaps are told apart."""
    rng = np.random.default_rng(1)
    mean, variance = rng.standard_normal((300, 2)) @ [[1.0, 0.4], [0.0, 0.6]], np.full((300, 2), 0.09)
    one = fit_mixture(mean, variance, np.ones(300), 1, rng)
    np.testing.assert_allclose(one.covariances[0], np.cov(mean.T, bias=True) + 0.0901 * np.eye(2), rtol=1e-9)
    heaps = np.vstack([mean[:100] - 9.0, mean[100:] + 9.0])
    two = fit_mixture(heaps, variance, np.ones(300), 2, rng)
    assert sorted(two.shares.round(6).tolist()) == [pytest.approx(1 / 3), pytest.approx(2 / 3)]
    drawn = two.sample(4000, rng)
    np.testing.assert_allclose(drawn.mean(axis=0), heaps.mean(axis=0), atol=0.6)


def test_property_head_is_the_process_by_dense_algebra():
    data = alloy_table.alloys(40, seed=7, unknown=0.2)
    features = element_features(data.elements)
    head = PropertyHead.fit(features, data.X, data.Y, data.P, seed=0)
    probe = alloy_table.alloys(6, seed=8)
    l_x, l_f, l_p, s, sigma = np.exp(head.theta[0])

    def inputs(e):
        mean = e.X @ features
        spread = np.sqrt(np.maximum(e.X @ features**2 - mean**2, 0.0))
        return np.hstack([e.X / l_x, mean / l_f, spread / l_f, np.nan_to_num(e.P, nan=0.5) / l_p])

    def kernel(a, b):
        r = np.sqrt(5.0) * np.linalg.norm(a[:, None] - b, axis=-1)
        return s**2 * (1.0 + r + r**2 / 3.0) * np.exp(-r)

    known = np.isfinite(data.Y[:, 0])
    u, v, y = inputs(data)[known], inputs(probe), data.Y[known, 0]
    K = kernel(u, u) + (sigma**2 + 1e-8) * np.eye(len(u))
    mean = y.mean() + y.std() * kernel(v, u) @ np.linalg.solve(K, (y - y.mean()) / y.std())
    variance = s**2 - np.einsum("ij,ji->i", kernel(v, u), np.linalg.solve(K, kernel(u, v)))
    expected = head.expect(probe.X, probe.P)
    np.testing.assert_allclose(expected.mean[:, 0], mean, rtol=1e-5)
    np.testing.assert_allclose(expected.sd[:, 0], y.std() * np.sqrt(variance), rtol=1e-3)


def test_property_head_learns_the_hardness_and_knows_nothing_of_what_was_never_read():
    data = alloy_table.alloys(80, seed=7, unknown=0.2)
    Y = np.hstack([data.Y, np.full_like(data.Y, np.nan)])
    head = PropertyHead.fit(element_features(data.elements), data.X, Y, data.P, seed=0)
    probe = alloy_table.alloys(100, seed=8)
    expected = head.expect(probe.X, probe.P)
    off = np.abs(expected.mean[:, 0] - alloy_table.hardness(probe.X)).mean()
    assert off < 0.15 * np.nanstd(data.Y)
    assert np.isnan(expected.mean[:, 1]).all()
