"""The life of keys: made, shown once, granted, replaced, ended; sessions of browsers; who changed what."""

import re
import threading
import time
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy import text, update

from benchmarks.keys import ID, KEY
from service.api import callers
from service.operations import keys
from service.operations.keys import OF_ALL, ROLES, SCOPES
from service.store.tables import KeyRow, WebSessionRow
from service.supervisor.doctor import key_finding
from service.supervisor.key_file import keep_key, key_file

DATA = [scope for scope in SCOPES if scope not in OF_ALL]
WITHIN_S = 5.0
"""What is promised of a revocation."""


def bearer(secret):
    return {"Authorization": f"Bearer {secret}"}


@pytest.fixture
def make(api):
    def make(scopes=tuple(DATA), campaigns=None, **more):
        said = {"name": "k", "scopes": list(scopes), "campaigns": campaigns} | more
        made = api.post("/v1/keys", json=said)
        assert made.status_code == 201, made.text
        return made.json()

    return make


def test_a_key_is_shown_once_and_kept_as_a_hash(api, make, sessions):
    made = make()
    assert re.fullmatch(rf"flp_{made['id']}_[A-Za-z0-9_-]{{43}}", made["secret"])
    assert api.get("/v1/session", headers=bearer(made["secret"])).json()["key_id"] == made["id"]
    told = api.get(f"/v1/keys/{made['id']}").json()
    assert {k: v for k, v in made.items() if k != "secret"} | {"last_used_at": told["last_used_at"]} == told
    assert told["last_used_at"] is not None
    with sessions() as session:
        for table in ("api_key", "idempotency", "audit", "campaign_grant", "web_session"):
            kept = str(session.execute(text(f"select to_jsonb(t) from {table} t")).all())  # noqa: S608 - our own tables
            assert made["secret"][13:] not in kept


def test_a_repeated_request_makes_no_second_key_and_tells_no_secret(api):
    said = {"name": "k", "scopes": ["export"]}
    first, again = (api.post("/v1/keys", "one", json=said) for _ in range(2))
    assert again.headers["Idempotency-Replayed"] == "true"
    assert first.headers["Cache-Control"] == "no-store"
    assert (again.json()["id"], again.json()["secret"]) == (first.json()["id"], None)
    assert len(api.get("/v1/keys").json()["items"]) == 2


@pytest.mark.parametrize(
    ("said", "pointer"),
    [
        ({"scopes": []}, "/scopes"),
        ({"scopes": ["campaigns:*"]}, "/scopes/0"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
        ({"campaigns": ["cmp_nowhere"]}, "/campaigns"),
        ({"campaigns": [], "scopes": ["keys:admin"]}, "/campaigns"),
        ({"campaigns": [], "scopes": ["metrics:read"]}, "/campaigns"),
        ({"name": "a\x00b"}, "/name"),
        ({"name": "x" * 129}, "/name"),
        ({"secret": KEY}, "/secret"),
    ],
)
def test_a_key_that_may_not_be_is_refused(api, said, pointer):
    refused = api.post("/v1/keys", json={"name": "k", "scopes": ["export"]} | said)
    assert refused.status_code == 422
    assert pointer in [e["pointer"] for e in refused.json()["errors"]]
    assert len(api.get("/v1/keys").json()["items"]) == 1


def test_what_a_holder_creates_is_the_holders(api, make, lab):
    other, own = lab.campaign(), lab.campaign()
    mine, yours = make(campaigns=[own]), make(campaigns=[])
    problem = {"space": {"elements": ["Fe", "Ga"]}, "objectives": [{"property": "m", "unit": "T"}]}
    made = api.post("/v1/campaigns", json={"name": "n", "problem": problem}, headers=bearer(mine["secret"])).json()
    cloned = api.post(f"/v1/campaigns/{own}/clones", json={"name": "c"}, headers=bearer(mine["secret"])).json()
    seen = [c["id"] for c in api.get("/v1/campaigns", headers=bearer(mine["secret"])).json()["items"]]
    assert sorted(seen) == sorted([own, made["id"], cloned["id"]])
    assert api.get("/v1/campaigns", headers=bearer(yours["secret"])).json() == {"items": [], "next": None}
    for campaign in (other, own, made["id"]):
        assert api.get(f"/v1/campaigns/{campaign}", headers=bearer(yours["secret"])).status_code == 404
    assert api.get(f"/v1/campaigns/{other}", headers=bearer(mine["secret"])).status_code == 404
    assert api.get(f"/v1/keys/{mine['id']}").json()["campaigns"] == sorted(seen)


def test_nobody_learns_from_a_campaign_that_is_not_his(api, make, lab, reading):
    source, own = lab.campaign(), lab.campaign()
    api.measure(source, [reading(lab.film(source), 0)])
    mine = bearer(make(campaigns=[own])["secret"])
    path = f"/v1/campaigns/{own}/prior-data"
    refused = api.post(path, json={"campaign_id": source}, headers=mine)
    absent = api.post(path, json={"campaign_id": source[:-4] + "0000"}, headers=mine)
    assert (refused.status_code, absent.status_code) == (422, 422)
    assert refused.json()["detail"].replace(source, "") == absent.json()["detail"].replace(source[:-4] + "0000", "")
    for where, said in (
        (f"/v1/campaigns/{own}/clones", {"name": "c"}),
        ("/v1/campaigns", {"name": "n", "problem": api.get(f"/v1/campaigns/{own}").json()["problem"]}),
    ):
        asked = said | {"prior_data": [{"campaign_id": source}]}
        assert api.post(where, json=asked, headers=mine).status_code == 422
        assert api.post(where, json=asked).status_code == 201
    assert len(api.get("/v1/campaigns", headers=mine).json()["items"]) == 1
    # A film of another campaign cannot be measured from here.
    body = {"instrument": "squid", "measurements": [reading(lab.film(source), 0)]}
    elsewhere = api.post(f"/v1/campaigns/{own}/measurement-batches", json=body, headers=mine)
    assert [e["pointer"] for e in elsewhere.json()["errors"]] == ["/measurements/0/film_id"]


def test_one_idempotency_key_of_two_holders_is_two(api, make, lab):
    own = lab.campaign("draft")
    first, second = (make(campaigns=[own]) for _ in range(2))
    body = {"name": "squid", "description": "secret"}
    path = f"/v1/campaigns/{own}/instruments"
    told = api.post(path, "same", json={"name": "a"}, headers=bearer(first["secret"]))
    other = api.post(path, "same", json={"name": "b"}, headers=bearer(second["secret"]))
    assert (told.status_code, other.status_code) == (201, 201), body
    assert "Idempotency-Replayed" not in other.headers
    assert told.json()["id"] != other.json()["id"]


def test_a_rotated_key_goes_on_where_the_old_one_was(api, make, lab):
    own = lab.campaign("draft")
    old = make(campaigns=[own])
    path = f"/v1/campaigns/{own}/instruments"
    first = api.post(path, "once", json={"name": "a"}, headers=bearer(old["secret"]))
    new = api.post(f"/v1/keys/{old['id']}/rotation", json={"overlap_s": 3600}).json()
    assert new["rotated_from"] == old["id"]
    for secret in (old["secret"], new["secret"]):
        again = api.post(path, "once", json={"name": "a"}, headers=bearer(secret))
        assert (again.json(), again.headers["Idempotency-Replayed"]) == (first.json(), "true")
        assert api.get(f"/v1/campaigns/{own}", headers=bearer(secret)).status_code == 200
    ends = api.get(f"/v1/keys/{old['id']}").json()
    assert (ends["state"], ends["expires_at"] is None) == ("valid", False)
    newest = api.post(f"/v1/keys/{new['id']}/rotation", json={"overlap_s": 0}).json()
    assert api.get(f"/v1/keys/{new['id']}").json()["state"] == "expired"
    refused = api.post(f"/v1/keys/{new['id']}/rotation", json={})
    assert (refused.status_code, "expired" in refused.json()["detail"]) == (409, True)
    assert api.get(f"/v1/campaigns/{own}", headers=bearer(newest["secret"])).status_code == 200


def test_a_key_that_ends_is_replaced_by_one_that_lasts_as_long(api, make):
    lasts = timedelta(days=90)
    for end, wanted in ((datetime.now(UTC) + lasts, lasts), (None, None)):
        old = make(expires_at=end and end.isoformat())
        new = api.post(f"/v1/keys/{old['id']}/rotation", json={}).json()
        began, ends = (new[name] and datetime.fromisoformat(new[name]) for name in ("created_at", "expires_at"))
        if wanted is None:
            assert ends is None
        else:
            assert abs(ends - began - wanted) < timedelta(minutes=1)
            assert ends > datetime.fromisoformat(old["expires_at"])


def test_an_expired_key_is_none(api, make, sessions):
    made = make(expires_at="2199-01-01T00:00:00Z")
    with sessions.begin() as session:
        past = text("now() - interval '1 second'")
        session.execute(update(KeyRow).where(KeyRow.id == made["id"]).values(expires_at=past))
    assert api.get("/v1/session", headers=bearer(made["secret"])).status_code == 401
    assert api.get(f"/v1/keys/{made['id']}").json()["state"] == "expired"


def test_a_key_revoked_elsewhere_ends_calls_streams_and_waits(api, make, loop):
    """By another process, so that nothing here hears of it at once."""
    campaign = loop.campaign()
    made = make(campaigns=[campaign])
    said, ended = bearer(made["secret"]), {}
    began = threading.Barrier(3)

    def follow():
        path = f"/v1/campaigns/{campaign}/events"
        with api.client.stream("GET", path, headers=said | {"Accept": "text/event-stream"}) as response:
            lines = response.iter_lines()
            next(lines)
            began.wait()
            for _ in lines:
                pass
        ended["stream"] = time.monotonic()

    def wait():
        began.wait()
        body = {"robot": "ada", "wait_s": 20}
        ended["answer"] = api.post(f"/v1/campaigns/{campaign}/claims", json=body, headers=said)
        ended["claim"] = time.monotonic()

    threads = [threading.Thread(target=work) for work in (follow, wait)]
    for thread in threads:
        thread.start()
    began.wait()
    with loop.sessions.begin() as session:
        keys.revoke(session, made["id"])
    revoked = time.monotonic()
    while api.get("/v1/session", headers=said).status_code != 401:
        time.sleep(0.05)
    ended["call"] = time.monotonic()
    for thread in threads:
        thread.join(timeout=20)
    assert ended.pop("answer").status_code == 401
    assert set(ended) == {"stream", "claim", "call"}
    assert callers.LONGEST_S < WITHIN_S
    assert max(ended.values()) - revoked < 2 * WITHIN_S  # the promise, and a machine that is busy


def test_a_key_revoked_here_is_refused_at_once(api, make):
    made = make()
    assert api.get("/v1/session", headers=bearer(made["secret"])).status_code == 200
    for _ in range(2):
        told = api.post(f"/v1/keys/{made['id']}/revocation")
        assert (told.status_code, told.json()["state"]) == (200, "revoked")
    assert api.get("/v1/session", headers=bearer(made["secret"])).status_code == 401
    assert api.post("/v1/keys/00000000/revocation").status_code == 404


@pytest.fixture
def browser(api):
    """A client without a key, as a browser is before it is let in."""
    with httpx.Client(base_url=api.client.base_url, timeout=30) as client:
        yield client


def test_a_browser_is_let_in_with_a_key(api, browser, make, sessions):
    made = make()
    assert browser.get("/v1/session").status_code == 401
    assert browser.post("/v1/session", json={"key": made["secret"][:-1] + "!"}).status_code == 401
    let_in = browser.post("/v1/session", json={"key": made["secret"]})
    assert (let_in.status_code, let_in.json()["key_id"]) == (201, made["id"])
    cookie = let_in.headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= {part.strip() for part in cookie.split(";")}
    assert made["secret"] not in cookie
    with sessions() as session:
        assert session.query(WebSessionRow).one().sha256 not in cookie
    assert browser.get("/v1/campaigns").status_code == 200
    assert browser.delete("/v1/session", headers={"Sec-Fetch-Site": "same-origin"}).status_code == 204
    assert browser.get("/v1/campaigns").status_code == 401
    browser.cookies.set("filmloop_session", cookie.split("=", 1)[1].split(";")[0])
    assert browser.get("/v1/campaigns").status_code == 401


def test_a_session_ends_with_its_key(api, browser, make):
    made = make()
    browser.post("/v1/session", json={"key": made["secret"]})
    assert browser.get("/v1/campaigns").status_code == 200
    api.post(f"/v1/keys/{made['id']}/revocation")
    assert browser.get("/v1/campaigns").status_code == 401


def test_a_foreign_page_changes_nothing(browser, make):
    browser.post("/v1/session", json={"key": make()["secret"]})
    where = str(browser.base_url).rstrip("/")
    problem = {"space": {"elements": ["Fe", "Ga"]}, "objectives": [{"property": "m", "unit": "T"}]}
    from_elsewhere = [
        {},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": f"{where}.evil.example"},
        {"Origin": f"{where[:-1]}"},
        {"Origin": "http://localhost:3000"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example"},
    ]
    for headers in from_elsewhere:
        said = headers | {"Idempotency-Key": "k"}
        refused = browser.post("/v1/campaigns", json={"name": "n", "problem": problem}, headers=said)
        assert (refused.status_code, refused.json()["type"]) == (403, "urn:filmloop:problem:cross-origin"), headers
    refused = browser.post("/v1/session", json={"key": KEY}, headers={"Origin": "https://evil.example"})
    assert refused.status_code == 403  # nobody is let in as somebody else by a foreign page
    for number, headers in enumerate([{"Origin": where}, {"Sec-Fetch-Site": "same-origin"}]):
        said = headers | {"Idempotency-Key": f"k-{number}"}
        made = browser.post("/v1/campaigns", json={"name": "n", "problem": problem}, headers=said)
        assert made.status_code == 201


def test_a_cookie_that_is_none_lets_nobody_in(browser):
    for cookie in ("", "x", "a" * 43, '"', "filmloop_session=", "\x80", KEY):
        answer = browser.get("/v1/campaigns", headers={"Cookie": f"filmloop_session={cookie}".encode("latin-1")})
        assert answer.status_code == 401


def test_the_audit_tells_who_changed_what(api, make, lab, reading):
    campaign = lab.campaign()
    made = make(campaigns=[campaign])
    said = bearer(made["secret"])
    for film_id, status in ((lab.film(campaign), 201), ("flm_none", 422)):
        body = {"instrument": "squid", "measurements": [reading(film_id, 0)]}
        answer = api.post(f"/v1/campaigns/{campaign}/measurement-batches", json=body, headers=said)
        assert answer.status_code == status
    proposal = lab.proposal(campaign)
    assert api.post(f"/v1/proposals/{proposal}/actions", json={"action": "cancel"}, headers=said).status_code == 200
    api.get(f"/v1/campaigns/{campaign}", headers=said)
    api.post(f"/v1/keys/{made['id']}/revocation")
    every = api.get("/v1/audit").json()["items"]
    assert [(e["operation"], e["key_id"], e["campaign_id"]) for e in every] == [
        ("create_key", ID, None),
        ("record_measurements", made["id"], campaign),
        ("act_on_proposal", made["id"], campaign),
        ("revoke_key", ID, None),
    ]
    assert [e["subject"] for e in every][2:] == [proposal, made["id"]]
    of_key = api.get("/v1/audit", params={"key": made["id"]}).json()["items"]
    assert of_key == every[1:3] == api.get("/v1/audit", params={"campaign": campaign}).json()["items"]


def test_a_repeated_request_is_one_change(api, lab, reading):
    campaign = lab.campaign()
    rows = [reading(lab.film(campaign), 0)]
    for _ in range(2):
        assert api.measure(campaign, rows, key="once").status_code == 201
    assert len(api.get("/v1/audit").json()["items"]) == 1


def test_the_first_key_is_made_once(sessions, empty_database_url):
    with sessions.begin() as session:
        assert keys.first(session) is None  # there is the one of the tests
        session.execute(text("delete from api_key"))
        made = keys.first(session)
        assert set(made.key.scopes) == set(ROLES["admin"])
        assert keys.first(session) is None
        keys.revoke(session, made.key.id)
        assert keys.first(session) is None  # an operator who ended all keys wanted that


def test_use_is_noted_once_a_minute(sessions):
    with sessions.begin() as session:
        made = keys.create(session, "k", ["export"])
    for _ in range(2):
        with sessions.begin() as session:
            keys.caller_of(session, made.secret)
    with sessions.begin() as session:
        at = keys.get(session, made.key.id).last_used_at
        session.execute(update(KeyRow).values(last_used_at=at - timedelta(seconds=61)))
    with sessions.begin() as session:
        keys.caller_of(session, made.secret)
    with sessions() as session:
        assert keys.get(session, made.key.id).last_used_at > at


def test_the_doctor_sees_to_keys(sessions, settings):
    def found():
        return key_finding(sessions, settings)

    assert (found().mend, "none is kept" in found().state) == (None, True)
    keep_key(settings.data_dir, KEY)
    assert found().state == "ok"
    key_file(settings.data_dir).chmod(0o644)
    assert "chmod 600" in found().mend
    keep_key(settings.data_dir, KEY[:-1] + "u")
    assert "not good any more" in found().state
    keep_key(settings.data_dir, KEY)
    with sessions.begin() as session:
        new = keys.rotate(session, ID, overlap=timedelta(hours=1))
    assert f"was replaced by {new.key.id} elsewhere, and ends soon" in found().state
    assert str(key_file(settings.data_dir)) in found().mend
    keep_key(settings.data_dir, new.secret)
    assert found().state == "ok"
    keep_key(settings.data_dir, KEY)
    with sessions.begin() as session:
        keys.revoke(session, new.key.id)
    with sessions.begin() as session:
        keys.revoke(session, ID)
    assert "key create" in found().mend
