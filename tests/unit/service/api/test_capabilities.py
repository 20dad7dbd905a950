"""What the service says that it can do is what it can do."""

import pytest
from jsonschema import Draft202012Validator

from models.catalog import policies_for
from models.problem import Problem
from models.registry import POLICIES, SURROGATES
from service.api.capabilities import FEATURES, read_capabilities
from service.api.openapi import operations
from service.app import create_app
from service.errors import InvalidInput
from service.operations import units
from service.settings import Settings

CALLS = {
    "attachments": "attach",
    "calibration-samples": "register_sample",
    "calibrations": "calibrate_instrument",
    "claims-that-wait": "claim_film",
    "clones": "clone_campaign",
    "composition-maps": "record_composition_map",
    "configuration-changes": "change_campaign",
    "dry-runs": "record_measurements",
    "event-stream": "list_events",
    "generations": "generate_compositions",
    "keys": "create_key",
    "partial-batches": "record_measurements",
    "prior-data": "take_prior_data",
    "replays": "replay_proposal",
    "retractions": "retract_readings",
    "wanted-films": "propose_film",
}


@pytest.fixture(scope="module")
def said():
    return read_capabilities()


@pytest.fixture(scope="module")
def described():
    return {s["operationId"]: s for _, _, s in operations(create_app(Settings()).openapi())}


def test_every_kind_is_listed_with_what_it_serves(said):
    assert {p.name for p in said.policies} == set(POLICIES)
    assert {s.name for s in said.surrogates} == set(SURROGATES)
    for number in (1, 2, 4):
        serving = [p.name for p in said.policies if p.fewest_objectives <= number <= p.most_objectives]
        assert tuple(serving) == policies_for(number)


def test_options_are_told_as_schemas_that_the_defaults_fulfil(said):
    problem = {
        "space": {"elements": ["Fe", "Ga"]},
        "objectives": [{"property": "m", "unit": "T"}],
        "film": {"devices": 3},
    }
    whole = Problem.model_validate(problem | {"policy": {"name": "expected_improvement"}}).model_dump(mode="json")
    policy = next(p for p in said.policies if p.name == "expected_improvement")
    check = Draft202012Validator(policy.options)
    check.validate(whole["policy"])
    assert not check.is_valid(whole["policy"] | {"mc_samples": 1})
    assert not check.is_valid(whole["policy"] | {"unknown": 1})
    Draft202012Validator(said.surrogates[0].options).validate(whole["surrogate"])


def test_summaries_are_sentences_without_names_of_files(said):
    for kind in (*said.policies, *said.surrogates):
        assert kind.summary.endswith(".")
        assert ".py" not in kind.summary


def test_units_are_written_as_is_said(said):
    for unit in (*said.units.examples, *said.units.own_scales):
        units.check(unit)
    for unit in ("J/kg K", "m^10", "2 m", "m^^2", "emu/(cm3", "", "x" * (said.units.most_characters + 1)):
        with pytest.raises(InvalidInput):
            units.check(unit)


def test_forms_of_measurements_are_those_that_the_call_takes(said, described):
    taken = described["record_measurements"]["requestBody"]["content"]
    assert [t.media_type for t in said.measurements.media_types] == list(taken)


def test_every_feature_is_there(described):
    assert set(CALLS) == set(FEATURES)
    assert set(CALLS.values()) <= set(described)
    assert "text/event-stream" in described["list_events"]["responses"]["200"]["content"]
