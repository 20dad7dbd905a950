import numpy as np
import pytest

from models.catalog import ExpectedImprovement, HypervolumeImprovement, RandomFilms
from models.composition import SearchSpace
from models.dataset import Dataset
from models.film import FilmGeometry
from models.pareto import non_dominated
from models.propose import propose
from models.trade_offs import SHOWN, trade_offs
from tests.oracles import film_lab, listed_lab, trade_off_lab
from tests.oracles.hypervolume import hypervolume

DRAWS = 2048


def asked(problem, data, seed=0):
    return trade_offs(problem, film_lab.bundle(problem, data), data, seed=seed)


def maximised(problem, point):
    return np.array([o.sign() * v.mean for o, v in zip(problem.objectives, point.values, strict=False)])


@pytest.mark.parametrize(("objectives", "limited"), [(2, False), (2, True), (3, False), (4, True)])
def test_chances_and_volumes_are_those_of_plain_sampling(monkeypatch, objectives, limited):
    """With more draws than usual: a volume of four objectives has a long tail."""
    monkeypatch.setattr("models.trade_offs.DRAWS", DRAWS)
    problem = listed_lab.problem(objectives, limited=limited)
    data = listed_lab.measured(problem)
    bundle = film_lab.bundle(problem, data)
    answer = trade_offs(problem, bundle, data, seed=3)
    values = listed_lab.drawn(bundle.surrogate, listed_lab.POSSIBLE, draws=10_000, seed=1)
    if limited:
        values[values[..., objectives] > 0.8] = -np.inf
    values = values[..., :objectives]
    better = (values[:, None] > values[:, :, None]).all(-1).any(-1)
    expected = (np.isfinite(values[..., 0]) & ~better).mean(0)
    told = {tuple(p.composition.values()): p.probability_on_front for p in answer.points}
    assert told
    for x, p in zip(listed_lab.POSSIBLE.tolist(), expected, strict=True):
        if tuple(x) in told:
            assert told[tuple(x)] == pytest.approx(p, abs=4.0 * np.sqrt(p * (1 - p) / DRAWS) + 5e-3)
    reference = np.array([o.sign() * r.value for o, r in zip(problem.objectives, answer.reference, strict=True)])
    for volume, part in [
        (answer.hypervolume_measured, values[:, :3]),
        (answer.hypervolume_believed, values),
    ]:
        drawn = hypervolume(np.maximum(part - reference, 0.0))
        assert volume.mean == pytest.approx(drawn.mean(), abs=4.0 * drawn.std() / np.sqrt(DRAWS))
        assert volume.sd == pytest.approx(drawn.std(), rel=0.25)


def test_no_point_of_the_front_is_expected_to_be_worse_in_everything():
    problem = trade_off_lab.problem(3, limited=True)
    answer = asked(problem, trade_off_lab.measured(problem))
    means = np.array([maximised(problem, p) for p in answer.points])
    assert non_dominated(means).all()
    assert means[:, 0].tolist() == sorted(means[:, 0], reverse=True)
    assert len(answer.points) > 10
    assert all(p.chance_within_limits >= 0.5 for p in answer.points)
    for point in answer.points:
        assert problem.space.violations(np.array(list(point.composition.values()))) == []


def test_the_front_reaches_the_best_of_each_objective():
    problem = trade_off_lab.problem(2)
    data = trade_off_lab.measured(problem)
    bundle = film_lab.bundle(problem, data)
    means = np.array([maximised(problem, p) for p in trade_offs(problem, bundle, data, seed=0).points])
    everywhere = bundle.surrogate.predict(problem.space.sample(3000, seed=4)).mean
    assert (means.max(0) > everywhere.max(0) - 0.02 * np.ptp(everywhere, axis=0)).all()


def test_a_long_front_is_shown_from_end_to_end_and_not_one_end_of_it():
    """More compositions lie on it than are shown: no gap between those that are is much wider than the others."""
    problem = trade_off_lab.problem(2)
    data = trade_off_lab.measured(problem)
    means = np.array([maximised(problem, p) for p in asked(problem, data).points])
    assert len(means) == SHOWN
    gaps = np.abs(np.diff(means / np.ptp(means, axis=0), axis=0)).sum(1)
    assert gaps.max() < 0.4


def test_what_is_believed_is_no_less_than_what_was_measured():
    problem = trade_off_lab.problem(2)
    answer = asked(problem, trade_off_lab.measured(problem))
    assert answer.hypervolume_believed.mean > answer.hypervolume_measured.mean > 0.0
    assert answer.hypervolume_unit == "V x V"


def test_a_given_reference_is_told_as_it_was_given():
    problem = trade_off_lab.problem(2, references=(4.0, -0.001, None, None))
    told = asked(problem, trade_off_lab.measured(problem)).reference
    assert [(r.value, r.inferred) for r in told] == [(4.0, False), (-0.001, False)]


def test_without_hope_to_keep_the_limits_the_front_is_empty():
    problem = trade_off_lab.problem(2, limited=True)
    data = trade_off_lab.measured(problem)
    rough = Dataset(data.X, data.Y + np.array([0.0, 0.0, 5.0]), data.Yvar, data.films, data.times)
    answer = asked(problem, rough)
    assert answer.points == ()
    assert answer.hypervolume_measured.mean < 1e-9


def test_order_plays_no_part_and_the_answer_is_json():
    problem = trade_off_lab.problem(2, limited=True)
    data = trade_off_lab.measured(problem)
    bundle = film_lab.bundle(problem, data)
    one = trade_offs(problem, bundle, data, seed=4)
    other = trade_offs(problem, bundle, data.take(np.random.default_rng(0).permutation(len(data))), seed=4)
    assert one == other
    assert type(one).model_validate_json(one.model_dump_json()) == one


def test_one_objective_has_no_trade_offs():
    problem = trade_off_lab.problem(1, policy=ExpectedImprovement())
    data = trade_off_lab.measured(problem)
    with pytest.raises(ValueError, match="no trade-offs"):
        asked(problem, data)


def test_what_speaks_against_the_front_is_not_only_its_neighbours(monkeypatch):
    """Against every candidate there is, laid densely around the front as they are."""
    space = SearchSpace(elements=("A", "B", "C"))
    problem = film_lab.problem_of(space, FilmGeometry(devices=5), HypervolumeImprovement())
    drawn = problem.model_copy(update={"policy": RandomFilms()})
    films = [r.film for r in propose(drawn, None, Dataset.empty(3, 2), pending=[], count=4, seed=0)]
    data = film_lab.measured(problem, films, seed=0)

    def told():
        answer = asked(problem, data)
        chances = [p.probability_on_front for p in answer.points]
        return float(np.mean(chances)), answer.hypervolume_believed.mean

    chance, volume = told()
    monkeypatch.setattr("models.trade_offs.CONTENDERS", 10_000)
    monkeypatch.setattr("models.policies.candidates.NEIGHBOURS", 0.0)
    monkeypatch.setattr("models.trade_offs.DRAWS", 64)
    every_chance, every_volume = told()
    assert chance == pytest.approx(every_chance, abs=0.1)
    assert volume == pytest.approx(every_volume, rel=0.05)
