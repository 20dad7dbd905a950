"""Bounds on bodies, request ids and the error table, on a small app served by the real server."""

import json
from typing import Annotated, Literal

import pytest
from fastapi import FastAPI
from pydantic import BaseModel, Field
from sqlalchemy.exc import OperationalError

from models.errors import InvalidComposition
from service import errors
from service.api import problems
from service.api.limits import BoundedBody
from service.api.metrics import Metrics
from service.api.requests import RequestContext

LIMIT = 2000


class Square(BaseModel):
    kind: Literal["square"]
    side: Annotated[float, Field(gt=0.0, le=10.0)]


class Disc(BaseModel):
    kind: Literal["disc"]
    radius: float


class Row(BaseModel):
    value: Annotated[float, Field(ge=0.0)]


class Body(BaseModel):
    rows: Annotated[list[Row], Field(max_length=3)] = []
    shape: Annotated[Square | Disc, Field(discriminator="kind")] | None = None


RAISED = {
    "missing": errors.NotFound("film", "flm_x"),
    "conflict": errors.Conflict("no"),
    "state": errors.IllegalTransition("lease", "lse_1", "expired", "start", ["release"]),
    "busy": errors.InFlight("busy"),
    "science": InvalidComposition("fractions sum to 0.9, not 1"),
    "database": OperationalError("select secret", {}, RuntimeError("gone")),
    "bug": ZeroDivisionError("innards"),
}


def small_app() -> FastAPI:
    app = FastAPI()
    app.add_middleware(BoundedBody, max_bytes=LIMIT)
    app.add_middleware(RequestContext, metrics=Metrics())
    problems.install(app)

    @app.post("/bodies")
    def take(body: Body) -> Body:
        return body

    @app.get("/bodies")
    def none() -> list[Body]:
        return []

    @app.get("/raise/{name}")
    def fail(name: str, limit: Annotated[int, Field(ge=1, le=9)] = 1) -> None:
        raise RAISED[name]

    return app


@pytest.fixture(scope="module")
def client(serve):
    return serve(small_app())


def check_problem(response, status: int, kind: str) -> dict:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["type"] == f"urn:filmloop:problem:{kind}"
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    assert body["request_id"] == response.headers["x-request-id"]
    return body


@pytest.mark.parametrize(
    ("name", "status", "kind", "said"),
    [
        ("missing", 404, "not-found", "flm_x"),
        ("conflict", 409, "conflict", "no"),
        ("state", 409, "illegal-transition", "allowed actions: release"),
        ("busy", 409, "in-flight", "busy"),
        ("science", 422, "invalid-content", "0.9"),
        ("database", 503, "unavailable", "try again"),
        ("bug", 500, "internal-error", "request id"),
    ],
)
def test_each_error_is_a_problem(client, name, status, kind, said):
    response = client.get(f"/raise/{name}")
    body = check_problem(response, status, kind)
    assert said in body["detail"]
    assert not any(word in response.text for word in ("Traceback", "innards", "select secret"))
    assert not (name == "database" and "nothing was stored" in response.text)  # a commit in doubt may have succeeded
    assert ("retry-after" in response.headers) == (name in {"busy", "database"})


@pytest.mark.parametrize(("path", "allowed"), [("/bodies", "GET, POST"), ("/raise/bug", "GET")])
def test_a_wrong_method_is_told_every_right_one(client, path, allowed):
    response = client.request("OPTIONS", path)
    check_problem(response, 405, "method-not-allowed")
    assert response.headers["allow"] == allowed


def test_every_service_error_has_a_row_of_its_own():
    kinds = [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, errors.ServiceError)]
    assert set(kinds) <= set(problems._TABLE)


def test_the_callers_request_id_is_kept_and_a_bad_one_is_not(client):
    assert client.get("/raise/missing", headers={"X-Request-Id": "robot-7.a"}).json()["request_id"] == "robot-7.a"
    bad = client.get("/raise/missing", headers={"X-Request-Id": "x" * 65}).json()["request_id"]
    assert bad != "x" * 65
    assert len(bad) == 32


def test_unknown_route_and_method_are_problems(client):
    check_problem(client.get("/nowhere"), 404, "not-found")
    check_problem(client.delete("/bodies"), 405, "method-not-allowed")


def test_a_parameter_out_of_bounds_is_named(client):
    body = check_problem(client.get("/raise/missing?limit=12"), 422, "invalid-content")
    assert body["errors"] == [
        {
            "pointer": None,
            "parameter": "limit",
            "row": None,
            "message": 'Input should be less than or equal to 9, got "12"',
        }
    ]


def test_every_fault_has_its_pointer_row_value_and_bound(client):
    body = check_problem(
        client.post("/bodies", json={"rows": [{"value": 1}, {"value": -2}, {}]}), 422, "invalid-content"
    )
    found = {(e["pointer"], e["row"]): e["message"] for e in body["errors"]}
    assert "greater than or equal to 0, got -2" in found["/rows/1/value", 1]
    assert "required" in found["/rows/2/value", 2]


def test_the_branch_of_a_union_is_no_part_of_the_pointer(client):
    body = check_problem(client.post("/bodies", json={"shape": {"kind": "square", "side": 11}}), 422, "invalid-content")
    assert [e["pointer"] for e in body["errors"]] == ["/shape/side"]
    assert "10, got 11" in body["errors"][0]["message"]


def test_too_many_rows_say_how_many_and_the_bound(client):
    body = check_problem(client.post("/bodies", json={"rows": [{"value": 1}] * 4}), 422, "invalid-content")
    assert "3" in body["errors"][0]["message"]
    assert "4" in body["errors"][0]["message"]


@pytest.mark.parametrize("text", ["{", "", "[1,", '{"rows": [}', "\xff"])
def test_what_is_not_json_is_refused(client, text):
    response = client.post("/bodies", content=text.encode("latin-1"), headers={"Content-Type": "application/json"})
    assert response.status_code in {400, 422}
    assert response.headers["content-type"] == "application/problem+json"
    assert (response.status_code == 422) == (text == "")


def test_deeply_nested_json_is_refused(serve):
    app = small_app()
    app.user_middleware[-1].kwargs["max_bytes"] = 10**6
    text = "[" * 200_000
    response = serve(app).post("/bodies", content=text, headers={"Content-Type": "application/json"})
    check_problem(response, 400, response.json()["type"].rsplit(":", 1)[-1])


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e400", "1" * 400])
def test_numbers_that_are_not_finite_are_named(client, number):
    text = f'{{"rows": [{{"value": 1}}, {{"value": {number}}}]}}'
    response = client.post("/bodies", content=text, headers={"Content-Type": "application/json"})
    body = check_problem(response, 422, "invalid-content")
    assert (body["errors"][0]["pointer"], body["errors"][0]["row"]) == ("/rows/1/value", 1)
    assert "finite" in body["errors"][0]["message"]


def test_nan_as_text_is_just_text(client):
    response = client.post("/bodies", json={"shape": {"kind": "NaN"}})
    body = check_problem(response, 422, "invalid-content")
    assert "finite" not in json.dumps(body)


def test_another_content_type_is_refused(client):
    body = check_problem(
        client.post("/bodies", content=b"a,b", headers={"Content-Type": "text/csv"}), 415, "unsupported-media-type"
    )
    assert "text/csv" in body["detail"]


def test_a_body_over_the_bound_is_refused_whether_announced_or_streamed(client):
    text = json.dumps({"rows": [], "shape": None}) + " " * LIMIT
    announced = check_problem(
        client.post("/bodies", content=text, headers={"Content-Type": "application/json"}), 413, "body-too-large"
    )
    assert str(len(text)) in announced["detail"]
    assert str(LIMIT) in announced["detail"]

    def chunks():
        for start in range(0, len(text), 100):
            yield text[start : start + 100].encode()

    streamed = client.post("/bodies", content=chunks(), headers={"Content-Type": "application/json"})
    assert str(LIMIT) in check_problem(streamed, 413, "body-too-large")["detail"]
    assert client.post("/bodies", json={}).status_code == 200


def test_a_body_at_the_bound_is_taken(client):
    text = json.dumps({"rows": [{"value": 1.5}]})
    text += " " * (LIMIT - len(text))
    response = client.post("/bodies", content=text, headers={"Content-Type": "application/json"})
    assert response.json()["rows"] == [{"value": 1.5}]
