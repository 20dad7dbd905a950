"""Every call × no key × a key without its scope × a key of another campaign: nothing is told and nothing written.

The calls are those of the walk, each with the request that was good when its owner sent it.
"""

import itertools
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from fastapi import APIRouter
from sqlalchemy import URL

from service.api import openapi, rates
from service.api.access import ANY_KEY, ANYBODY, OPERATIONS, UndeclaredOperation, check
from service.app import create_app
from service.operations import keys
from service.operations.keys import OF_ALL, SCOPES
from service.settings import DatabaseSettings, Settings
from service.store.session import Sessions, make_engine, make_sessions
from tests.conftest import _database
from tests.integration.conftest import Lab, serving
from tests.integration.contract import check_declared, document
from tests.integration.walk import NOT_WALKED, walk

NAMES = [said["operationId"] for _, _, said in openapi.operations(document())]
BY_NAME = {said["operationId"]: (path, method, said) for path, method, said in openapi.operations(document())}
DATA = [scope for scope in SCOPES if scope not in OF_ALL]
"""What a key of one campaign can have at most."""
WITHOUT_CAMPAIGN = {
    "alive": 200,
    "ready": 200,
    "metrics": 403,
    "read_capabilities": 200,
    "list_campaigns": 200,
    "create_campaign": 201,
    "import_campaign": 403,
    "open_session": 401,
    "read_session": 200,
    "close_session": 204,
    "create_key": 403,
    "list_keys": 403,
    "read_key": 403,
    "rotate_key": 403,
    "revoke_key": 403,
    "list_audit": 403,
}
"""Calls that lead to no campaign, and what a key of another campaign is answered."""
NOT_SENT_AGAIN = {"authorization", "content-length", "cookie", "host"}
"""Headers that are made anew."""
_numbers = itertools.count()


class Walked:
    """A lab that belongs to somebody, a request for each call, and strangers."""

    def __init__(self, client: httpx.Client, stranger: httpx.Client, sessions: Sessions, settings: Settings) -> None:
        lab = walk(client, sessions, settings)
        self.stranger_client = stranger
        self.address, self.sessions, self.lab = str(client.base_url), sessions, Lab(sessions)
        self.requests: dict[str, httpx.Request] = {}
        for said, response in lab.answered:
            self.requests.setdefault(said["operationId"], response.request)
        archive = client.get(f"/v1/campaigns/{self.ids('cmp')[0]}/exports/archive").content
        headers = {"Content-Type": "application/zip", "Idempotency-Key": "x"}
        sent = client.build_request("POST", "/v1/campaign-imports", content=archive, headers=headers)
        self.requests["import_campaign"] = sent
        self.campaign = self.lab.campaign()
        """Of somebody else."""
        self.stranger = self.key(DATA, [self.campaign])

    def key(self, scopes: Any, campaigns: list[str] | None = None) -> str:
        with self.sessions.begin() as session:
            return keys.create(session, "a stranger", scopes, campaigns=campaigns).secret

    def ids(self, kind: str) -> list[str]:
        found = re.findall(rf"\b{kind}_[0-9a-z]{{26}}\b", " ".join(str(r.url) for r in self.requests.values()))
        return list(dict.fromkeys(found))

    def ask(self, name: str, key: str | None, **changed: Any) -> httpx.Response:
        """The call as its owner sent it, under another key; as a new request."""
        known = self.requests[name]
        headers = {k: v for k, v in known.headers.items() if k not in NOT_SENT_AGAIN}
        headers |= {"idempotency-key": f"stranger-{next(_numbers)}"} if "idempotency-key" in headers else {}
        headers |= {} if key is None else {"authorization": f"Bearer {key}"}
        url = changed.pop("url", str(known.url))
        given = {"content": known.content, "headers": headers} | changed
        self.stranger_client.cookies.clear()
        answer = self.stranger_client.request(known.method, url, **given)
        check_declared(answer)
        return answer


@pytest.fixture(scope="module")
def walked(server_url: URL, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walked]:
    with contextmanager(_database)(server_url, template) as url:
        engine = make_engine(url, pool_size=20)
        settings = Settings(database=DatabaseSettings(url=url), data_dir=tmp_path_factory.mktemp("access"))
        with pytest.MonkeyPatch.context() as patch, serving(create_app(settings)) as client:
            patch.setattr(rates.Rate, "refuse_beyond", lambda rate, who: None)  # here is more than anybody may send
            with httpx.Client(timeout=30) as stranger:
                yield Walked(client, stranger, make_sessions(engine), settings)
        engine.dispose()


def test_no_call_is_missing_here(walked):
    assert set(walked.requests) == set(NAMES)
    assert {"import_campaign"} == NOT_WALKED
    pathless = {name for name in NAMES if not re.search(r"\{(?!key_id)", BY_NAME[name][0])}
    assert set(WITHOUT_CAMPAIGN) == pathless


def test_every_call_says_who_may_make_it():
    assert set(OPERATIONS) == set(NAMES)
    for name, scopes in OPERATIONS.items():
        assert scopes <= set(SCOPES), name
        path, _, said = BY_NAME[name]
        assert bool(said.get("security")) == bool(scopes)
        if path.startswith("/v1/") and scopes == ANYBODY:
            assert path == "/v1/session"


def test_a_route_that_nobody_declared_stops_the_start():
    router = APIRouter()

    @router.get("/secrets")
    def read_everything() -> None: ...

    with pytest.raises(UndeclaredOperation, match="read_everything"):
        check([router])


GUARDED = [name for name in NAMES if OPERATIONS[name] != ANYBODY]


def written(walked: Walked) -> dict[str, int]:
    return walked.lab.rows_by_table()


@pytest.mark.parametrize("name", GUARDED)
def test_nobody_gets_nothing(walked, name):
    before = written(walked)
    for key in (None, "flp_testtest_" + 43 * "u", "flp_nobody00_" + 43 * "t", "flp_testtest", "x"):
        answer = walked.ask(name, key)
        assert (answer.status_code, answer.json()["type"]) == (401, "urn:filmloop:problem:unauthenticated")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert written(walked) == before


@pytest.mark.parametrize("name", [name for name in GUARDED if OPERATIONS[name] != ANY_KEY])
def test_a_key_without_the_scope_is_refused(walked, name):
    rest = [scope for scope in SCOPES if scope not in OPERATIONS[name]]
    key = walked.key(rest)
    before = written(walked)
    answer = walked.ask(name, key)
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:filmloop:problem:not-allowed")
    assert written(walked) == before


@pytest.mark.parametrize("name", [name for name in GUARDED if name not in WITHOUT_CAMPAIGN])
def test_what_is_of_another_campaign_is_not_there(walked, name):
    before = written(walked)
    answer = walked.ask(name, walked.stranger)
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:filmloop:problem:not-found")
    named = re.findall(r"\b[a-z]{3}_[0-9a-z]{26}\b", answer.text)
    asked = str(walked.requests[name].url)
    assert len(named) == 1
    assert named[0] in asked  # it says back what was asked for, and nothing else
    absent = walked.ask(name, walked.stranger, url=asked.replace(named[0], named[0][:-4] + "0000"))
    assert absent.json()["detail"] == answer.json()["detail"].replace(named[0], named[0][:-4] + "0000")
    assert written(walked) == before


@pytest.mark.parametrize("name", list(WITHOUT_CAMPAIGN))
def test_what_is_of_no_campaign_tells_nothing_of_others(walked, name):
    answer = walked.ask(name, walked.stranger)
    assert answer.status_code == WITHOUT_CAMPAIGN[name], answer.text
    with walked.sessions() as session:
        granted = keys.caller_of(session, walked.stranger).campaigns
    assert walked.campaign in granted
    assert set(re.findall(r"\bcmp_[0-9a-z]{26}\b", answer.text)) <= granted


ID = re.compile(r"\b([a-z]{3}_[0-9a-z]{22})[0-9a-z]{4}\b")


def test_an_id_in_a_body_tells_no_more_than_one_in_an_address(walked):
    """What is of another campaign is refused in the words for what is not there at all."""
    asked = set()
    for name, known in walked.requests.items():
        path, body = BY_NAME[name][0], known.content.decode("utf-8", "replace")
        is_json = known.headers.get("content-type") == "application/json"
        if not is_json or re.sub(r"\{campaign_id\}", "", path).count("{") or not ID.search(body):
            continue
        url = re.sub(r"cmp_[0-9a-z]{26}", walked.campaign, str(known.url))
        foreign, absent = (
            walked.ask(name, walked.stranger, url=url, content=b) for b in (body, ID.sub(r"\g<1>0000", body))
        )
        assert 400 <= foreign.status_code < 500, (name, foreign.text)
        told = [ID.sub("that", json.dumps({**a.json(), "request_id": ""})) for a in (foreign, absent)]
        assert told[0] == told[1], name
        asked.add(name)
    assert asked >= {"record_measurements", "record_composition_map", "attach", "take_prior_data"}


def test_whoever_does_not_see_all_cannot_find_out_by_an_archive_what_is_here(walked):
    """An archive brings its ids along: that they are taken would tell that there is such a thing."""
    nothing = {"content": b"PK", "headers": {"content-type": "application/zip", "idempotency-key": "k"}}
    nothing["headers"]["authorization"] = f"Bearer {walked.stranger}"
    answers = [walked.ask("import_campaign", walked.stranger), walked.ask("import_campaign", None, **nothing)]
    assert [answer.status_code for answer in answers] == [403, 403]
    assert answers[0].json()["detail"] == answers[1].json()["detail"]
    assert walked.ask("import_campaign", walked.key(DATA)).status_code == 409


@pytest.mark.parametrize("name", [n for n in NAMES if BY_NAME[n][1] != "get"])
def test_no_body_may_say_more_than_it_should(walked, name):
    """Mass assignment: a field that is not described is refused, whatever it is called."""
    known = walked.requests[name]
    if known.headers.get("content-type") != "application/json" or not known.content:
        return
    body = json.loads(known.content)
    owner = known.headers.get("authorization", "").removeprefix("Bearer ")
    for more in ("id", "state", "campaign_id", "holder", "every_campaign", "revision", "__class__"):
        if more in BODY_FIELDS.get(name, ()):
            continue
        answer = walked.ask(name, owner, content=json.dumps(body | {more: "x"}).encode())
        assert answer.status_code == 422, (more, answer.text)
        assert f"/{more}" in [e["pointer"] for e in answer.json()["errors"]]


BODY_FIELDS = {"take_prior_data": {"campaign_id", "revision"}}
"""Fields of these names that are described."""
TRICKS = [
    "%00",
    "a%00b",
    "..%2f..%2fetc%2fpasswd",
    "%2e%2e",
    "cmp_x'--",
    "%ff%fe",
    "\u202ecmp",
    "~root",
    "CON",
    65 * "a",
]


@pytest.mark.parametrize("name", [name for name in NAMES if "{" in BY_NAME[name][0]])
def test_tricks_in_paths_lead_nowhere(walked, name):
    path, _, _ = BY_NAME[name]
    owner = walked.key(SCOPES)
    for key, trick in itertools.product((owner, walked.stranger), TRICKS):
        parts = ["1" if p == "{number}" else trick if p.startswith("{") else p for p in path.split("/")]
        answer = walked.ask(name, key, url=f"{walked.address.rstrip('/')}{'/'.join(parts)}")
        assert answer.status_code in {403, 404, 405, 422, 428}, (trick, answer.text)
