"""What the description says of rules between fields is what is checked: the two agree on every mixture of fields."""

import itertools

import pytest
from jsonschema import Draft202012Validator
from pydantic import TypeAdapter, ValidationError

from models.problem import Problem
from models.rules import CategoricalVariable
from service.api import problems
from service.api.dependencies import KEY_PATTERN, TAGS_PATTERN
from service.api.schemas.attachments import ArrayCreate
from service.api.schemas.predictions import PredictionAsk
from service.api.schemas.proposals import ProposalAct, ProposalCreate
from service.api.schemas.retractions import RetractionCreate
from service.api.schemas.samples import SampleCreate

AT = "2026-03-01T12:00:00Z"
END = {"Fe": 1.0}
CASES = {
    RetractionCreate: (
        {"reason": "r"},
        {
            "ids": ["m"],
            "film_id": "f",
            "instrument": "i",
            "calibration_id": "c",
            "measured_from": AT,
            "measured_until": "2026-03-02T12:00:00Z",
        },
    ),
    PredictionAsk: (
        {},
        {"compositions": [END], "grid": {"divisions": 3}, "line": {"a": END, "b": END, "points": 3}},
    ),
    ProposalCreate: ({"reason": "r"}, {"a": END, "b": END, "commands": {"a": END, "b": END}}),
    ProposalAct: (
        {},
        {
            "action": ["cancel", "prioritise", "resolve"],
            "outcome": ["ok", "partial", "infeasible", "running"],
            "compositions": [END],
            "note": "n",
        },
    ),
    ArrayCreate: ({}, {"values": [1.0], "base64": "AAAAAAAAAAA="}),
    SampleCreate: (
        {"name": "n", "property": "p", "unit": "T"},
        {"assigned_value": 1.0, "std_uncertainty": [0.1, 1e-101]},
    ),
}
"""Fields that are always given, and fields that may be given, be null or be left out; of lists, each value."""
LEFT_OUT = object()


def mixtures(always, perhaps):
    """Every mixture of fields that are given, null or left out."""
    several = [k for k, v in perhaps.items() if isinstance(v, list) and k not in {"ids", "compositions", "values"}]
    choices = [[*(v if k in several else [v]), None, LEFT_OUT] for k, v in perhaps.items()]
    for values in itertools.product(*choices):
        yield always | {k: v for k, v in zip(perhaps, values, strict=True) if v is not LEFT_OUT}


@pytest.mark.parametrize("model", CASES)
def test_the_schema_takes_what_is_taken(model):
    schema = Draft202012Validator(model.model_json_schema())
    taken = 0
    for body in mixtures(*CASES[model]):
        try:
            model.model_validate(body)
        except ValidationError:
            assert not schema.is_valid(body), body
        else:
            assert schema.is_valid(body), body
            taken += 1
    assert taken > 0


@pytest.mark.parametrize(
    ("pattern", "good", "bad"),
    [
        (KEY_PATTERN, ["k", "a b", "~" * 128], ["", " k", "k ", "é", "k\x7f", "k" * 129]),
        (TAGS_PATTERN, ["*", '"1.0"', 'W/"x"', '"a", "b"', '"a","b"'], ["", "1.0", '"a', '"a" "b"', "*, *"]),
    ],
)
def test_what_headers_look_like(pattern, good, bad):
    schema = Draft202012Validator({"type": "string", "pattern": pattern})
    assert [schema.is_valid(text) for text in (*good, *bad)] == [True] * len(good) + [False] * len(bad)


@pytest.mark.parametrize("place", ["seed", "initial_films"])
@pytest.mark.parametrize("value", [False, "1", 1.0])
def test_a_problem_takes_no_text_and_no_boolean_for_a_number(place, value):
    said = {"space": {"elements": ["Fe", "Co"]}, "objectives": [{"property": "p", "unit": "T"}]}
    Problem.model_validate(said | {place: 1})
    with pytest.raises(ValidationError):
        Problem.model_validate(said | {place: value})


def test_a_list_is_not_called_short_for_a_wrong_item():
    schema = TypeAdapter(tuple[CategoricalVariable, ...])
    with pytest.raises(ValidationError) as caught:
        schema.validate_python([{"name": "s", "choices": ["a", 7]}])
    found = caught.value.errors()
    assert [f["type"] for f in found] == ["string_type", "too_short"]
    assert problems.own_faults(found) == found[:1]
