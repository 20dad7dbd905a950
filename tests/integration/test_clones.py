"""A campaign that begins with the configuration of another one."""

from tests.integration.conftest import PROBLEM

CONFIGURED = {
    "name": "wafer",
    "problem": PROBLEM,
    "queue_depth": 3,
    "budget": {"films": 7, "hours": 12.5},
    "lease": {"ttl_s": 60, "overdue_s": 3600},
}


def created(api):
    answer = api.post("/v1/campaigns", json=CONFIGURED)
    assert answer.status_code == 201, answer.text
    return answer.json()


def changed(api, campaign, **change):
    etag = api.get(f"/v1/campaigns/{campaign}").headers["ETag"]
    headers = {"If-Match": etag, "Idempotency-Key": "change"}
    assert api.client.patch(f"/v1/campaigns/{campaign}", json=change, headers=headers).status_code == 200


def test_a_clone_has_the_configuration_in_force_and_says_where_it_began(api, lab):
    original = created(api)
    changed(api, original["id"], problem={"policy": {"name": "mapping"}}, queue_depth=2)
    api.post(f"/v1/campaigns/{original['id']}/actions", json={"action": "activate"})
    answer = api.post(f"/v1/campaigns/{original['id']}/clones", json={"name": "again"})
    assert answer.status_code == 201, answer.text
    clone, original = answer.json(), api.get(f"/v1/campaigns/{original['id']}").json()
    for same in ("problem", "queue_depth", "budget", "lease"):
        assert clone[same] == original[same]
    assert clone["problem"]["policy"]["name"] == "mapping"
    assert (clone["state"], clone["revision"], clone["config_revision"]) == ("draft", 0, 1)
    assert clone["cloned_from"] == {"campaign_id": original["id"], "config_revision": 2}
    assert original["cloned_from"] is None
    assert answer.headers["Location"] == f"/v1/campaigns/{clone['id']}"
    assert api.get(answer.headers["Location"]).headers["ETag"] == answer.headers["ETag"]
    (event,) = api.get(f"/v1/campaigns/{clone['id']}/events").json()["items"]
    assert (event["type"], event["data"]["cloned_from"]) == ("campaign.created", clone["cloned_from"])


def test_a_clone_may_differ_even_in_what_the_original_cannot_change(api):
    original = created(api)
    changes = {"problem": {"space": {"elements": ["Fe", "Co"]}, "seed": 5}, "budget": {"films": 3}}
    clone = api.post(f"/v1/campaigns/{original['id']}/clones", json={"name": "Co", "changes": changes}).json()
    assert clone["problem"]["space"]["elements"] == ["Fe", "Co"]
    assert (clone["problem"]["seed"], clone["problem"]["film"]) == (5, original["problem"]["film"])
    assert (clone["budget"], clone["queue_depth"]) == ({"films": 3, "devices": None, "hours": None}, 3)


def test_a_clone_that_would_be_no_campaign_is_refused_and_nothing_stored(api, lab):
    original = created(api)
    before = lab.rows_by_table()
    path = f"/v1/campaigns/{original['id']}/clones"
    for changes in ({"problem": {"film": {"devices": 5, "grading": "pair", "span_min": 0.9, "span_max": 0.1}}},):
        answer = api.post(path, json={"name": "no", "changes": changes})
        assert answer.status_code == 422, answer.text
    unit = {"problem": {"objectives": [{"property": "hardness", "unit": "furlong per"}]}}
    assert api.post(path, json={"name": "no", "changes": unit}).status_code == 422
    assert api.post("/v1/campaigns/cmp_none/clones", json={"name": "no"}).status_code == 404
    assert lab.rows_by_table() == before


def test_the_same_key_makes_one_clone(api):
    original = created(api)
    path = f"/v1/campaigns/{original['id']}/clones"
    one, again = (api.post(path, key="once", json={"name": "twin"}) for _ in range(2))
    assert one.json() == again.json()
    assert len(api.get("/v1/campaigns").json()["items"]) == 2


def test_a_clone_and_a_new_campaign_may_begin_with_the_data_of_others(api, lab, reading):
    original = lab.campaign()
    api.measure(original, [reading(lab.film(original), k) for k in range(3)])
    source = [{"campaign_id": original, "name": "the first"}]
    clone = api.post(f"/v1/campaigns/{original}/clones", json={"name": "with data", "prior_data": source})
    assert clone.status_code == 201, clone.text
    assert (clone.json()["revision"], clone.json()["films_made"]) == (1, 0)
    fresh = api.post("/v1/campaigns", json=CONFIGURED | {"prior_data": source}).json()
    for campaign in (clone.json()["id"], fresh["id"]):
        (prior,) = api.get(f"/v1/campaigns/{campaign}/prior-data").json()["items"]
        assert (prior["name"], prior["rows"], prior["source"]["campaign_id"]) == ("the first", 3, original)
    wrong = api.post("/v1/campaigns", json=CONFIGURED | {"prior_data": [{"campaign_id": "cmp_none"}]})
    assert wrong.status_code == 422
    assert len(api.get("/v1/campaigns").json()["items"]) == 3
