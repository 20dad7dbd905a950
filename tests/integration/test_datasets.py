"""Datasets over HTTP: numbered, hashed, and never changed once a revision was read."""

import numpy as np
from sqlalchemy import select

from models.problem import Problem
from service.store import datasets
from service.store.snapshots import stored_hash
from service.store.tables import RevisionRow
from tests.integration.conftest import DEVICES, PROBLEM
from tests.integration.test_bad_input import check_problem


def dataset(api, campaign, revision=None, **given):
    query = "" if revision is None else f"?revision={revision}"
    return api.get(f"/v1/campaigns/{campaign}/dataset{query}", **given)


def test_the_empty_dataset_is_revision_0(api, lab):
    campaign = lab.campaign()
    body = dataset(api, campaign).json()
    assert (body["revision"], body["rows"], body["campaign_id"]) == (0, [], campaign)
    assert body["columns"] == ["Fe", "Ga", "Pd", "anneal_c"]


def test_a_row_says_where_it_comes_from(api, lab, reading):
    campaign = lab.campaign()
    film = lab.film(campaign)
    api.measure(campaign, [reading(film, 1, uid="a")])
    (row,) = dataset(api, campaign).json()["rows"]
    assert row.pop("id").startswith("msr_")
    assert [row] == [
        {
            "calibration_id": None,
            "uid": "a",
            "film_id": film,
            "device": 1,
            "position": 0.25,
            "composition": {"Fe": 0.75, "Ga": 0.25, "Pd": 0.0},
            "process": {"anneal_c": 450.0},
            "property": "magnetisation",
            "unit": "emu/cm3",
            "value": 101.0,
            "std_uncertainty": 0.5,
            "replicates": None,
            "raw_value": None,
            "raw_unit": None,
            "raw_std_uncertainty": None,
            "status": "ok",
            "instrument": "squid",
            "measured_at": "2026-03-01T12:00:00.000000Z",
            "revision": 1,
        }
    ]


def test_a_past_revision_stays_as_it_was(api, lab, reading):
    campaign = lab.campaign()
    film = lab.film(campaign)
    api.measure(campaign, [reading(film, 0)])
    first = dataset(api, campaign)
    api.measure(campaign, [reading(film, 1)])
    newest = dataset(api, campaign)
    assert (newest.json()["revision"], len(newest.json()["rows"])) == (2, 2)
    assert newest.headers["etag"] != first.headers["etag"]
    again = dataset(api, campaign, 1)
    assert again.content == first.content
    assert again.headers["etag"] == first.headers["etag"]
    assert "immutable" in again.headers["cache-control"]
    assert newest.headers["cache-control"] == "no-cache"


def test_a_caller_that_has_the_snapshot_is_told_so(api, lab, reading):
    campaign = lab.campaign()
    film = lab.film(campaign)
    api.measure(campaign, [reading(film, 0)])
    etag = dataset(api, campaign).headers["etag"]
    for tags in (etag, f'"other", W/{etag}', "*"):
        same = dataset(api, campaign, headers={"If-None-Match": tags})
        assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", etag)
    assert dataset(api, campaign, headers={"If-None-Match": '"other"'}).status_code == 200
    api.measure(campaign, [reading(film, 1)])
    assert dataset(api, campaign, headers={"If-None-Match": etag}).status_code == 200
    assert dataset(api, campaign, 1, headers={"If-None-Match": etag}).status_code == 304


def test_the_hash_is_kept_when_it_is_first_read(api, lab, reading):
    campaign = lab.campaign()
    api.measure(campaign, [reading(lab.film(campaign), 0)])
    query = select(RevisionRow.snapshot_hash).where(RevisionRow.campaign_id == campaign, RevisionRow.number == 1)
    with lab.sessions() as session:
        assert session.execute(query).scalar_one() is None
    served = dataset(api, campaign).json()["snapshot_hash"]
    with lab.sessions() as session:
        assert session.execute(query).scalar_one() == served
        rows = datasets.snapshot(session, campaign, 1)
    assert datasets.hash_of(rows) == served


def test_the_hash_depends_on_content_and_not_on_order(api, lab, reading):
    campaign = lab.campaign()
    film = lab.film(campaign)
    api.measure(campaign, [reading(film, k, uid=f"u{k}") for k in range(4)])
    with lab.sessions() as session:
        rows = datasets.snapshot(session, campaign, 1)
    assert datasets.hash_of(rows[::-1]) == datasets.hash_of(rows)
    assert datasets.hash_of(rows[1:]) != datasets.hash_of(rows)


def test_pages_are_the_dataset_cut_up(api, lab, reading):
    campaign = lab.campaign()
    film = lab.film(campaign)
    for batch in range(3):
        rows = [reading(film, k % 5, uid=f"{batch} ü/{k}", value=float(k)) for k in range(7)]
        api.measure(campaign, rows, instrument="ab"[batch % 2])
    whole = dataset(api, campaign).json()
    assert (len(whole["rows"]), whole["next"]) == (21, None)
    assert [r["revision"] for r in whole["rows"]] == [1] * 7 + [2] * 7 + [3] * 7
    path, seen, query = f"/v1/campaigns/{campaign}/dataset", [], {"limit": 4, "revision": 3}
    while True:
        page = api.get(path, params=query).json()
        assert page["snapshot_hash"] == whole["snapshot_hash"]
        seen += page["rows"]
        api.measure(campaign, [reading(film, 0)])  # what comes meanwhile belongs to later revisions
        if page["next"] is None:
            break
        query["after"] = page["next"]
    assert seen == whole["rows"]


def test_a_page_that_is_none_is_refused(api, lab):
    campaign = lab.campaign()
    for after in ("x", "AAAA", "OTk5OTk5OTk5OTkgYQ", "MSAA"):
        check_problem(api.get(f"/v1/campaigns/{campaign}/dataset?after={after}"), 422, [after])


def test_the_hash_from_the_database_is_that_of_the_rows(api, lab, reading):
    campaign = lab.campaign()
    films = [lab.film(campaign), lab.film(campaign)]
    for instrument in ("squid", "Möke", "ångström", "a b"):
        uids = [f"{u}{k}" for k, u in enumerate(("b", "B", "é", "a-1", "a 1", "😀", "a_1", "ß", "Z"))]
        rows = [reading(films[k % 2], k % 5, uid=uid, value=float(k)) for k, uid in enumerate(uids)]
        api.measure(campaign, rows, instrument=instrument)
    with lab.sessions() as session:
        rows = datasets.snapshot(session, campaign, 4)
        assert datasets.hash_of(rows) == stored_hash(session, campaign, 4)
    assert len(rows) == 36


def test_a_revision_to_come_is_not_found(api, lab):
    campaign = lab.campaign()
    response = dataset(api, campaign, 1)
    assert response.status_code == 404
    assert campaign in response.json()["detail"]
    assert "'1'" in response.json()["detail"]


def test_a_composition_that_becomes_known_later_is_a_new_revision(api, lab, reading):
    campaign = lab.campaign()
    lab.proposal(campaign)
    lease = api.post(f"/v1/campaigns/{campaign}/claims", json={"robot": "r"}).json()["lease"]
    token = {"Lease-Token": lease["token"]}
    film = api.post(f"/v1/leases/{lease['id']}/start", headers=token).json()["film_id"]
    api.measure(campaign, [reading(film, 0, uid="a")])
    before = dataset(api, campaign)
    body = {"outcome": "ok", "compositions": [{"Fe": 0.9, "Ga": 0.1}] * DEVICES}
    assert api.post(f"/v1/leases/{lease['id']}/complete", json=body, headers=token).is_success
    after = dataset(api, campaign).json()
    assert (after["revision"], after["rows"][0]["composition"]["Ga"]) == (2, 0.1)
    assert after["snapshot_hash"] != before.json()["snapshot_hash"]
    assert dataset(api, campaign, 1).content == before.content
    assert before.json()["rows"][0]["composition"]["Ga"] == 0.0


def test_the_science_gets_arrays(api, lab, reading):
    campaign = lab.campaign()
    film = lab.film(campaign)
    dead = reading(film, 4, value=..., std_uncertainty=..., status="dead")
    saturated = reading(film, 2, std_uncertainty=..., status="above_limit")
    api.measure(campaign, [reading(film, 1, replicates=4), saturated, dead, dead | {"uid": "again"}])
    problem = Problem.model_validate(PROBLEM)
    with lab.sessions() as session:
        arrays = datasets.to_dataset(problem, datasets.snapshot(session, campaign, 1))
        nothing = datasets.to_dataset(problem, datasets.snapshot(session, campaign, 0))
    order = np.argsort(arrays.Y[:, 0])
    points = [[0.75, 0.25, 0.0, 0.5], [0.5, 0.5, 0.0, 0.5], [0.0, 1.0, 0.0, 0.5]]
    np.testing.assert_allclose(arrays.X[order], points, atol=1e-12)
    np.testing.assert_array_equal(arrays.Y[order], [[101.0], [102.0], [np.nan]])
    np.testing.assert_array_equal(arrays.Yvar[order], [[0.25], [np.nan], [np.nan]])
    np.testing.assert_array_equal(arrays.positions[order], [0.25, 0.5, 1.0])
    np.testing.assert_array_equal(arrays.replicates[order], [[4], [1], [1]])
    np.testing.assert_array_equal(arrays.censored[order], [[0], [1], [0]])
    np.testing.assert_array_equal(arrays.dead[order], [False, False, True])
    assert set(arrays.films) == {film}
    assert (nothing.X.shape, nothing.Y.shape) == ((0, 4), (0, 1))
