"""What holds for every route: keys where something is created or moved, and each refusal declared."""

import pytest

from service.api import openapi
from tests.integration.contract import check_declared, document

COMPUTES_ONLY = {"predict_by_model_version", "predict_by_newest_model"}
"""POST because of the size of what is asked: nothing is created or moved."""
OF_BROWSERS = {"open_session", "close_session"}
"""A session that was opened twice is no harm, and one that was closed twice is closed."""
ALL = list(openapi.operations(document()))
CHANGING = [pytest.param(path, method, id=said["operationId"]) for path, method, said in ALL if method != "get"]


def address(path: str) -> str:
    """A path whose ids are those of nothing."""
    return "/".join("1" if part == "{number}" else "none" if part.startswith("{") else part for part in path.split("/"))


@pytest.mark.parametrize(("path", "method"), CHANGING)
def test_whatever_creates_or_moves_needs_a_key(api, path, method):
    said = document()["paths"][path][method]
    assert openapi.is_keyed(said) == (said["operationId"] not in COMPUTES_ONLY | OF_BROWSERS)
    if openapi.is_keyed(said):
        answer = api.client.request(method, address(path), json={}, headers={"Lease-Token": "t"})
        assert (answer.status_code, answer.json()["type"]) == (400, "urn:filmloop:problem:malformed-request")
        assert "Idempotency-Key" in answer.json()["detail"]


def test_every_refusal_is_declared(api):
    """Nonsense of every kind at every route; the contract is checked for each answer, here and in all other tests."""
    bodies = [
        {"content": b"{", "headers": {"Content-Type": "application/json"}},
        {"content": b"{}", "headers": {"Content-Type": "text/plain"}},
        {"content": b"{}", "headers": {"Content-Type": "application/json", "Content-Encoding": "br"}},
        {"content": b"x", "headers": {"Content-Type": "application/json", "Content-Encoding": "gzip"}},
        {"content": b'{"x": NaN}', "headers": {"Content-Type": "application/json"}},
        {"content": b"[" + 9 * 2**20 * b" " + b"]", "headers": {"Content-Type": "application/json"}},
        {"json": {}},
        {"json": None},
    ]
    seen = set()
    for path, method, _ in ALL:
        for given in bodies if method != "get" else [{}, {"params": {"limit": 0, "after": "%", "revision": -1}}]:
            headers = {"Idempotency-Key": "k", "Lease-Token": "t", "If-Match": "*"} | given.get("headers", {})
            answer = api.client.request(method, address(path), **given | {"headers": headers})
            check_declared(answer)
            assert answer.status_code < 500, answer.text
            seen.add(answer.status_code)
    assert seen >= {200, 400, 404, 413, 415, 422}
