"""A proposal computed again against the recorded one: what is the same, what is as good as the same, what is not."""

import copy

import numpy as np
import pytest

from models.problem import Problem
from service.operations.comparison import compare, compare_arrays, listed, verdict

PROBLEM = Problem.model_validate(
    {
        "space": {
            "elements": ["Fe", "Ga"],
            "process": [{"kind": "continuous", "name": "anneal_c", "unit": "degC", "lower": 200.0, "upper": 700.0}],
        },
        "objectives": [{"property": "signal", "unit": "V"}],
    }
)
RECORDED = {
    "film": {
        "a": {"Fe": 1.0, "Ga": 0.0},
        "b": {"Fe": 0.5, "Ga": 0.5},
        "process": {"anneal_c": 450.0},
        "commands": {"a": {"Fe": 10.0}, "b": {"Fe": 20.0}, "unit": "W"},
        "positions": [0.0, 1.0],
        "devices": [
            {"index": 0, "position": 0.0, "composition": {"Fe": 1.0}, "predicted": {"mean": 2.0, "sd": 0.5}},
            {"index": 1, "position": 1.0, "composition": {"Fe": 0.5}, "predicted": None},
        ],
    },
    "gain": 0.2,
    "cost": 3.0,
    "source": "model",
    "reason": "expected to gain 0.2 V",
    "alternatives": [{"a": {"Fe": 0.9}, "gain": 0.1}],
}


def changed(path, value):
    other = copy.deepcopy(RECORDED)
    *above, last = path
    inner = other
    for part in above:
        inner = inner[part]
    inner[last] = value
    return compare(RECORDED, other, PROBLEM)


def test_the_same_is_identical():
    assert verdict(compare(RECORDED, copy.deepcopy(RECORDED), PROBLEM)) == "identical"


@pytest.mark.parametrize(
    ("path", "within", "beyond", "tolerance"),
    [
        (("film", "a", "Fe"), 0.9995, 0.998, 1e-3),
        (("film", "devices", 1, "composition", "Fe"), 0.5009, 0.502, 1e-3),
        (("film", "process", "anneal_c"), 450.4, 450.6, 0.5),
        (("film", "devices", 0, "predicted", "mean"), 2.004, 2.006, 0.005),
        (("film", "devices", 0, "predicted", "sd"), 0.504, 0.506, 0.005),
        (("gain",), 0.2019, 0.2021, 0.002),
        (("cost",), 3.0 + 2e-6, 3.0 + 4e-6, 3e-6),
        (("alternatives", 0, "gain"), 0.1009, 0.1011, 0.001),
    ],
)
def test_every_figure_has_its_tolerance(path, within, beyond, tolerance):
    (near,), (far,) = changed(path, within), changed(path, beyond)
    assert (near.within, far.within) == (True, False)
    assert near.tolerance == far.tolerance == pytest.approx(tolerance)
    assert near.field == "".join(f"/{part}" for part in path)
    assert (verdict([near]), verdict([near, far])) == ("within_tolerance", "differs")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("film", "commands", "a", "Fe"), 10.000001),
        (("film", "positions", 1), 1.0000001),
        (("source",), "random"),
        (("film", "devices", 1, "predicted"), {"mean": 2.0, "sd": 0.5}),
        (("film", "devices"), []),
        (("alternatives",), []),
        (("gain",), None),
    ],
)
def test_what_has_no_tolerance_differs(path, value):
    found = changed(path, value)
    assert verdict(found) == "differs"
    assert found[0].field == "".join(f"/{part}" for part in path)


def test_the_wording_is_judged_by_the_figures_in_it():
    assert verdict(changed(("reason",), "expected to gain 0.201 V")) == "within_tolerance"


def test_the_worst_is_named_first_and_not_all_of_many():
    other = copy.deepcopy(RECORDED)
    other["gain"], other["cost"], other["source"] = 0.201, 3.1, "random"
    found = listed(compare(RECORDED, other, PROBLEM))
    assert [d["within"] for d in found] == [False, False, True]
    many = compare(list(range(200)), list(range(1, 201)), PROBLEM)
    assert (len(many), len(listed(many))) == (200, 50)


def test_arrays_are_compared_bit_by_bit():
    one = {"scale": np.array([1.0, np.nan]), "kept": np.array([1, 2])}
    assert compare_arrays(one, {k: v.copy() for k, v in one.items()}, "/model") == []
    other = {"scale": np.array([1.0 + 1e-12, np.nan]), "new": np.array([0.0])}
    found = {d.field: d for d in compare_arrays(one, other, "/model")}
    assert found.keys() == {"/model/scale", "/model/kept", "/model/new"}
    assert found["/model/scale"].difference == pytest.approx(1e-12, rel=1e-3)
    assert verdict(list(found.values())) == "within_tolerance"
