"""Requests drawn from the API's description are answered as it says; `benchmarks/fuzz` asks many more of them."""

import pytest

from benchmarks.fuzz.lab import furnish, with_ids_of
from benchmarks.fuzz.rules import GONE, REFUSED, RULES, rule_of
from benchmarks.fuzz.run import fuzz
from benchmarks.keys import KEY
from service.settings import ApiSettings
from tests.integration.walk import deciding


@pytest.fixture
def settings(settings):
    """Of an API that more wrong keys may be sent to than a lab ever would."""
    return settings.model_copy(update={"api": ApiSettings(wrong_keys_per_s=1e6)})


def test_what_the_description_says_is_so(api, sessions, settings, tmp_path):
    ids = furnish(api.client, deciding(sessions, settings))
    url = str(api.client.base_url).rstrip("/")
    found = fuzz(url, ids, tmp_path, key=KEY, examples=1, seed=1, phases="examples,fuzzing")
    assert not found.failures, (tmp_path / "output.txt").read_text()
    assert not found.errors
    assert sum(found.cases.values()) > 300
    assert {"positive_data_acceptance", "negative_data_rejection", "response_schema_conformance"} <= set(found.checks)


@pytest.mark.parametrize(
    ("failure", "kind", "messages", "rule"),
    [
        (REFUSED, "invalid-content", ["unit 'x' is not of the dimension of 'T'"], "units have a dimension"),
        (REFUSED, "invalid-content", ["unit 'x' is not of the dimension of 'T'", "Field required"], None),
        (REFUSED, "invalid-content", ["Input should be a valid integer, got true"], None),
        (
            REFUSED,
            "invalid-content",
            ["Value error, known composition 1: ['Xx'] are not among ['Fe', 'Ni']"],
            "known elements of the campaign",
        ),
        (
            REFUSED,
            "invalid-content",
            ["known composition 0: its fractions do not sum to 1 within 0.02"],
            "known fractions sum to 1",
        ),
        (REFUSED, "invalid-content", [], None),
        (REFUSED, "malformed-request", ["unit 'x' is not of the dimension of 'T'"], None),
        (GONE, "not-found", ["there is no campaign 'cmp_1'"], None),
        ("AcceptedNegativeData", "", [], None),
        ("ServerError", "internal-error", ["unit 'x' is not of the dimension of 'T'"], None),
    ],
)
def test_only_what_a_rule_names_is_excused(failure, kind, messages, rule):
    problem = {"type": f"urn:filmloop:problem:{kind}", "detail": "d", "errors": [{"message": m} for m in messages]}
    assert rule_of(failure, problem) == rule


def test_rules_have_names_of_their_own_and_reasons():
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert all(rule.why for rule in RULES)


def test_examples_tell_of_the_lab():
    old = ["cmp_01m7x400000000000000000000", "cmp_01m7x400000000000000000001", "xyz_01m7x400000000000000000000"]
    assert with_ids_of({"cmp": ["c"]}, {"examples": old}) == {"examples": ["c", "c", old[2]]}
