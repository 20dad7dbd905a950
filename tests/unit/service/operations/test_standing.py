"""The line that a decision leaves in the history."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from benchmarks.faults.loop import Advice
from models.dataset import Dataset
from models.problem import Problem
from service.operations.decision_inputs import DecisionInput
from service.operations.standing import best, standing

ONE = {"property": "m", "unit": "T"}
TWO = {"property": "h", "unit": "GPa"}


@dataclass
class Model:
    """What a worker says of a trained model."""

    metrics: Any = field(default_factory=lambda: {"objectives": [{"noise_sd": 0.5, "film_effect_sd": 0.1}]})
    posterior: Any = field(default_factory=lambda: {"best": {"composition": {}, "mean": 2.0, "sd": 0.25}})


def problem(*objectives):
    return Problem.model_validate({"space": {"elements": ["Fe", "Ga"]}, "objectives": list(objectives)})


def decision(sought, variances):
    n, m = len(variances), len(sought.objectives)
    Y = np.ones((n, m))
    Y[-1] = np.nan
    films = np.array([f"film {k // 2}" for k in range(n)])
    Yvar = np.tile(np.array(variances)[:, None], (1, m))
    dead = np.arange(n) == n - 1
    dataset = Dataset(np.full((n, 2), 0.5), Y, Yvar, films, np.zeros(n), dead=dead)
    return DecisionInput(
        job_id="j",
        fence=1,
        attempt=1,
        campaign_id="c",
        problem=sought,
        config_revision=1,
        revision=3,
        snapshot_hash="",
        dataset=dataset,
        pending=(),
        films_known=2,
        count=1,
        left=None,
        seed=7,
        previous=None,
    )


def line(sought, variances, *offered, model=None):
    return standing(decision(sought, variances), model, None if model is None else "mdl", offered)


def test_a_dead_device_is_no_reading_and_its_film_no_film_read():
    said = line(problem(ONE), [np.nan] * 3)
    assert (said["films"], said["readings"], said["revision"], said["pending"]) == (1, 2, 3, 0)
    assert {said[k] for k in ("policy", "source", "expected_gain", "noise_sd", "model_version_id")} == {None}


@pytest.mark.parametrize(
    ("variances", "noise"),
    [([np.nan] * 5, 0.5), ([0.04, 0.09, 0.01, np.nan, np.nan], 0.2), ([0.04, np.nan, np.nan, np.nan, 9.0], 0.5)],
)
def test_the_typical_noise_is_the_known_one_where_most_is_known(variances, noise):
    assert line(problem(ONE), variances, model=Model())["noise_sd"] == pytest.approx(noise)


def test_only_a_film_that_a_model_chose_has_an_expected_gain():
    chosen = Advice(None, gain=0.75, policy="knowledge_gradient", source="model", cost=2.0)
    filled = Advice(None, gain=0.75, policy="space_filling", source="space_filling")
    said = line(problem(ONE), [np.nan] * 3, chosen, filled, model=Model())
    assert (said["expected_gain"], said["policy"], said["cost"]) == (0.75, "knowledge_gradient", 2.0)
    assert line(problem(ONE), [np.nan] * 3, filled)["expected_gain"] is None


def test_of_several_objectives_the_hypervolume_is_what_is_best_and_there_is_no_one_noise():
    sought = problem(ONE, TWO)
    said = line(sought, [np.nan] * 3, model=Model())
    assert (said["noise_sd"], said["film_effect_sd"]) == (None, None)
    front = {"pareto": {"hypervolume_measured": {"mean": 6.0, "sd": 0.5}, "hypervolume_believed": {"mean": 9.0}}}
    assert best(sought, Model(), front) == {"best_mean": 6.0, "best_sd": 0.5}
    assert best(sought, Model(), None) == {"best_mean": None, "best_sd": None}


def test_of_one_objective_the_recommendation_goes_before_the_map():
    assert best(problem(ONE), Model(), None) == {"best_mean": 2.0, "best_sd": 0.25}
    told = {"recommendation": {"mean": 3.0, "sd": 0.5, "rivals": []}}
    assert best(problem(ONE), Model(), told) == {"best_mean": 3.0, "best_sd": 0.5}
