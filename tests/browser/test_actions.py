"""Whatever a person does on a page is done: each action is checked in the API."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import expect

from service.operations.keys import ROLES

expect.set_options(timeout=20_000)  # a busy machine is no fault
PROBLEM = {
    "space": {"elements": ["Fe", "Ga", "Pd"]},
    "objectives": [{"property": "hardness", "unit": "GPa"}],
    "film": {"devices": 3},
}


@pytest.fixture
def campaign(demo):
    """A campaign of the test's own, active, with two films to make."""
    made = demo.post("/v1/campaigns", {"name": "by hand", "problem": PROBLEM, "queue_depth": 2})
    demo.post(f"/v1/campaigns/{made['id']}/actions", {"action": "activate"})
    return made["id"]


def begun(demo, campaign, robot="bench"):
    """A film in the making."""
    claim = demo.post(f"/v1/campaigns/{campaign}/claims", {"robot": robot, "wait_s": 25})
    lease = claim["lease"]
    key = {"Idempotency-Key": lease["id"], "Lease-Token": lease["token"]}
    demo.client.post(f"/v1/leases/{lease['id']}/start", headers=key).raise_for_status()
    return claim["proposal"]["id"], lease


def made(demo, campaign, robot="bench"):
    """A film that was made."""
    proposal, lease = begun(demo, campaign, robot)
    key = {"Idempotency-Key": f"{lease['id']}-done", "Lease-Token": lease["token"]}
    body = {"outcome": "ok"}
    demo.client.post(f"/v1/leases/{lease['id']}/complete", json=body, headers=key).raise_for_status()
    return demo.get(f"/v1/proposals/{proposal}")["film_id"]


def rows(film, values, **more):
    return [
        {
            "film_id": film,
            "device": k,
            "property": "hardness",
            "unit": "GPa",
            "value": value,
            "measured_at": "2026-03-01T12:00:00Z",
        }
        | more
        for k, value in enumerate(values)
    ]


def measure(demo, campaign, film, values):
    body = {"instrument": "indenter", "measurements": rows(film, values)}
    return demo.post(f"/v1/campaigns/{campaign}/measurement-batches", body)


def state(demo, campaign):
    return demo.get(f"/v1/campaigns/{campaign}")["state"]


def test_the_page_follows_a_measurement(visit, demo, campaign):
    film = made(demo, campaign)
    seen = visit(f"/campaigns/{campaign}")
    expect(seen.page.locator("#live")).to_have_text("live")
    expect(seen.page.locator("[data-test=readings]")).to_have_text("0")
    measure(demo, campaign, film, [4.0, 5.0, 6.0])
    expect(seen.page.locator("[data-test=readings]")).to_have_text("3")
    expect(seen.page.locator("#part-events")).to_contain_text("indenter delivered 3 readings")


def test_the_page_asks_again_for_a_stream_that_was_refused(visit, demo, campaign):
    seen = visit("/new?from=demo")
    refused = []

    def refuse_once(route):
        if refused:
            route.continue_()
        else:
            refused.append(route.request.url)
            route.fulfill(status=503, body="{}")

    seen.page.route("**/events?*", refuse_once)
    seen.go(f"/campaigns/{campaign}")
    expect(seen.page.locator("#live")).to_have_text("live")
    assert len(refused) == 1
    seen.said.clear()  # the browser notes the refusal by itself


def test_a_campaign_is_paused_resumed_drained_and_completed(visit, demo, campaign):
    begun(demo, campaign)  # a film in the making keeps a draining campaign from completing itself
    seen = visit(f"/campaigns/{campaign}")
    for button, then in [("Pause", "paused"), ("Resume", "active"), ("Drain", "draining"), ("Complete", "completed")]:
        seen.press(button)
        seen.confirm(button)
        assert state(demo, campaign) == then
        expect(seen.page.locator("#part-standing .state")).to_have_text(then)


def test_a_campaign_is_aborted(visit, demo, campaign):
    seen = visit(f"/campaigns/{campaign}")
    seen.press("Abort")
    seen.press("Back", inside="dialog[open]")
    assert state(demo, campaign) == "active"
    seen.press("Abort")
    seen.confirm("Abort")
    assert state(demo, campaign) == "aborted"


def test_a_film_is_asked_for_and_cancelled(visit, demo, campaign):
    seen = visit(f"/campaigns/{campaign}")
    expect(seen.page.locator("#part-queue li")).to_have_count(2)
    seen.press("Ask for a film")
    dialog = seen.page.locator("#inject")
    for name, value in {"/a/Fe": "50", "/a/Ga": "50", "/b/Fe": "20", "/b/Pd": "70", "/reason": "a hunch"}.items():
        dialog.locator(f'[name="{name}"]').fill(value)
    expect(dialog.locator('[data-sum="/b/"]')).to_have_text("90 %")
    dialog.get_by_role("button", name="Put it in the queue").click()
    expect(dialog.locator(".errors li").first).to_be_visible()
    seen.said.clear()  # the browser notes the refusal by itself
    dialog.locator('[name="/b/Pd"]').fill("80")
    seen.confirm("Put it in the queue")
    wanted = [
        p for p in demo.get(f"/v1/campaigns/{campaign}/proposals?state=ready")["items"] if p["source"] == "person"
    ]
    assert [(p["reason"], p["film"]["b"]["Pd"]) for p in wanted] == [("a hunch", 0.8)]
    first = demo.get(f"/v1/campaigns/{campaign}/proposals/next")["id"]
    assert first == wanted[0]["id"]
    seen.page.locator("#part-queue li", has_text="a hunch").get_by_role("button", name="Cancel").click()
    seen.confirm("Cancel")
    assert demo.get(f"/v1/proposals/{first}")["state"] == "cancelled"


def test_a_film_is_put_first(visit, demo, campaign):
    seen = visit(f"/campaigns/{campaign}")
    expect(seen.page.locator("#part-queue li")).to_have_count(2)
    demo.post(f"/v1/campaigns/{campaign}/actions", {"action": "pause"})  # no decision changes the queue meanwhile
    expect(seen.page.locator("#part-standing .state")).to_have_text("paused")
    seen.press("Make next")
    seen.confirm("Make next")
    ready = demo.get(f"/v1/campaigns/{campaign}/proposals?state=ready")["items"]
    assert sorted(p["priority"] for p in ready) == [0, 1]
    expect(seen.page.locator("#part-queue li").first).to_contain_text("wanted by a person")


def test_what_came_of_an_overdue_film_is_said(visit, demo, campaign):
    proposal, _ = begun(demo, campaign)
    seen = visit(f"/campaigns/{campaign}")
    expect(seen.page.locator("#part-flight")).to_contain_text("being made")
    demo.let_pass(proposal)
    expect(seen.page.locator("#part-flight")).to_contain_text("overdue", timeout=30_000)
    expect(seen.page.locator("#part-standing")).to_contain_text("A film is overdue")
    seen.press("Resolve")
    seen.page.locator("#resolve").get_by_label("Outcome").select_option("equipment")
    seen.confirm("Say so")
    assert demo.get(f"/v1/proposals/{proposal}")["state"] == "failed"


def test_readings_are_handed_in_row_by_row_then_retracted_and_restored(visit, demo, campaign):
    film = made(demo, campaign)
    table = ["film_id,device,property,unit,value,measured_at"]
    table += [f"{film},{k},hardness,{unit},{k + 4},2026-03-01T12:00:00Z" for k, unit in enumerate(["GPa", "kg", "GPa"])]
    seen = visit(f"/campaigns/{campaign}/data")
    form = seen.page.locator("#upload")
    form.get_by_label("Instrument").fill("indenter")
    file = {"name": "readings.csv", "mimeType": "text/csv", "buffer": "\n".join(table).encode()}
    form.get_by_label("File").set_input_files([file])
    expect(form.locator(".errors")).to_contain_text("Row 2:")
    expect(form.locator("#upload-store")).to_be_disabled()
    assert demo.get(f"/v1/campaigns/{campaign}")["revision"] == 0
    form.get_by_label("Leave bad rows out").check()
    expect(form.locator("#upload-store")).to_be_enabled()
    form.locator("#upload-store").click()
    expect(seen.page.locator("#readings tbody tr")).to_have_count(2)
    dataset = demo.get(f"/v1/campaigns/{campaign}/dataset")
    assert sorted(row["value"] for row in dataset["rows"]) == [4.0, 6.0]

    seen.page.locator("[data-reading]").first.check()
    seen.press("Retract chosen")
    seen.page.locator("#retract-ids").get_by_label("Why").fill("wrong load cell")
    seen.confirm("Retract")
    assert len(demo.get(f"/v1/campaigns/{campaign}/dataset")["rows"]) == 1
    expect(seen.page.locator("tr.retracted")).to_have_count(1)
    seen.press("Let them count again")
    seen.page.locator("#reverse").get_by_label("Why").fill("it was right")
    seen.confirm("Let them count again")
    assert len(demo.get(f"/v1/campaigns/{campaign}/dataset")["rows"]) == 2
    seen.press("Retract…")
    seen.page.locator("#retract").get_by_label("Why").fill("broken film")
    seen.confirm("Retract")
    assert demo.get(f"/v1/campaigns/{campaign}/dataset")["rows"] == []


def test_data_are_filtered_and_taken_away(visit, demo):
    seen = visit(f"/campaigns/{demo.campaign}/data")
    whole = seen.page.locator("#readings tbody tr").count()
    seen.page.locator('#readings [name="film"]').select_option(label="Film 2")
    seen.press("Show")
    seen.page.wait_for_url("**film=flm_*")
    assert 0 < seen.page.locator("#readings tbody tr").count() < whole
    with seen.page.expect_download() as download:
        seen.page.get_by_role("link", name="CSV").first.click()
    assert b"magnetisation" in Path(download.value.path()).read_bytes()


def test_the_configuration_is_changed(visit, demo, campaign):
    seen = visit(f"/campaigns/{campaign}/configuration")
    seen.press("Change")
    dialog = seen.page.locator("#change")
    dialog.get_by_label("Budget, films").fill("7")
    dialog.get_by_label("Policy").select_option("space_filling")
    dialog.get_by_role("button", name="Put in force").click()
    expect(seen.page.locator("h2").first).to_contain_text("Configuration 2")
    now = demo.get(f"/v1/campaigns/{campaign}")
    assert (now["budget"]["films"], now["problem"]["policy"]["name"]) == (7, "space_filling")
    assert now["problem"]["film"] == demo.get(f"/v1/campaigns/{campaign}/configurations/1")["problem"]["film"]


@pytest.mark.parametrize("blueprint", ["demo", "alloy", "oxide"])
def test_a_campaign_is_begun_from_a_blueprint(visit, demo, blueprint):
    seen = visit(f"/new?from={blueprint}")
    expect(seen.page.locator("#verdict")).to_have_text("This is a campaign that can be made.")
    seen.page.get_by_label("Name").fill(f"mine, {blueprint}")
    draft = json.loads(seen.page.locator("#json").input_value())
    seen.press("Create campaign")
    seen.page.wait_for_url("**/campaigns/cmp_*")
    made = demo.get(f"/v1/campaigns/{seen.page.url.rsplit('/', 1)[1]}")
    assert (made["name"], made["state"]) == (f"mine, {blueprint}", "active")
    assert made["problem"]["space"]["elements"] == draft["problem"]["space"]["elements"]
    assert made["budget"]["films"] == draft["budget"]["films"]
    demo.post(f"/v1/campaigns/{made['id']}/actions", {"action": "abort"})


def test_a_campaign_that_cannot_be_made_says_where_it_is_wrong(visit):
    seen = visit("/new?from=alloy")
    expect(seen.page.locator("#verdict")).to_have_text("This is a campaign that can be made.")
    seen.page.locator('[data-rows="elements"] [data-field="upper"]').first.fill("2")
    expect(seen.page.locator("#faults")).to_contain_text("/problem/space")
    seen.page.locator("#json").fill("{")
    expect(seen.page.locator("#faults")).to_contain_text("This is not JSON")


def test_keys_are_made_replaced_and_revoked(visit, demo):
    seen = visit("/keys")
    seen.press("New key")
    dialog = seen.page.locator("#make")
    dialog.get_by_label("Name").fill("sputter-7")
    dialog.get_by_label("Role").select_option(index=1)
    dialog.get_by_role("button", name="Make it").click()
    expect(seen.page.locator("#secret-text")).to_contain_text("flp_")
    secret = seen.page.locator("#secret-text").inner_text()
    found = demo.get(f"/v1/keys/{secret.split('_')[1]}")
    assert (found["name"], found["scopes"]) == ("sputter-7", list(ROLES["robot"]))
    seen.page.get_by_role("link", name="I have kept it").click()
    seen.page.locator("tr", has_text=found["id"]).get_by_role("button", name="Revoke").click()
    seen.page.locator("#revoke").get_by_role("button", name="Revoke").click()
    expect(seen.page.locator("tr", has_text=found["id"])).to_contain_text("revoked")
    assert demo.get(f"/v1/keys/{found['id']}")["state"] == "revoked"
    seen.go("/audit")
    expect(seen.page.locator("main")).to_contain_text("revoke_key")


def test_a_key_that_a_browser_cannot_copy_is_chosen_for_the_hand(visit):
    """Beyond this machine, plain http gives a page no clipboard."""
    seen = visit("/login")
    seen.page.add_init_script("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    seen.go("/keys")
    seen.press("New key")
    dialog = seen.page.locator("#make")
    dialog.get_by_label("Name").fill("by hand")
    dialog.get_by_role("button", name="Make it").click()
    seen.page.get_by_role("button", name="Copy", exact=True).click()
    expect(seen.page.locator("#secret-copy")).to_have_text("Not copied: press Ctrl-C")
    chosen = seen.page.evaluate("getSelection().toString()").strip()
    assert chosen == seen.page.locator("#secret-text").inner_text()
    assert chosen.startswith("flp_")
