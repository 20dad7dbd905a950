"""Files of a campaign over HTTP, and a campaign brought back from one."""

import csv
import io
import zipfile

import pyarrow.parquet as pq
import pytest

from service.app import create_app
from service.settings import DatabaseSettings, Settings
from tests.integration.conftest import Api, reading, serving

NAME = '=HYPERLINK("x")'


@pytest.fixture
def measured(api, lab):
    campaign = lab.campaign()
    film = lab.film(campaign)
    rows = [reading(film, k, value=0.1 + 0.2 * k, uid=f"r{k}") for k in range(5)]
    assert api.measure(campaign, rows, instrument=NAME).status_code == 201
    assert api.measure(campaign, [reading(film, 0, value=-3.5)]).status_code == 201
    return f"/v1/campaigns/{campaign}"


def table(answer):
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.text, newline="")))


def test_the_dataset_as_csv_and_parquet(api, measured):
    answer = api.get(f"{measured}/exports/dataset")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"].endswith('-dataset.csv"')
    rows = table(answer)
    assert [float(r["value"]) for r in rows] == [0.1, 0.1 + 0.2, 0.5, 0.1 + 0.2 * 3, 0.9, -3.5]
    assert (rows[0]["instrument"], rows[-1]["value"]) == (f"'{NAME}", "-3.5")
    assert [r["x_Ga"] for r in rows[:2]] == ["0.0", "0.25"]
    assert rows[0]["process_anneal_c"] == "450.0"
    parquet = pq.read_table(io.BytesIO(api.get(f"{measured}/exports/dataset?format=parquet").content))
    assert parquet["value"].to_pylist() == [float(r["value"]) for r in rows]
    assert parquet["instrument"].to_pylist()[0] == NAME
    assert len(table(api.get(f"{measured}/exports/dataset?revision=1"))) == 5
    assert table(api.get(f"{measured}/exports/dataset?revision=0")) == []
    assert api.get(f"{measured}/exports/dataset?revision=9").status_code == 404
    assert api.get("/v1/campaigns/cmp_none/exports/dataset").status_code == 404
    assert api.get(f"{measured}/exports/dataset?format=xls").status_code == 422


def test_films_and_proposals(api, measured):
    devices = table(api.get(f"{measured}/exports/films"))
    assert [d["proposed_Ga"] for d in devices] == ["0.0", "0.25", "0.5", "0.75", "1.0"]
    (proposal,) = table(api.get(f"{measured}/exports/proposals"))
    assert (proposal["a_Fe"], proposal["b_Ga"], proposal["film_id"]) == ("1.0", "1.0", devices[0]["film_id"])


@pytest.fixture
def elsewhere(server_url, template, tmp_path):
    """Another service with a database of its own."""
    from tests.conftest import _database  # noqa: PLC0415

    found = _database(server_url, template)
    other = Settings(database=DatabaseSettings(url=next(found)), data_dir=tmp_path / "other")
    with serving(create_app(other)) as client:
        yield Api(client)
    next(found, None)


def test_a_campaign_is_taken_elsewhere(api, measured, settings, elsewhere):
    archive = api.get(f"{measured}/exports/archive")
    assert archive.headers["content-type"] == "application/zip"
    assert not list(settings.exports_dir.iterdir())
    with zipfile.ZipFile(io.BytesIO(archive.content)) as whole:
        assert "ro-crate-metadata.json" in whole.namelist()
    sent = {"content": archive.content, "headers": {"Content-Type": "application/zip"}}
    assert api.post("/v1/campaign-imports", **sent).status_code == 409
    there = elsewhere
    imported = there.post("/v1/campaign-imports", "k", **sent)
    assert imported.status_code == 201, imported.text
    assert imported.headers["Location"] == measured
    assert imported.json()["state"] == "paused"
    assert there.post("/v1/campaign-imports", "k", **sent).headers["Idempotency-Replayed"] == "true"
    here, elsewhere = (a.get(f"{measured}/dataset").json() for a in (api, there))
    assert here == elsewhere
    graphs = [a.get(f"{measured}/lineage").json() for a in (api, there)]
    assert graphs[0] == graphs[1]
    broken = sent | {"content": archive.content[: len(archive.content) // 2]}
    assert there.post("/v1/campaign-imports", **broken).status_code == 422
    assert there.post("/v1/campaign-imports", json={"not": "a zip"}).status_code == 422


def test_a_recipe_for_the_sputter_tool(api, measured):
    (proposal,) = api.get(f"{measured}/proposals").json()["items"]
    path = f"/v1/proposals/{proposal['id']}/recipe"
    fe, ga = table(api.get(f"{path}?rate=Fe:0.5&rate=Ga:0.25&dose=60"))
    assert (fe["element"], float(fe["time_a"]), float(fe["time_b"]), float(fe["wedge"])) == ("Fe", 120.0, 0.0, -120.0)
    assert (ga["element"], float(ga["time_a"]), float(ga["time_b"]), float(ga["wedge"])) == ("Ga", 0.0, 240.0, 240.0)
    assert [(row["time_a"], row["fraction_a"]) for row in table(api.get(path))] == [("", "1.0"), ("", "0.0")]
    refused = api.get(f"{path}?rate=Fe:0.5&rate=Cu:1")
    assert refused.status_code == 422
    assert "the rate of Ga is missing" in refused.json()["detail"]
    assert "Cu is no element" in refused.json()["detail"]
    for wrong in ("rate=Fe", "rate=Fe:x", "rate=Fe:0", "rate=Fe:inf", "dose=0", "rate=Fe:1&rate=Fe:2"):
        assert api.get(f"{path}?{wrong}").status_code == 422, wrong
    assert api.get("/v1/proposals/prp_none/recipe").status_code == 404
