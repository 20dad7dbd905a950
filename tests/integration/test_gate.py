"""Before any route: foreign names, strangers with large bodies, floods; and what every answer tells a browser."""

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from sqlalchemy import make_url

from benchmarks.keys import HEADERS, KEY
from service.api import health, rates
from service.app import create_app
from service.settings import ApiSettings
from tests.integration.conftest import serving


@pytest.fixture
def stranger(api):
    """A client without a key."""
    with httpx.Client(base_url=api.client.base_url, timeout=30) as client:
        yield client


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.nip.io", ""]
)
@pytest.mark.parametrize("path", ["/v1/campaigns", "/healthz", "/metrics", "/openapi.json", "/"])
def test_a_foreign_name_leads_nowhere(stranger, host, path):
    answer = stranger.get(path, headers=HEADERS | {"Host": host})
    assert (answer.status_code, answer.json()["type"]) == (421, "urn:filmloop:problem:misdirected")


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:1", "127.0.0.1", "[::1]:8000", "192.0.2.7:80", socket.gethostname()]
)
def test_addresses_and_own_names_lead_here(stranger, host):
    assert stranger.get("/v1/campaigns", headers=HEADERS | {"Host": host}).status_code == 200


def test_a_name_that_an_operator_gives_is_an_own_one(settings):
    named = settings.model_copy(update={"api": ApiSettings(names="filmloop.lab.example, loop")})
    with serving(create_app(named)) as client:
        for name in ("filmloop.lab.example", "Loop:443"):
            assert client.get("/v1/campaigns", headers={"Host": name}).status_code == 200
        assert client.get("/v1/campaigns", headers={"Host": "lab.example"}).status_code == 421


def test_a_stranger_is_refused_before_his_body_is_read(api):
    head = (
        "POST /v1/campaigns/cmp_x/measurement-batches HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\n"
        f"Idempotency-Key: k\r\nContent-Length: {30 * 2**20}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", api.client.base_url.port), timeout=20) as connection:
        connection.sendall(head.encode())  # and nothing of the body
        assert connection.recv(64).startswith(b"HTTP/1.1 401")


def test_a_key_is_taken_from_its_header_only(stranger):
    for asked in (
        f"/v1/campaigns?key={KEY}",
        f"/v1/campaigns?access_token={KEY}",
        f"/v1/campaigns?authorization={KEY}",
    ):
        assert stranger.get(asked).status_code == 401
    for said in (f"Basic {KEY}", KEY, f"bearer  {KEY}x", "Bearer", "Bearer \xff\xfe"):
        assert stranger.get("/v1/campaigns", headers={"Authorization": said.encode("latin-1")}).status_code == 401
    assert stranger.get("/v1/campaigns", headers={"Authorization": f"bearer {KEY}"}).status_code == 200


def test_who_asks_too_often_is_told_to_wait(settings):
    slow = settings.model_copy(update={"api": ApiSettings(rate_per_s=0.01)})
    with serving(create_app(slow)) as client:
        first, second = (client.get("/v1/capabilities") for _ in range(2))
        assert (first.status_code, second.status_code) == (200, 429)
        assert 80 <= int(second.headers["Retry-After"]) <= 100  # when there is room for one more
        assert client.get("/healthz", headers={"Authorization": ""}).status_code == 200


def test_who_guesses_keys_is_slowed_and_nobody_else(api, stranger):
    assert api.get("/v1/campaigns").status_code == 200
    answers = [reads(stranger, guess(number)) for number in range(200)]
    assert answers[0] == 401
    assert 429 in answers
    assert api.get("/v1/campaigns").status_code == 200


class Clock:
    """In the place of the module `time`."""

    def __init__(self):
        self.now = time.monotonic()

    def monotonic(self):
        return self.now


def test_who_guesses_where_browsers_are_let_in_waits_ever_longer(api, stranger, monkeypatch):
    clock, waits = Clock(), []
    monkeypatch.setattr(rates, "time", clock)
    known, new = (made(api, name) for name in ("squid", "ada"))
    assert reads(stranger, known) == 200
    for number in range(100):
        answer = stranger.post("/v1/session", json={"key": guess(number)})
        if answer.status_code == 429:
            waits.append(int(answer.headers["Retry-After"]))
            clock.now += waits[-1]
        else:
            assert answer.status_code == 401
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (1, rates.LONGEST_WAIT_S)
    made(api, "another")  # after which the record is asked of everybody again
    assert [reads(stranger, key) for key in (known, new)] == [200, 429]  # who was known goes on, who is new waits
    clock.now += rates.LONGEST_WAIT_S
    assert reads(stranger, new) == 200
    clock.now += 2 * rates.FORGIVEN_S
    assert {reads(stranger, guess(100 + number)) for number in range(50)} == {401}


def guess(number):
    return f"flp_{number:08d}_{43 * 'x'}"


def made(api, name):
    return api.post("/v1/keys", json={"name": name, "scopes": ["campaigns:read"]}).json()["secret"]


def reads(client, key):
    return client.get("/v1/campaigns", headers={"Authorization": f"Bearer {key}"}).status_code


def test_a_forgotten_device_that_repeats_one_wrong_key_slows_nobody(stranger):
    assert {reads(stranger, guess(0)) for _ in range(200)} == {401}
    assert stranger.post("/v1/session", json={"key": KEY}).status_code == 201


def test_one_holder_is_let_in_so_often_and_no_more(settings):
    app = create_app(settings)
    app.state.letting_in = rates.Rate(per_s=0.001, burst=2.0)
    with serving(app) as client:
        opened = [client.post("/v1/session", json={"key": KEY}).status_code for _ in range(3)]
    assert opened == [201, 201, 429]


def test_a_stranger_has_no_large_body_read_where_browsers_are_let_in(stranger):
    answer = stranger.post("/v1/session", json={"key": 5000 * "x"})
    assert (answer.status_code, answer.json()["type"]) == (413, "urn:filmloop:problem:body-too-large")


def test_strangers_may_ask_for_what_is_open_to_all_so_often(settings):
    slow = settings.model_copy(update={"api": ApiSettings(rate_per_s=0.01)})
    with serving(create_app(slow)) as client:
        known_nowhere = {"Authorization": ""}
        asked = [client.get("/openapi.json", headers=known_nowhere) for _ in range(2)]
        assert [answer.status_code for answer in asked] == [200, 429]
        assert 80 <= int(asked[1].headers["Retry-After"]) <= 100  # less the seconds that the first answer took
        assert client.get("/readyz", headers=known_nowhere).status_code == 200


def test_however_many_ask_whether_it_is_ready_one_looks(stranger, monkeypatch):
    looks = []
    look = health.health.readiness
    monkeypatch.setattr(health, "FRESH_S", 60.0)
    monkeypatch.setattr(health.health, "readiness", lambda *given: looks.append(given) or look(*given))
    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(lambda _: stranger.get("/readyz"), range(50)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == len(looks) == 1


@pytest.mark.parametrize(
    ("address", "origin"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("a:b", "a:b"),
        (1000 * "1", 64 * "1"),
        ("", ""),
    ],
)
def test_a_household_has_one_origin(address, origin):
    assert rates.origin_of({"client": (address, 1234)}) == origin
    assert rates.origin_of({}) == ""


def test_a_good_key_is_no_guess_however_many_use_it_first(settings):
    with serving(create_app(settings)) as client, ThreadPoolExecutor(20) as threads:
        answers = threads.map(lambda _: client.get("/v1/capabilities").status_code, range(200))
        assert set(answers) == {200}


def test_who_leaves_without_having_come_slows_nobody(api, stranger):
    for _ in range(100):
        assert stranger.delete("/v1/session").status_code == 204
        assert api.get("/v1/campaigns").status_code == 200


def test_a_body_that_ends_after_its_key_was_revoked_has_no_effect(api):
    made = api.post("/v1/keys", json={"name": "slow", "scopes": ["campaigns:read", "campaigns:write"]}).json()
    body = json.dumps({"name": "late", "problem": {}}).encode()
    head = (
        "POST /v1/campaigns HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nIdempotency-Key: late\r\n"
        f"Authorization: Bearer {made['secret']}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", api.client.base_url.port), timeout=20) as connection:
        connection.sendall(head.encode() + body[:5])
        time.sleep(0.5)  # the gate has let it in
        assert api.post(f"/v1/keys/{made['id']}/revocation").status_code == 200
        connection.sendall(body[5:])
        assert connection.recv(64).startswith(b"HTTP/1.1 401")


def test_every_answer_tells_browsers_what_they_may(api, stranger):
    for answer in (
        api.get("/v1/campaigns"),
        stranger.get("/v1/campaigns"),
        api.get("/v1/nothing"),
        api.get("/healthz"),
    ):
        said = answer.headers
        assert said["X-Content-Type-Options"] == "nosniff"
        assert said["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert said["Cross-Origin-Resource-Policy"] == "same-origin"
        assert said["Cache-Control"] in {"no-store", "private, no-cache"}
        assert said["Referrer-Policy"] == "same-origin"
        assert not any(name.startswith("access-control-") for name in said)


def test_no_foreign_page_may_ask(api):
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    answer = api.client.request("OPTIONS", "/v1/campaigns", headers=asked)
    assert answer.status_code == 405
    assert not any(name.startswith("access-control-") for name in answer.headers)


def test_a_database_that_is_away_is_no_refusal(api, settings):
    """Who asks cannot be found out then: that is 503, to be repeated, and never 401."""
    nowhere = make_url(settings.database.url).set(database="nowhere").render_as_string(hide_password=False)
    gone = settings.model_copy(update={"database": settings.database.model_copy(update={"url": nowhere})})
    with serving(create_app(gone)) as client:
        answer = client.get("/v1/campaigns")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
        assert client.get("/healthz").status_code == 200
