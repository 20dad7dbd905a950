"""The API's description: every call is answered as it says, and it has an example of each."""

import json
import os

import pytest

from service.api import openapi
from tests.integration.contract import check_declared, check_schema, document
from tests.integration.walk import NOT_WALKED, as_examples, walk

TEXT = {"application/json", "application/x-ndjson", "text/csv"}
"""Forms of which there are examples."""
HOW = "let walk.py make the call, then: FILMLOOP_RECORD_EXAMPLES=1 pytest tests/integration/test_openapi.py"
OPERATIONS = {said["operationId"]: (path, method, said) for path, method, said in openapi.operations(document())}


@pytest.fixture
def walked(api, sessions, settings):
    return walk(api.client, sessions, settings)


def test_every_call_is_answered_as_its_description_says(walked):
    for said, response in walked.answered:
        check_declared(response)
        if response.headers.get("content-type") == "application/json":
            schema = said["responses"][str(response.status_code)]["content"]["application/json"]["schema"]
            check_schema(schema, response.json())
        check_pages(walked.client, said, response)
    assert set(OPERATIONS) - set(walked.exchanges) == NOT_WALKED, HOW
    if os.environ.get("FILMLOOP_RECORD_EXAMPLES"):
        told = json.dumps(as_examples(walked), indent=1, ensure_ascii=False)
        openapi.EXAMPLES.write_text(told + "\n", encoding="utf-8")


def check_pages(client, said, response) -> None:
    """A list must be the same in pages of one, in the same order."""
    names = {p["name"] for p in said.get("parameters", ())}
    if response.request.method != "GET" or not {"limit", "after"} <= names:
        return
    whole = client.get(response.request.url).json()  # as it is now
    held = "items" if "items" in whole else "rows"
    one_by_one, page = [], {"next": None}
    while not one_by_one or page["next"] is not None:
        after = {} if page["next"] is None else {"after": page["next"]}
        page = client.get(response.request.url, params={"limit": 1, **after}).json()
        if not page[held]:
            break
        one_by_one += page[held]
    assert one_by_one == whole[held], response.request.url


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_call_has_examples_that_its_schemas_allow(name):
    _, _, said = OPERATIONS[name]
    bodies = said.get("requestBody", {}).get("content", {})
    requested = [(bodies[kind], e) for kind in bodies for e in bodies[kind].get("examples", {}).values()]
    answers = [c for status, r in said["responses"].items() if status < "300" for c in r.get("content", {}).items()]
    answered = [(content, e) for _, content in answers for e in content.get("examples", {}).values()]
    assert answered or not TEXT & {kind for kind, _ in answers}, HOW
    assert requested or not TEXT & set(bodies)
    for content, example in (*requested, *answered):
        check_schema(content.get("schema", {}), example["value"])


def test_operation_ids_are_unique():
    said = list(openapi.operations(document()))
    assert len(OPERATIONS) == len(said) > 50


def test_every_list_is_read_in_pages_alike():
    lists = []
    for path, method, said in OPERATIONS.values():
        if method != "get":
            continue
        schema = said["responses"]["200"]["content"].get("application/json", {}).get("schema", {})
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


def test_links_lead_from_what_is_created_to_what_is_done_with_it():
    links = OPERATIONS["claim_film"][2]["responses"]["201"]["links"]
    assert links["start_film"]["parameters"] == {
        "lease_id": "$response.body#/lease/id",
        "Lease-Token": "$response.body#/lease/token",
    }
    for _, _, said in OPERATIONS.values():
        for response in said["responses"].values():
            for link in response.get("links", {}).values():
                asked = {p["name"] for p in OPERATIONS[link["operationId"]][2]["parameters"]}
                assert set(link["parameters"]) <= asked
