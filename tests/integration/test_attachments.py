"""Spectra and patterns over HTTP: kept compactly, listed, and returned bit for bit."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from sqlalchemy import URL, func, select, update

from service.app import create_app
from service.settings import DatabaseSettings, Settings
from service.store.tables import ArrayRow
from tests.conftest import _database
from tests.integration.conftest import PROBLEM, Api, serving
from tests.integration.test_bad_input import check_problem

TIME = "2026-03-02T12:00:00Z"
RNG = np.random.default_rng(5)


@pytest.fixture(scope="module")
def database_url(server_url: URL, template: str) -> Iterator[str]:
    """One database for all of these tests; each has a campaign of its own."""
    with contextmanager(_database)(server_url, template) as url:
        yield url


@pytest.fixture(scope="module")
def api(database_url: str) -> Iterator[Api]:
    """One server for all of these tests."""
    with serving(create_app(Settings(database=DatabaseSettings(url=database_url)))) as client:
        yield Api(client)


def encoded(array):
    return {"dtype": array.dtype.name, "base64": base64.b64encode(array.tobytes()).decode()}


def written(array):
    return {"dtype": array.dtype.name, "values": [float(x) for x in array]}


def decoded(part):
    if part["values"] is not None:
        return np.array(part["values"]).astype(part["dtype"])
    return np.frombuffer(base64.b64decode(part["base64"]), dtype=part["dtype"])


def pattern(film, data, axes, **said):
    given = {
        "film_id": film,
        "device": 1,
        "kind": "diffraction_pattern",
        "label": "theta-2theta",
        "unit": "counts",
        "axes": axes,
        "data": data,
        "measured_at": TIME,
    } | said
    return {k: v for k, v in given.items() if v is not ...}


def angle(array, how=written):
    return {"name": "two_theta", "unit": "deg", **how(array)}


def post(api, campaign, given, key=None):
    body = {"instrument": "xrd", "attachments": given}
    return api.post(f"/v1/campaigns/{campaign}/attachments", key, json=body)


def whole(api, attachment, encoding):
    return api.get(f"/v1/attachments/{attachment}?encoding={encoding}").json()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("how", [written, encoded])
def test_a_pattern_comes_back_bit_for_bit(api, lab, how, dtype):
    campaign = lab.campaign()
    film = lab.film(campaign)
    axis, counts = np.linspace(10.0, 90.0, 2001), RNG.lognormal(3.0, 5.0, 2001).astype(dtype)
    counts[:4] = [0.0, -0.0, np.finfo(dtype).smallest_subnormal, np.finfo(dtype).max]
    answer = post(api, campaign, [pattern(film, how(counts), [angle(axis, how)])])
    assert answer.status_code == 201, answer.text
    (attachment,) = answer.json()["attachment_ids"]
    for encoding in ("numbers", "base64"):
        read = whole(api, attachment, encoding)
        assert decoded(read["data"]).tobytes() == counts.tobytes()
        assert decoded(read["axes"][0]).tobytes() == axis.tobytes()
    shown = {k: read[k] for k in ("film_id", "device", "instrument", "kind", "label", "unit")}
    assert shown == {
        "film_id": film,
        "device": 1,
        "instrument": "xrd",
        "kind": "diffraction_pattern",
        "label": "theta-2theta",
        "unit": "counts",
    }
    assert (read["axes"][0]["name"], read["axes"][0]["unit"], read["axes"][0]["points"]) == ("two_theta", "deg", 2001)


def test_dead_pixels_need_bytes(api, lab):
    campaign = lab.campaign()
    image = RNG.normal(size=12).astype(np.float32)
    image[3] = np.nan
    axes = [{"name": n, "unit": "px", **written(np.arange(float(k)))} for n, k in (("y", 3), ("x", 4))]
    answer = post(api, campaign, [pattern(lab.film(campaign), encoded(image), axes, kind="image", device=...)])
    (attachment,) = answer.json()["attachment_ids"]
    read = whole(api, attachment, "base64")
    assert decoded(read["data"]).tobytes() == image.tobytes()
    assert (read["device"], [a["points"] for a in read["axes"]]) == (None, [3, 4])
    check_problem(api.get(f"/v1/attachments/{attachment}"), 422, ["base64"])


def test_an_axis_that_patterns_share_is_stored_once(api, lab):
    campaign = lab.campaign()
    film = lab.film(campaign)
    axis = RNG.normal(size=500)
    with lab.sessions() as session:
        before = session.execute(select(func.count()).select_from(ArrayRow)).scalar_one()
    given = [pattern(film, written(RNG.normal(size=500)), [angle(axis)], device=k) for k in range(5)]
    assert post(api, campaign, given).json()["accepted"] == 5
    with lab.sessions() as session:
        assert session.execute(select(func.count()).select_from(ArrayRow)).scalar_one() == before + 6


def test_what_was_sent_before_is_not_stored_again(api, lab):
    campaign = lab.campaign()
    film = lab.film(campaign)
    axis, counts = np.arange(4.0), RNG.normal(size=4)
    first = post(api, campaign, [pattern(film, written(counts), [angle(axis)])], key="k")
    assert post(api, campaign, [pattern(film, written(counts), [angle(axis)])], key="k").content == first.content
    again = post(api, campaign, [pattern(film, encoded(counts), [angle(axis)], device=..., position=0.25)] * 2).json()
    assert (again["accepted"], again["duplicates"]) == (0, 2)
    assert set(again["attachment_ids"]) == set(first.json()["attachment_ids"])
    other = post(api, campaign, [pattern(film, written(counts), [angle(axis)], label="rocking curve")]).json()
    assert (other["accepted"], other["duplicates"]) == (1, 0)


def test_attachments_are_listed_of_campaign_film_and_kind(api, lab):
    campaign = lab.campaign(problem=PROBLEM | {"film": {"devices": 5, "length_mm": 76.0}})
    films = [lab.film(campaign), lab.film(campaign, "failed")]
    axis = np.arange(3.0)
    for film in films:
        given = [pattern(film, written(RNG.normal(size=3)), [angle(axis)], device=k) for k in (0, 2)]
        given.append(
            pattern(film, written(RNG.normal(size=3)), [angle(axis)], device=..., position_mm=76.0, kind="spectrum")
        )
        post(api, campaign, given)

    def listed(**query):
        return api.get(f"/v1/campaigns/{campaign}/attachments", params=query).json()

    assert len(listed()["items"]) == 6
    assert {a["film_id"] for a in listed(film_id=films[0])["items"]} == {films[0]}
    assert [a["device"] for a in listed(kind="spectrum", film_id=films[0])["items"]] == [4]
    first = listed(limit=4)
    rest = listed(limit=4, after=first["next"])
    assert (len(first["items"]), len(rest["items"]), rest["next"]) == (4, 2, None)
    assert "data" not in first["items"][0]
    assert api.get(f"/v1/films/{films[0]}").json()["attachments"] == {"diffraction_pattern": 2, "spectrum": 1}
    assert api.get(f"/v1/campaigns/{campaign}").json()["revision"] == 0
    events = api.get(f"/v1/campaigns/{campaign}/events").json()["items"]
    assert [e["type"] for e in events] == ["attachments.recorded"] * 2


AXIS = {"name": "x", "unit": "nm", "values": [1.0, 2.0]}
BAD = {
    "too few numbers": ({"data": {"values": [1.0]}}, "data", ["1 values", "2 points"]),
    "unknown film": ({"film_id": "flm_nowhere"}, "film_id", ["flm_nowhere"]),
    "unknown device": ({"device": 9}, "device", ["0..4"]),
    "two places": ({"position": 0.25}, "device", ["both"]),
    "mm without a length": ({"device": None, "position_mm": 1.0}, "position_mm", ["length_mm"]),
    "neither": ({"data": {}}, "data", ["either values or base64"]),
    "no base64": ({"data": {"base64": "!"}}, "data", ["base64"]),
    "half a number": ({"data": {"base64": "AAAA"}}, "data", ["3 bytes", "float64"]),
    "beyond float32": ({"data": {"dtype": "float32", "values": [1e39, 1.0]}}, "data", ["too large", "float32"]),
    "another type": ({"data": {"dtype": "int8", "values": [1.0]}}, "data/dtype", ["float32", "int8"]),
    "no axis": ({"axes": []}, "axes", ["at least 1"]),
    "text": ({"data": {"values": ["1"]}}, "data/values/0", ["number"]),
}


@pytest.mark.parametrize("case", BAD.values(), ids=BAD.keys())
def test_a_bad_attachment_is_named_and_nothing_is_written(api, lab, case):
    fields, pointer, named = case
    campaign = lab.campaign()
    good = pattern(lab.film(campaign), {"values": [1.0, 2.0]}, [AXIS])
    before = lab.rows_by_table()
    problem = check_problem(post(api, campaign, [good, good | fields]), 422, named)
    assert [e["pointer"] for e in problem["errors"]] == [f"/attachments/1/{pointer}"]
    assert lab.rows_by_table() == before


def test_a_damaged_array_is_not_served(api, lab):
    campaign = lab.campaign()
    counts = RNG.normal(size=2)
    (attachment,) = post(api, campaign, [pattern(lab.film(campaign), written(counts), [AXIS])]).json()["attachment_ids"]
    sha256 = api.get(f"/v1/attachments/{attachment}").json()["sha256"]
    with lab.sessions.begin() as session:
        session.execute(update(ArrayRow).where(ArrayRow.sha256 == sha256).values(dtype="float32", size=4))
    check_problem(api.get(f"/v1/attachments/{attachment}"), 500, [sha256])


def test_what_is_not_there_is_not_found(api):
    check_problem(api.get("/v1/attachments/att_nowhere"), 404, ["att_nowhere"])
    check_problem(api.get("/v1/campaigns/cmp_nowhere/attachments"), 404, ["cmp_nowhere"])
