import time
import uuid
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from filmloop_client import BadRequest, Conflict, Invalid, NotFound, ServerFault, Unavailable, Unreachable
from filmloop_client.transport import Transport, retry_after
from tests.unit.client.scripted_server import Answer


def transport(server, **options):
    return Transport(server.url, **({"timeout": 2.0, "patience": 20.0} | options))


@pytest.mark.parametrize("failure", [Answer(0), Answer(429), Answer(502), Answer(503), Answer(504)])
def test_post_is_repeated_under_one_key_until_answered(server, failure):
    server.answers = [failure, failure, Answer(201, {"id": "x"})]
    assert transport(server).post("/v1/things", {"a": 1}).json() == {"id": "x"}
    assert len(server.asked) == 3
    keys = {a.key for a in server.asked}
    assert len(keys) == 1
    assert uuid.UUID(keys.pop()).version == 4
    assert [a.body for a in server.asked] == [{"a": 1}] * 3


def test_two_calls_have_two_keys(server):
    server.answers = [Answer(200, {})]
    link = transport(server)
    link.post("/v1/things", {})
    link.post("/v1/things", {})
    assert server.asked[0].key != server.asked[1].key


def test_answer_that_comes_too_late_is_asked_for_again(server):
    server.answers = [Answer(200, {"late": True}, delay_s=1.0), Answer(200, {"late": False})]
    assert transport(server, timeout=0.2).post("/v1/things", {}).json() == {"late": False}
    assert len({a.key for a in server.asked}) == 1


def test_call_that_is_still_in_flight_is_asked_for_again_but_a_plain_conflict_is_not(server):
    server.answers = [Answer(409, {}, {"Retry-After": "0"}), Answer(200, {"ok": 1})]
    assert transport(server).post("/v1/things", {}).json() == {"ok": 1}
    server.answers = [Answer(409, {"title": "Illegal transition", "detail": "draft: activate"})]
    with pytest.raises(Conflict, match="draft: activate"):
        transport(server).post("/v1/things", {})


def test_retry_after_is_honoured(server):
    server.answers = [Answer(503, None, {"Retry-After": "0.7"}), Answer(200, {})]
    began = time.monotonic()
    transport(server).get("/v1/things")
    assert time.monotonic() - began >= 0.7


def test_patience_ends(server):
    server.answers = [Answer(503, {"title": "Unavailable", "status": 503})]
    with pytest.raises(Unavailable) as caught:
        transport(server, patience=0.5).get("/v1/things")
    assert caught.value.status == 503
    assert len(server.asked) > 1


def test_nobody_there_is_unreachable(server):
    server.answers = [Answer(0)]
    with pytest.raises(Unreachable, match=r"no answer from http://127\.0\.0\.1"):
        transport(server, patience=0.3).post("/v1/things", {})


@pytest.mark.parametrize(("status", "kind"), [(400, BadRequest), (404, NotFound), (422, Invalid), (500, ServerFault)])
def test_final_answers_are_not_repeated_and_become_errors(server, status, kind):
    problem = {
        "type": "urn:filmloop:problem:some-kind",
        "title": "Wrong",
        "status": status,
        "detail": "value 7 is above the bound 5",
        "request_id": "req_1",
        "errors": [{"pointer": "/measurements/3/value", "row": 3, "message": "7 > 5"}],
    }
    server.answers = [Answer(status, problem, {"Content-Type": "application/problem+json"})]
    with pytest.raises(kind) as caught:
        transport(server).post("/v1/things", {})
    error = caught.value
    assert (error.status, error.title, error.detail) == (status, "Wrong", "value 7 is above the bound 5")
    assert error.errors[0]["row"] == 3
    assert (error.type, error.request_id) == ("urn:filmloop:problem:some-kind", "req_1")
    assert "/measurements/3/value: 7 > 5" in str(error)
    assert len(server.asked) == 1


def test_error_that_is_no_json_keeps_its_text(server):
    server.answers = [Answer(404)]
    with pytest.raises(NotFound, match="404 Not Found"):
        transport(server).get("/nowhere")


def test_infinity_is_refused_before_it_is_sent(server):
    with pytest.raises(ValueError, match="JSON"):
        transport(server).post("/v1/things", {"value": float("inf")})
    assert server.asked == []


def test_parameters_without_value_are_left_out(server):
    server.answers = [Answer(200, {})]
    transport(server).get("/v1/things", {"state": None, "after": "x"})
    assert server.asked[0].path == "/v1/things?after=x"


def test_retry_after_as_number_date_or_nonsense():
    def answer(value):
        return httpx.Response(503, headers={"Retry-After": value})

    assert retry_after(httpx.Response(503)) is None
    assert retry_after(answer("2.5")) == 2.5
    assert retry_after(answer("soon")) is None
    later = retry_after(answer(format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)))
    assert later == pytest.approx(60, abs=10)
