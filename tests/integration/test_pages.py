"""The pages without a browser: what they say, what they refuse, what surrounds them."""

import re

import pytest

from service.web.guard import POLICY
from service.web.mounting import FOR_EVER
from service.web.pages.new import blueprints, faults
from service.web.rendering import STATIC

HTML = {"Accept": "text/html"}


def page(api, path, status=200, **headers):
    answer = api.get(path, headers=HTML | headers)
    assert answer.status_code == status, answer.text
    return answer


@pytest.fixture
def campaign(api, loop):
    """Named so that a page would break that did not escape it."""
    body = {"name": "<script>alert('x')</script> & co", "problem": loop.problem()}
    made = api.post("/v1/campaigns", json=body).json()["id"]
    api.post(f"/v1/campaigns/{made}/actions", json={"action": "activate"})
    loop.decide(made)
    return made


def test_what_people_wrote_is_text_and_never_html(api, campaign):
    for path in ("/", f"/campaigns/{campaign}", f"/campaigns/{campaign}/data", f"/campaigns/{campaign}/configuration"):
        html = page(api, path).text
        assert "<script>alert" not in html
        assert "&lt;script&gt;alert" in html


def test_nothing_is_inline_and_the_policy_forbids_it(api, campaign):
    for path in (
        "/",
        f"/campaigns/{campaign}",
        f"/campaigns/{campaign}/data",
        f"/campaigns/{campaign}/films",
        "/new",
        "/keys",
        "/docs",
        "/login",
    ):
        answer = page(api, path)
        assert answer.headers["content-security-policy"] == POLICY
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["cache-control"] == "no-store"
        scripts = re.findall(r"<script\b([^>]*)>(.)", answer.text, re.DOTALL)
        assert [s for s, after in scripts if after != "<" and 'type="application/json"' not in s] == []
        assert re.findall(r"\s(?:style|on\w+)=", answer.text) == []
        assert re.findall(r"""(?:src|href)=["']?(?:https?:)?//""", answer.text) == []


def test_the_description_that_is_read_may_write_its_own_styles_and_nothing_else(api):
    told = page(api, "/redoc").headers["content-security-policy"]
    assert "script-src 'self';" in told
    assert "style-src 'self' 'unsafe-inline'" in told


def test_a_fault_is_a_page_for_people_and_a_problem_for_programs(api):
    for path, status in {"/campaigns/none": 404, "/nowhere": 404, "/campaigns/a%20b": 422, "/keys": 200}.items():
        assert page(api, path, status).headers["content-type"].startswith("text/html")
    assert "There is no such page" in page(api, "/nowhere", 404).text
    assert "ページが見つかりません" in page(api, "/nowhere", 404, **{"Accept-Language": "ja"}).text
    assert api.get("/nowhere").headers["content-type"] == "application/problem+json"
    assert api.get("/v1/campaigns/none", headers=HTML).headers["content-type"] == "application/problem+json"


def test_a_stranger_is_sent_to_the_login_and_back(api, campaign):
    stranger = {"Authorization": "Bearer nobody"}
    away = page(api, f"/campaigns/{campaign}/data?film=x", 303, **stranger)
    assert away.headers["location"] == f"/login?next=%2Fcampaigns%2F{campaign}%2Fdata%3Ffilm%3Dx"
    part = api.get(f"/campaigns/{campaign}/parts", headers=stranger | {"HX-Request": "true"})
    assert (part.status_code, part.headers["hx-redirect"]) == (204, f"/login?next=%2Fcampaigns%2F{campaign}%2Fparts")
    for path in ("/login", "/docs", "/redoc", "/static/app.css", "/favicon.ico"):
        page(api, path, 200, **stranger)


def test_whoever_was_granted_one_campaign_sees_one(api, campaign, loop):
    other = loop.campaign()
    said = {"name": "guest", "scopes": ["campaigns:read"], "campaigns": [campaign]}
    guest = {"Authorization": f"Bearer {api.post('/v1/keys', json=said).json()['secret']}"}
    listed = page(api, "/", **guest).text
    assert campaign in listed
    assert other not in listed
    page(api, f"/campaigns/{campaign}", **guest)
    page(api, f"/campaigns/{other}", 404, **guest)
    page(api, "/keys", 403, **guest)
    page(api, "/audit", 403, **guest)
    assert "/keys" not in listed


def test_nobody_is_led_elsewhere(api):
    for there in (
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "/{campaigns}/evil.example",
    ):
        answer = api.get("/preferences", params={"theme": "dark", "next": there})
        assert answer.headers["location"] == "/"
        assert 'data-next="/"' in page(api, f"/login?next={there}").text
    kept = api.get("/preferences", params={"language": "ja", "theme": "odd", "next": "/new"})
    assert kept.headers["location"] == "/new"
    assert "filmloop_language=ja" in kept.headers["set-cookie"]
    assert "filmloop_theme" not in kept.headers["set-cookie"]


def test_static_files_are_kept_for_ever_under_their_version(api):
    named = re.search(r"/static/app\.css\?v=\w+", page(api, "/").text)
    assert named is not None
    assert api.get(named[0]).headers["cache-control"] == FOR_EVER
    assert api.get("/static/app.css").headers["cache-control"] == "no-cache"
    assert api.get("/static/../rendering.py").status_code == 404
    assert api.get("/static/%2e%2e/rendering.py").status_code == 404


def test_every_vendored_file_has_its_licence():
    folders = [folder for folder in (STATIC / "vendor").iterdir() if folder.is_dir()]
    assert len(folders) >= 5
    listed = (STATIC / "vendor/README.md").read_text()
    for folder in folders:
        assert (folder / "LICENSE").exists()
        assert f"| `{folder.name}` |" in listed


def test_the_list_says_what_waits_for_a_person(api, campaign, loop):
    assert "nothing" in page(api, "/").text
    film = loop.film(campaign)
    assert "1 film to measure" in page(api, "/").text
    draft = api.post("/v1/campaigns", json={"name": "later", "problem": loop.problem()})
    assert draft.status_code == 201
    assert "not begun" in page(api, "/").text
    assert film in page(api, f"/campaigns/{campaign}").text


def test_parts_are_told_as_they_stand_now(api, campaign, loop, reading):
    film = loop.film(campaign)
    before = page(api, f"/campaigns/{campaign}/parts").text
    assert 'hx-swap-oob="true"' in before
    assert re.search(r'data-test="readings">0<', before)
    rows = [reading(film, k, unit="emu/cm3") for k in range(loop.DEVICES)]
    assert api.measure(campaign, rows).status_code == 201
    now = page(api, f"/campaigns/{campaign}/parts").text
    assert re.search(r'data-test="readings">3<', now)
    assert "squid delivered 3 readings" in now


def test_readings_are_leafed_through_newest_first(api, campaign, loop, reading):
    film = loop.film(campaign)
    for n in range(40):
        rows = [reading(film, k, value=100.0 * n + k) for k in range(loop.DEVICES)]
        assert api.measure(campaign, rows).status_code == 201
    seen, address = [], f"/campaigns/{campaign}/data"
    while address:
        html = page(api, address).text
        seen += re.findall(r'value="(\w+)" data-reading', html)
        older = re.search(r'href="(\?after=[^"]+)"', html)
        address = older and f"/campaigns/{campaign}/data{older[1]}".replace("&amp;", "&")
    assert len(seen) == len(set(seen)) == 120
    known = [row["id"] for row in api.get(f"/v1/campaigns/{campaign}/dataset?limit=1000").json()["rows"]]
    assert set(seen) == set(known)
    some = page(api, f"/campaigns/{campaign}/data?film={film}&status=dead").text
    assert "No reading fits." in some


def test_blueprints_are_campaigns_that_can_be_made(api):
    for name, draft in blueprints().items():
        assert faults(draft["problem"]) == []
        made = api.post("/v1/campaigns", json=draft)
        assert made.status_code == 201, f"{name}: {made.text}"
        page(api, f"/campaigns/{made.json()['id']}/configuration")


def test_a_draft_is_checked_place_by_place(api):
    draft = {**blueprints()["alloy"]["problem"], "objectives": [{"property": "hardness", "unit": "parsnip"}]}
    told = api.client.post("/new/check", json={"problem": draft}).json()["errors"]
    assert [fault["pointer"] for fault in told] == ["/problem/objectives/0/unit"]
    draft = {**blueprints()["alloy"]["problem"], "policy": {"name": "auto", "restarts": 0}}
    told = api.client.post("/new/check", json={"problem": draft}).json()["errors"]
    assert [fault["pointer"] for fault in told] == ["/problem/policy/restarts"]
    for nonsense in (None, 3, [], "x", {"space": 1}):
        assert api.client.post("/new/check", json={"problem": nonsense}).json()["errors"] != []


def test_messages_are_said_in_the_visitors_language_to_whoever_is_known(api):
    def said(*texts, **headers):
        return api.client.post("/said", json={"texts": texts}, headers={"Accept-Language": "ja"} | headers)

    assert said("there is no film 'flm_1'", "odd").json() == {
        "said": [[["膜 'flm_1' はありません", None]], [["odd", "en"]]]
    }
    assert said("odd", **{"Accept-Language": "en"}).json() == {"said": [[["odd", None]]]}
    assert said(*["odd"] * 201).status_code == said("x" * 10_001).status_code == 422
    assert said("odd", Authorization="Bearer flp_wrongone_" + 43 * "x").status_code == 401


def test_films_are_listed_newest_first_page_by_page(api, campaign, loop, monkeypatch):
    monkeypatch.setattr("service.web.pages.films.SHOWN", 2)
    made = [loop.film(campaign)]
    for _ in range(2):
        loop.decide(campaign)
        made.append(loop.film(campaign))
    first = page(api, f"/campaigns/{campaign}/films").text
    older = re.search(r'href="(\?before=\w+)"', first)
    assert older is not None
    second = page(api, f"/campaigns/{campaign}/films{older[1]}").text
    seen = [re.findall(r'href="/films/(\w+)">(\d+)<', html) for html in (first, second)]
    assert seen == [[(made[2], "3"), (made[1], "2")], [(made[0], "1")]]
