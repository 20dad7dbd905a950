"""The API's description: every call is answered as it says, and it has an example of each."""

import json
import os

import pytest

from service.api import openapi
from tests.integration.contract import check_declared, check_schema, document
from tests.integration.walk import as_examples, walk

OPERATIONS = {said["operationId"]: (path, method, said) for path, method, said in openapi.operations(document())}


@pytest.fixture
def walked(api, sessions, settings):
    return walk(api.client, sessions, settings)


def test_every_call_is_answered_as_its_description_says(walked):
    for said, response in walked.answered:
        check_declared(response)
        if response.content:
            schema = said["responses"][str(response.status_code)]["content"]["application/json"]["schema"]
            check_schema(schema, response.json())
    assert set(OPERATIONS) - set(walked.exchanges) == set(), "a call that tests/integration/walk.py does not make"
    if os.environ.get("FILMLOOP_RECORD_EXAMPLES"):
        told = json.dumps(as_examples(walked), indent=1, ensure_ascii=False)
        openapi.EXAMPLES.write_text(told + "\n", encoding="utf-8")


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_call_has_examples_that_its_schemas_allow(name):
    _, _, said = OPERATIONS[name]
    bodies = said.get("requestBody", {}).get("content", {})
    requested = [(bodies[kind], e) for kind in bodies for e in bodies[kind].get("examples", {}).values()]
    answered = [
        (content, example)
        for status, response in said["responses"].items()
        if status < "300"
        for content in response.get("content", {}).values()
        for example in content.get("examples", {}).values()
    ]
    assert answered, "walk there, then record: FILMLOOP_RECORD_EXAMPLES=1 pytest tests/integration/test_openapi.py"
    assert requested or not bodies
    for content, example in (*requested, *answered):
        check_schema(content["schema"], example["value"])


def test_operation_ids_are_unique():
    said = list(openapi.operations(document()))
    assert len(OPERATIONS) == len(said) > 50


def test_every_list_is_read_in_pages_alike():
    lists = []
    for path, method, said in OPERATIONS.values():
        if method != "get":
            continue
        schema = said["responses"]["200"]["content"]["application/json"]["schema"]
        shape = document()["components"]["schemas"].get(schema.get("$ref", "").rsplit("/", 1)[-1], {})
        held = shape.get("properties", {})
        if "next" not in held and "items" not in held:
            continue
        lists.append(path)
        assert {"next"} <= set(held)
        asked = {p["name"]: p["schema"] for p in said["parameters"]}
        assert {"limit", "after"} <= set(asked), path
        assert asked["limit"]["minimum"] == 1
        assert asked["limit"]["maximum"] <= 10_000
    assert len(lists) >= 15
