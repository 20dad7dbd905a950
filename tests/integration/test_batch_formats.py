"""The same readings as JSON, NDJSON, CSV and Parquet, packed or not: the same checks, the same record."""

import gzip
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import URL, select

from service.app import create_app
from service.settings import DatabaseSettings, Settings
from service.store.tables import MeasurementBatchRow, MeasurementRow
from tests.conftest import _database
from tests.integration.conftest import Api, serving
from tests.integration.test_bad_input import check_problem

NDJSON = "application/x-ndjson"
CSV = "text/csv"
PARQUET = "application/vnd.apache.parquet"

GZIP_CUT = gzip.compress(b"film_id,device\nx,1\n" * 99)[:-9]


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


def upload(api, campaign, body, media_type, *, key=None, packed=False, **query):
    headers = {"Content-Type": media_type} | ({"Content-Encoding": "gzip"} if packed else {})
    query = {"instrument": "squid"} | query
    path = f"/v1/campaigns/{campaign}/measurement-batches"
    content = gzip.compress(body) if packed else body
    given = {k: v for k, v in query.items() if v is not ...}
    return api.post(path, key, content=content, headers=headers, params=given, timeout=200)


def as_csv(rows, separator=","):
    fields = list(dict.fromkeys(k for row in rows for k in row))
    lines = [separator.join(fields)]
    lines += [separator.join("" if row.get(f) is None else str(row[f]) for f in fields) for row in rows]
    return "\r\n".join(lines).encode()


def as_ndjson(rows):
    return "\n".join(json.dumps(row) for row in rows).encode()


def as_parquet(rows, times=True):
    fields = list(dict.fromkeys(k for row in rows for k in row))
    columns = {f: [row.get(f) for row in rows] for f in fields}
    if times:
        columns["measured_at"] = [datetime(2026, 3, 1, 12, tzinfo=UTC)] * len(rows)
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return file.getvalue()


WRITERS = {NDJSON: as_ndjson, CSV: as_csv, PARQUET: as_parquet}


def stored(lab, campaign):
    fields = ("film_id", "device", "uid", "property", "unit", "value", "status", "std_uncertainty", "replicates")
    more = ("raw_unit", "raw_value", "raw_std_uncertainty", "measured_at", "row_hash")
    query = select(MeasurementRow).where(MeasurementRow.campaign_id == campaign).order_by(MeasurementRow.uid)
    with lab.sessions() as session:
        return [tuple(getattr(row, f) for f in fields + more) for row in session.scalars(query)]


def rows_of(film, reading):
    return [
        reading(film, 0, uid="a"),
        reading(film, 1, uid="b", unit="A/m", value=123456.7, std_uncertainty=8.9),
        reading(film, 2, uid="c", value=None, std_uncertainty=None, status="dead"),
        reading(film, 3, uid="d", std_uncertainty=None, status="above_limit"),
        reading(film, 4, uid="e", replicates=3),
    ]


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("media_type", WRITERS)
def test_a_row_is_the_same_reading_in_every_format(api, lab, reading, media_type, packed):
    campaign = lab.campaign()
    film = lab.film(campaign)
    rows = rows_of(film, reading)
    assert api.measure(campaign, rows).status_code == 201
    as_json = stored(lab, campaign)
    body = WRITERS[media_type](rows)
    again = upload(api, campaign, body, media_type, packed=packed).json()
    assert (again["accepted"], again["duplicates"]) == (0, 5), again
    other = upload(api, campaign, body, media_type, packed=packed, instrument="moke")
    assert (other.status_code, other.json()["accepted"]) == (201, 5)
    assert sorted(stored(lab, campaign)) == sorted(as_json * 2)


def test_json_may_be_packed_too(api, lab, reading):
    campaign = lab.campaign()
    body = {"instrument": "squid", "measurements": [reading(lab.film(campaign), 0)]}
    answer = upload(
        api, campaign, json.dumps(body).encode(), "application/json", packed=True, instrument=..., key="once"
    )
    assert answer.status_code == 201
    plain = upload(api, campaign, json.dumps(body, indent=2).encode(), "application/json", instrument=..., key="once")
    assert plain.headers["idempotency-replayed"] == "true"


@pytest.mark.parametrize("media_type", WRITERS)
def test_bad_rows_are_named_alike_in_every_format(api, lab, reading, media_type):
    campaign = lab.campaign()
    film = lab.film(campaign)
    rows = [
        reading(film, 0),
        reading(film, 9),
        reading(film, 1, unit="T"),
        reading(film, 2, status="odd"),
        reading("flm_nowhere", 3),
        reading(film, 4, value=None),
        reading(film, 3, std_uncertainty=-0.5),
    ]
    before = lab.rows_by_table()
    problem = check_problem(upload(api, campaign, WRITERS[media_type](rows), media_type), 422, ["6 thing(s)"])
    places = [(e["row"], e["pointer"].removeprefix(f"/measurements/{e['row']}/")) for e in problem["errors"]]
    expected = {(1, "device"), (2, "unit"), (3, "status"), (4, "film_id"), (5, "value"), (6, "std_uncertainty")}
    assert set(places) == expected
    assert lab.rows_by_table() == before


@pytest.mark.parametrize("media_type", ["application/json", *WRITERS])
def test_good_rows_are_stored_without_the_bad_ones_if_that_is_wanted(api, lab, reading, media_type):
    campaign = lab.campaign()
    film = lab.film(campaign)
    api.measure(campaign, [reading(film, 0, uid="known"), reading(film, 1, uid="other", value=5.0)])
    rows = [
        reading(film, 0, uid="known"),
        reading(film, 1, uid="other"),
        reading(film, 2, uid="new"),
        reading(film, 3, uid="odd", status="odd"),
        reading(film, 9, uid="nowhere"),
        reading(film, 4, uid="new"),
    ]
    if media_type == "application/json":
        body = {"instrument": "squid", "measurements": rows}
        answer = upload(api, campaign, json.dumps(body).encode(), media_type, instrument=..., atomic="false")
    else:
        answer = upload(api, campaign, WRITERS[media_type](rows), media_type, atomic="false")
    assert answer.status_code == 201, answer.text
    receipt = answer.json()
    assert (receipt["accepted"], receipt["duplicates"], receipt["refused"]) == (1, 1, 4)
    results = receipt["results"]
    assert [r["row"] for r in results] == list(range(6))
    states = ["duplicate", "refused", "accepted", "refused", "refused", "refused"]
    assert [r["status"] for r in results] == states
    pointers = [[e["pointer"].rsplit("/", 1)[1] for e in r["errors"]] for r in results]
    assert pointers == [[], ["uid"], [], ["status"], ["device"], ["uid"]]
    assert [bool(r["measurement_id"]) for r in results] == [True, False, True, False, False, False]
    assert receipt["measurement_ids"] == [r["measurement_id"] for r in results]
    with lab.sessions() as session:
        assert session.get(MeasurementBatchRow, receipt["id"]).refused == 4
    assert len(stored(lab, campaign)) == 3


@pytest.mark.parametrize("atomic", ["true", "false"])
def test_a_dry_run_tells_all_and_writes_nothing(api, lab, reading, atomic):
    campaign = lab.campaign()
    film = lab.film(campaign)
    rows = [reading(film, 0, uid="a"), reading(film, 1, uid="b")]
    before = lab.rows_by_table()
    answer = upload(api, campaign, as_csv(rows), CSV, key="k", validate_only="true", atomic=atomic)
    assert answer.status_code == 200
    assert (answer.json()["id"], answer.json()["accepted"], answer.json()["measurement_ids"]) == (None, 2, [None, None])
    assert lab.rows_by_table() == before
    assert upload(api, campaign, as_csv(rows), CSV, key="k").status_code == 201  # the key is still free
    rows.append(reading(film, 9))
    before = lab.rows_by_table()
    bad = upload(api, campaign, as_csv(rows), CSV, validate_only="true", atomic=atomic)
    if atomic == "true":
        check_problem(bad, 422, ["device 9"])
    else:
        told = [r["status"] for r in bad.json()["results"]]
        assert (bad.status_code, told) == (200, ["duplicate", "duplicate", "refused"])
    assert lab.rows_by_table() == before


def test_the_same_upload_twice_is_one_batch_and_another_under_its_key_is_refused(api, lab, reading):
    campaign = lab.campaign()
    film = lab.film(campaign)
    first = upload(api, campaign, as_csv([reading(film, 0)]), CSV, key="once")
    again = upload(api, campaign, as_csv([reading(film, 0)]), CSV, key="once", packed=True)
    assert (first.content, again.headers["idempotency-replayed"]) == (again.content, "true")
    for other in (
        upload(api, campaign, as_csv([reading(film, 1)]), CSV, key="once"),
        upload(api, campaign, as_csv([reading(film, 0)]), CSV, key="once", instrument="moke"),
        upload(api, campaign, as_csv([reading(film, 0)]), CSV, key="once", atomic="false"),
    ):
        check_problem(other, 422, ["Idempotency-Key"])
    assert len(stored(lab, campaign)) == 1


def test_fifty_thousand_rows_are_taken_at_once_and_no_more(api, lab, reading):
    campaign = lab.campaign()
    film = lab.film(campaign)
    row = reading(film, 1)
    table = pa.Table.from_pylist([row])
    columns = {name: table.column(name).to_pylist() * 50_001 for name in table.column_names}
    columns["uid"] = [f"u{k}" for k in range(50_001)]
    before = lab.rows_by_table()["measurement"]
    for count, status in ((50_001, 422), (50_000, 201)):
        file = io.BytesIO()
        pq.write_table(pa.table({k: v[:count] for k, v in columns.items()}), file)
        answer = upload(api, campaign, file.getvalue(), PARQUET, atomic="false")
        assert answer.status_code == status, answer.text[:500]
    receipt = answer.json()
    assert (receipt["accepted"], receipt["measurement_ids"], receipt["results"]) == (50_000, [], [])
    assert lab.rows_by_table()["measurement"] - before == 50_000


REFUSED = {
    "no instrument": (CSV, b"film_id,device\nx,1\n", {"instrument": ...}, 422, ["'instrument'", CSV]),
    "JSON with instrument": ("application/json", b"{}", {}, 422, ["'instrument'"]),
    "unknown column": (CSV, b"film_id,colour\nx,red\n", {}, 422, ["'colour'", "measured_at"]),
    "no rows": (CSV, b"film_id,device\n\n", {}, 422, ["1 to 50000", "0"]),
    "nothing": (CSV, b"", {}, 422, ["1 to 50000", "0"]),
    "UTF-16": (CSV, "film_id".encode("utf-16"), {}, 400, ["UTF-8"]),
    "Latin-1": (CSV, "film_id,unit\nx,\xb5V\n".encode("latin-1"), {}, 400, ["byte 15", "0xb5"]),
    "unclosed quote": (CSV, b'film_id,device\n"x,1\n', {}, 400, ["line"]),
    "no Parquet": (PARQUET, b"PAR1 nothing", {}, 400, ["Parquet"]),
    "no media type": ("text/plain", b"film_id", {}, 415, ["text/plain", "application/json"]),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED.keys())
def test_a_body_that_cannot_be_read_is_refused(api, lab, case):
    media_type, body, query, status, named = case
    campaign = lab.campaign()
    before = lab.rows_by_table()
    check_problem(upload(api, campaign, body, media_type, **query), status, named)
    assert lab.rows_by_table() == before


def test_a_bomb_is_refused_before_it_is_unpacked(api, lab):
    campaign = lab.campaign()
    before = lab.rows_by_table()
    bomb = gzip.compress(b"x" * (33 << 20))
    assert len(bomb) < 100_000
    path = f"/v1/campaigns/{campaign}/measurement-batches?instrument=squid"
    for media_type, bound in ((CSV, "33554432"), ("application/json", "8388608")):
        headers = {"Content-Type": media_type, "Content-Encoding": "gzip"}
        check_problem(api.post(path, content=bomb, headers=headers), 413, [bound])
    assert lab.rows_by_table() == before


@pytest.mark.parametrize(
    ("encoding", "body", "status", "named"),
    [
        pytest.param("gzip", b"film_id", 400, ["gzip"], id="not gzip"),
        pytest.param("gzip", GZIP_CUT, 400, ["end is missing"], id="gzip cut off"),
        pytest.param("br", b"film_id", 415, ["'br'", "gzip"], id="another encoding"),
    ],
)
def test_what_is_packed_wrongly_is_refused(api, lab, *, encoding, body, status, named):
    campaign = lab.campaign()
    headers = {"Content-Type": CSV, "Content-Encoding": encoding}
    path = f"/v1/campaigns/{campaign}/measurement-batches?instrument=squid"
    check_problem(api.post(path, content=body, headers=headers), status, named)


def test_the_document_tells_every_format(api):
    described = api.get("/openapi.json").json()
    call = described["paths"]["/v1/campaigns/{campaign_id}/measurement-batches"]["post"]
    assert set(call["requestBody"]["content"]) == {"application/json", NDJSON, CSV, PARQUET}
    assert {"200", "201", "400", "404", "409", "413", "415", "422", "503"} <= set(call["responses"])
    reference = call["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    assert reference.rsplit("/", 1)[1] in described["components"]["schemas"]
