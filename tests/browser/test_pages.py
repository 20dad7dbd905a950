"""Every page of a live demo: nothing complains, nothing is fetched from elsewhere, nobody is hindered."""

import re

import pytest
from fastapi.routing import APIRoute
from playwright.sync_api import expect

from service.web.mounting import ROUTERS
from tests.browser.visits import Visit

LOOKS = {
    "desktop-light": {"theme": "light", "locale": "en", "width": 1280},
    "phone-dark": {"theme": "dark", "locale": "ja", "width": 390},
}
PARTS = {
    "/preferences",
    "/favicon.ico",
    "/new/check",
    "/campaigns/{campaign_id}/parts",
    "/campaigns/{campaign_id}/space/elements",
    "/campaigns/{campaign_id}/space/triangle",
    "/films/{film_id}/replays",
    "/films/{film_id}/spectra",
}
"""What is no page of its own."""
OF_OTHERS = {"/docs", "/redoc"}
"""Pages that libraries fill, whose hindrances are not ours to mend; the rest is asked of them, too."""


def addresses():
    found = (r for router in ROUTERS for r in router.routes if isinstance(r, APIRoute) and "GET" in r.methods)
    return sorted({route.path for route in found} - PARTS)


@pytest.fixture(scope="module")
def ids(demo):
    """What stands in the addresses of pages."""
    films = demo.get(f"/v1/campaigns/{demo.campaign}/films")["items"]
    proposals = demo.get(f"/v1/campaigns/{demo.campaign}/proposals")["items"]
    versions = demo.get(f"/v1/campaigns/{demo.campaign}/model-versions")["items"]
    return {
        "campaign_id": demo.campaign,
        "film_id": films[-1]["id"],
        "proposal_id": proposals[-1]["id"],
        "model_version_id": versions[-1]["id"],
    }


@pytest.fixture(scope="module", params=LOOKS)
def walker(request, browser, demo):
    """A visitor who walks from page to page; and what the visit is called."""
    seen = Visit(browser, demo, **LOOKS[request.param])
    yield request.param, seen
    seen.close()


@pytest.mark.parametrize("address", addresses())
def test_every_page_is_sound(walker, ids, address):
    look, seen = walker
    if address in OF_OTHERS and look != "desktop-light":
        pytest.skip("what a library draws is looked at once")
    seen.go(re.sub(r"\{(\w+)\}", lambda named: ids[named[1]], address))
    if address in OF_OTHERS:
        seen.page.locator("#swagger .opblock-tag, #redoc h1").first.wait_for()
    else:
        expect(seen.page.locator(".calculating")).to_have_count(0, timeout=30_000)
        assert seen.hindrances() == []
        assert seen.overflow() <= 0
    assert seen.page.locator("html").get_attribute("lang") == LOOKS[look]["locale"]
    assert (seen.said, seen.foreign) == ([], [])
    name = "-".join(part for part in address.split("/") if part and "{" not in part)
    named = {"/": "campaigns", "/campaigns/{campaign_id}": "campaign", "/films/{film_id}": "film"}
    # What a library draws has the colours of the moment at which it was loaded.
    themes = ("light",) if address in OF_OTHERS else ("dark", "light")
    seen.pictures(f"{named.get(address, name)}-{look.partition('-')[0]}", themes)


def test_a_stranger_is_asked_in_and_comes_back_to_the_page(visit, demo):
    seen = visit(f"/campaigns/{demo.campaign}/data", known=False)
    assert "/login?next=" in seen.page.url
    seen.page.get_by_label("Key").fill("flp_wrongone_" + 43 * "x")
    seen.press("Come in")
    seen.page.locator(".errors li").wait_for()
    assert "not known" in seen.page.locator(".errors").inner_text()
    seen.said.clear()  # the browser notes the refusal by itself
    seen.page.get_by_label("Key").fill(demo.key)
    seen.press("Come in")
    seen.page.wait_for_url(f"**/campaigns/{demo.campaign}/data")
    seen.page.get_by_role("button", name="Leave").click()
    seen.page.wait_for_url("**/login")


def test_a_key_behind_the_hash_lets_in_and_is_forgotten(visit, demo):
    seen = visit(f"/login#{demo.key}", known=False)
    seen.page.wait_for_url(f"{demo.url}/")
    assert "Fe-Ga-Pd" in seen.page.locator("main").inner_text()
    assert demo.key not in seen.page.evaluate("JSON.stringify(Object.keys(history)) + location.href")


def test_a_key_behind_the_hash_waits_for_a_click_where_somebody_is_in(visit, demo):
    seen = visit(f"/login#{demo.key}")
    seen.press("Come in")
    seen.page.wait_for_url(f"{demo.url}/")
    stranger = visit("/login", known=False)
    assert "You are in already" not in stranger.page.locator("main").inner_text()


def test_language_and_theme_stay_as_chosen(visit, demo):
    seen = visit("/")
    seen.page.get_by_role("link", name="日本語").click()
    seen.page.wait_for_selector('html[lang="ja"]')
    seen.page.get_by_role("link", name="ダーク").click()
    seen.page.wait_for_selector('html[data-theme="dark"]')
    seen.go(f"/campaigns/{demo.campaign}")
    assert seen.page.locator("html").get_attribute("lang") == "ja"
    assert (
        seen.page.evaluate(
            "getComputedStyle(document.body).colorScheme || getComputedStyle(document.documentElement).colorScheme"
        )
        == "dark"
    )


def test_the_keyboard_reaches_the_content_and_the_dialogs(visit, demo):
    seen = visit(f"/campaigns/{demo.campaign}")
    seen.page.keyboard.press("Tab")
    assert seen.page.evaluate("document.activeElement.className") == "skip"
    seen.page.keyboard.press("Enter")
    assert seen.page.evaluate("document.activeElement.id") == "main"
    seen.page.get_by_role("button", name="Pause").focus()
    seen.page.keyboard.press("Enter")
    seen.page.locator("dialog[open]").wait_for()
    seen.page.keyboard.press("Escape")
    seen.page.locator("dialog[open]").wait_for(state="detached")


def test_a_page_that_is_not_there_says_so_in_words(visit):
    seen = visit("/campaigns/cmp_none")
    assert seen.page.locator("h1").inner_text() == "There is no such page"
    seen.said.clear()  # the browser notes the 404 by itself


def test_calls_are_tried_from_the_description(visit, demo):
    seen = visit("/docs")
    seen.page.locator('[id="operations-researcher-list_campaigns"]').click()
    seen.page.get_by_role("button", name="Execute").click()
    seen.page.locator(".live-responses-table .response-col_status").filter(has_text="200").wait_for()
    assert demo.campaign in seen.page.locator(".live-responses-table").inner_text()
