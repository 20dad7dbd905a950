"""Readings from elsewhere: taken from a campaign or a file, part of every snapshot, apart from what was measured."""

import gzip
import io
import json
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import func, select

from service.operations.archive.pack import pack
from service.operations.archive.unpack import unpack
from service.operations.decisions import publish_decision
from service.store import datasets, jobs, retractions
from service.store.session import make_engine, make_sessions
from service.store.tables import PriorReadingRow, RevisionRow
from tests.integration.test_replays import PROBLEM as MODELLED
from workers import decide, replay

ELEMENTS = ("Fe", "Ga", "Pd")


class Record:
    """A campaign that may learn from elsewhere, and what the API says of it."""

    def __init__(self, api, lab):
        self.api, self.lab = api, lab
        self.id = lab.campaign()
        self.path = f"/v1/campaigns/{self.id}/prior-data"

    def take(self, **said):
        return self.api.post(self.path, json=said)

    def send(self, body, kind="application/json", **query):
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.api.post(f"{self.path}/files", content=content, headers={"Content-Type": kind}, params=query)

    def revision(self):
        return self.api.get(f"/v1/campaigns/{self.id}").json()["revision"]

    def dataset(self, revision=None):
        query = "" if revision is None else f"?revision={revision}"
        return self.api.get(f"/v1/campaigns/{self.id}/dataset{query}").json()

    def rows(self, prior):
        return self.api.get(f"/v1/prior-data/{prior}/rows").json()["items"]

    def events(self):
        return [e["type"] for e in self.api.get(f"/v1/campaigns/{self.id}/events").json()["items"]]


@pytest.fixture
def record(api, lab):
    return Record(api, lab)


def row(fe, **said):
    """A reading at Fe_x Ga_(1-x); `...` takes a field away."""
    given = {
        "composition": {"Fe": fe, "Ga": round(1.0 - fe, 6)},
        "property": "magnetisation",
        "unit": "emu/cm3",
        "value": 100.0 * fe,
        "process": {"anneal_c": 450.0},
    }
    return {k: v for k, v in (given | said).items() if v is not ...}


@pytest.fixture
def other(api, lab, reading):
    """Another campaign with five readings, one of them retracted, one of a dead device, and one that came late."""
    campaign = lab.campaign()
    film = lab.film(campaign)
    sent = [reading(film, k, uid=f"r{k}") for k in range(4)] + [
        reading(film, 4, value=None, std_uncertainty=..., status="dead")
    ]
    ids = api.measure(campaign, sent).json()["measurement_ids"]
    gone = api.post(f"/v1/campaigns/{campaign}/retractions", json={"ids": ids[:1], "reason": "spike"})
    assert gone.status_code == 201
    late = lab.film(campaign)
    api.measure(campaign, [reading(late, 0, uid="late", value=7.0, unit="kA/m")])
    return campaign


def test_what_another_campaign_has_read_is_taken_as_it_counts_there(record, other):
    answer = record.take(campaign_id=other, name="last spring")
    assert answer.status_code == 201, answer.text
    body = answer.json()
    prior = body["prior_data"]
    assert (body["revision"], body["rows"], body["left_out"]) == (1, 4, {"dead": 1})
    assert (prior["name"], prior["state"], prior["source"]["campaign_id"]) == ("last spring", "in_force", other)
    assert prior["source"]["revision"] == 3
    shown = record.rows(prior["id"])
    assert sorted(r["value"] for r in shown) == [7.0, 101.0, 102.0, 103.0]
    assert {r["unit"] for r in shown} == {"emu/cm3"}
    assert len({r["film"] for r in shown}) == 2
    past = record.take(campaign_id=other, revision=1).json()
    assert (past["rows"], past["prior_data"]["name"], past["revision"]) == (4, other, 2)
    assert sorted(r["value"] for r in record.rows(past["prior_data"]["id"])) == [100.0, 101.0, 102.0, 103.0]
    listed = record.api.get(record.path).json()["items"]
    assert [p["id"] for p in listed] == [prior["id"], past["prior_data"]["id"]]
    assert record.api.get(f"/v1/prior-data/{prior['id']}").json() == listed[0]
    assert record.events().count("prior_data.taken") == 2


def test_it_is_part_of_the_dataset_and_apart_from_what_was_measured(record, reading):
    first = record.send({"rows": [row(0.2), row(0.4, unit="kA/m", film="w1", position=0.5)]})
    assert first.status_code == 201, first.text
    assert record.api.get(f"/v1/campaigns/{record.id}").json()["films_made"] == 0
    film = record.lab.film(record.id)
    record.api.measure(record.id, [reading(film, 0)])
    now, before, empty = record.dataset(), record.dataset(1), record.dataset(0)
    assert [len(d["rows"]) for d in (now, before, empty)] == [1, 0, 0]
    assert [[p["rows"] for p in d["prior_data"]] for d in (now, before, empty)] == [[2], [2], []]
    assert len({d["snapshot_hash"] for d in (now, before, empty)}) == 3
    with record.lab.sessions() as session:
        head = datasets.head(session, record.id)
        rows = datasets.snapshot(session, record.id, 2)
        whole = datasets.whole(session, record.id, head.problem, 2, rows)
        assert whole.snapshot_hash == now["snapshot_hash"]
    prior = first.json()["prior_data"]["id"]
    data = whole.dataset
    assert (len(data.of_films()), len(data.prior()), set(data.prior().sources)) == (1, 2, {prior})
    assert sorted(set(data.prior().films)) == [f"{prior}/", f"{prior}/w1"]
    np.testing.assert_allclose(sorted(data.prior().Y[:, 0]), [20.0, 40.0])
    np.testing.assert_allclose(data.prior().X[:, :3].sum(1), 1.0)
    assert set(data.prior().X[:, 3]) == {0.5}


def test_withdrawn_they_do_not_count_until_they_are_reinstated(record):
    prior = record.send({"rows": [row(0.1), row(0.9)]}).json()["prior_data"]["id"]
    hashes = {1: record.dataset(1)["snapshot_hash"]}

    def post(what, reason="wrong lab"):
        return record.api.post(f"/v1/prior-data/{prior}/{what}", json={"reason": reason})

    assert post("reinstatement").status_code == 409
    gone = post("withdrawal")
    assert (gone.status_code, gone.json()["revision"]) == (200, 2)
    assert gone.json()["prior_data"]["state"] == "withdrawn"
    assert gone.json()["decision"]["wanted_revision"] == 2
    assert post("withdrawal").status_code == 409
    back = post("reinstatement", "it was the right one").json()
    assert (back["revision"], back["prior_data"]["state"]) == (3, "in_force")
    (told,) = back["prior_data"]["withdrawals"]
    assert (told["revision"], told["ended_revision"], told["reason"]) == (2, 3, "wrong lab")
    post("withdrawal", "no, it was not")
    assert [len(record.dataset(r)["prior_data"]) for r in range(5)] == [0, 1, 0, 1, 0]
    with record.lab.sessions() as session:
        assert retractions.resting_on_retracted(session, record.id, range(5)) == {1, 3}
    hashes |= {r: record.dataset(r)["snapshot_hash"] for r in (0, 2, 3, 4)}
    assert hashes[0] == hashes[2] == hashes[4] != hashes[1] == hashes[3]
    with record.lab.sessions() as session:
        causes = session.scalars(select(RevisionRow.cause).order_by(RevisionRow.number)).all()
    assert causes == ["created", "prior_data", "prior_withdrawal", "prior_reinstatement", "prior_withdrawal"]
    graph = record.api.get(f"/v1/campaigns/{record.id}/lineage").json()
    assert {"prior_data", "prior_withdrawal"} <= {n["kind"] for n in graph["nodes"]}
    assert {"source": prior, "target": "revision:1", "relation": "caused"} in graph["edges"]


def test_a_decision_on_withdrawn_data_does_not_come_into_force(record, loop):
    campaign = loop.campaign()
    record.id, record.path = campaign, f"/v1/campaigns/{campaign}/prior-data"
    made = {"anneal_c": 450.0, "substrate": "Si"}
    prior = record.send({"rows": [row(fe, process=made) for fe in (0.1, 0.9)]}).json()["prior_data"]["id"]
    decision = loop.take(campaign)
    assert decision.prior_data_ids == (prior,)
    assert publish_decision(loop.sessions, decision, None, loop.advice(1))
    (offered,) = record.api.get(f"/v1/campaigns/{campaign}/proposals").json()["items"]
    assert offered["provenance"]["prior_data"] == [prior]
    with loop.sessions.begin() as session:
        jobs.request(session, campaign, 1)
    thinking = loop.take(campaign)
    gone = record.api.post(f"/v1/prior-data/{prior}/withdrawal", json={"reason": "wrong lab"}).json()
    assert gone["superseded"] == [offered["id"]]
    assert not publish_decision(loop.sessions, thinking, None, loop.advice(1))
    overtaken = [
        e["data"]["why"]
        for e in record.api.get(f"/v1/campaigns/{campaign}/events").json()["items"]
        if e["type"] == "decision.overtaken"
    ]
    assert overtaken == ["prior data that it rests on were withdrawn"]


TABLE = """x_Fe;x_Ga;process_anneal_c;property;value [kA/m];std_uncertainty [kA/m];film
0,2;0,8;450;M;20,5;0,5;w1
0,4;0,6;500;M;40,25;;w1
"""


def parquet(**columns):
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return file.getvalue()


def test_every_form_of_a_file_says_the_same(record):
    as_rows = [
        row(0.2, property="M", value=20.5, unit="kA/m", std_uncertainty=0.5, film="w1"),
        row(0.4, property="M", value=40.25, unit="kA/m", process={"anneal_c": 500.0}, film="w1"),
    ]
    table = parquet(
        x_Fe=[0.2, 0.4],
        x_Ga=[0.8, 0.6],
        process_anneal_c=[450, 500],
        property=["M", "M"],
        unit=["kA/m", "kA/m"],
        value=[20.5, 40.25],
        std_uncertainty=[0.5, None],
        film=["w1", "w1"],
    )
    lines = "\n".join(json.dumps(r) for r in as_rows).encode()
    sent = [
        record.send({"rows": as_rows}, rename="M:magnetisation"),
        record.send(lines, "application/x-ndjson", rename="M:magnetisation"),
        record.send(TABLE.encode(), "text/csv", rename="M:magnetisation", name="table"),
        record.send(table, "application/vnd.apache.parquet", rename="M:magnetisation"),
    ]
    assert [s.status_code for s in sent] == [201] * 4, [s.text for s in sent]
    hashes = {s.json()["prior_data"]["hash"] for s in sent}
    assert len(hashes) == 1
    assert sent[2].json()["prior_data"]["name"] == "table"
    shown = record.rows(sent[2].json()["prior_data"]["id"])
    assert [(r["number"], r["raw_property"], r["property"]) for r in shown] == [
        (k, "M", "magnetisation") for k in (0, 1)
    ]
    packed = record.api.post(
        f"{record.path}/files",
        content=gzip.compress(lines),
        headers={"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"},
        params={"rename": "M:magnetisation"},
    )
    assert packed.json()["prior_data"]["hash"] in hashes


def test_units_are_the_campaigns_and_what_was_delivered_is_kept(record):
    (shown,) = record.rows(record.send({"rows": [row(0.5, unit="A/m", value=5000.0)]}).json()["prior_data"]["id"])
    assert (shown["value"], shown["unit"]) == (pytest.approx(5.0), "emu/cm3")
    assert (shown["raw_value"], shown["raw_unit"]) == (5000.0, "A/m")


@pytest.mark.parametrize(
    ("wrong", "pointer", "message"),
    [
        (row(0.5, unit="K"), "/rows/1/unit", "emu/cm3"),
        (row(0.5, composition={"Fe": 0.5}), "/rows/1/composition", "sum to 1"),
        (row(0.5, composition={"Fe": 0.5, "Cu": 0.5}), "/rows/1/composition", "Cu"),
        (row(0.5, property="colour"), "/rows/1/property", "colour"),
        (row(0.5, process={}), "/rows/1/process", "anneal_c"),
        (row(0.5, process={"anneal_c": 9000.0}), "/rows/1/process", "9000"),
        (row(0.5, value="much"), "/rows/1/value", "much"),
        (row(0.5, value=...), "/rows/1/value", "None"),
        (row(0.5, replicates=3), "/rows/1/std_uncertainty", "scatter"),
        (row(0.5, colour="red"), "/rows/1/colour", "not permitted"),
        ("no row", "/rows/1", "object"),
    ],
)
def test_one_bad_row_refuses_the_file_with_its_number(record, wrong, pointer, message):
    before = record.lab.rows_by_table()
    answer = record.send({"rows": [row(0.1), wrong, row(0.2)]})
    assert answer.status_code == 422, answer.text
    (fault,) = answer.json()["errors"]
    assert (fault["pointer"], fault["row"]) == (pointer, 1)
    assert message in fault["message"]
    assert record.lab.rows_by_table() == before


def test_rows_without_a_place_may_be_left_out_and_are_counted(record):
    rows = [
        row(0.1),
        row(0.5, composition={"Fe": 0.5, "Cu": 0.5}),
        row(0.6, composition={"Fe": 0.5, "Ga": 0.5, "Cu": 0.0}),
        row(0.5, property="colour"),
        row(0.5, process={}),
        row(0.5, status="dead", value=...),
    ]
    dry = record.send({"rows": rows}, unfit="leave_out", validate_only="true")
    assert (dry.status_code, dry.json()["prior_data"], record.revision()) == (200, None, 0)
    done = record.send({"rows": rows}, unfit="leave_out").json()
    counted = {"dead": 1, "elements": 1, "process": 1, "property": 1}
    assert (done["rows"], done["left_out"], dry.json()["left_out"]) == (2, counted, counted)
    filled = record.send({"rows": rows[:1] + rows[4:5]}, process="anneal_c:300").json()
    assert [r["process"] for r in record.rows(filled["prior_data"]["id"])] == [{"anneal_c": 450.0}, {"anneal_c": 300.0}]
    nothing = record.send({"rows": rows[1:2]}, unfit="leave_out")
    assert (nothing.status_code, "no row fits" in nothing.json()["detail"]) == (422, True)


def test_what_cannot_be_taken_from_a_campaign_is_refused(record, other, lab):
    foreign = lab.campaign(problem={**json.loads(json.dumps(MODELLED)), "space": {"elements": ["Fe", "Cu"]}})
    refusals = [
        (record.take(campaign_id=record.id), 422, "its own data"),
        (record.take(campaign_id="cmp_none"), 422, "no campaign"),
        (record.take(campaign_id=other, revision=99), 422, "at revision 3"),
        (record.take(campaign_id=other, properties={"x": "magnetisation"}), 422, "fit nothing"),
        (record.take(campaign_id=other, properties={"magnetisation": "x"}), 422, "fit nothing"),
        (record.take(campaign_id=foreign), 422, "no row fits"),
    ]
    for answer, status, message in refusals:
        assert (answer.status_code, message in answer.text) == (status, True), answer.text
    over = Record(record.api, lab)
    over.id = lab.campaign("completed")
    over.path = f"/v1/campaigns/{over.id}/prior-data"
    assert over.take(campaign_id=other).status_code == 409
    assert record.revision() == 0


def test_an_exported_table_can_be_handed_in_as_it_is(record, other):
    table = record.api.get(f"/v1/campaigns/{other}/exports/dataset")
    assert table.status_code == 200
    done = record.send(table.content, "text/csv", name="export")
    assert done.status_code == 201, done.text
    direct = record.take(campaign_id=other).json()["prior_data"]
    assert done.json()["rows"] == direct["rows"] == 4
    values = [sorted(r["value"] for r in record.rows(p)) for p in (done.json()["prior_data"]["id"], direct["id"])]
    assert values[0] == values[1]


def test_a_repeated_request_takes_them_once(record):
    body = json.dumps({"rows": [row(0.3)]}).encode()
    kind = {"Content-Type": "application/json"}
    first, again, other = (
        record.api.post(f"{record.path}/files", key="k", content=content, headers=kind)
        for content in (body, body, body.replace(b"0.3", b"0.4"))
    )
    assert first.json() == again.json()
    assert again.headers["Idempotency-Replayed"] == "true"
    assert other.status_code == 422
    with record.lab.sessions() as session:
        assert session.execute(select(func.count()).select_from(PriorReadingRow)).scalar_one() == 1


def test_rows_are_read_page_by_page(record):
    prior = record.send({"rows": [row(k / 10) for k in range(7)]}).json()["prior_data"]["id"]
    seen, after = [], ""
    while after is not None:
        page = record.api.get(f"/v1/prior-data/{prior}/rows?limit=3{after and f'&after={after}'}").json()
        seen += [r["number"] for r in page["items"]]
        after = page["next"]
    assert seen == list(range(7))


@pytest.fixture
def elsewhere(server_url, template, tmp_path):
    """Another database, and another folder of models."""
    from tests.conftest import _database  # noqa: PLC0415

    found = _database(server_url, template)
    engine = make_engine(next(found))
    yield make_sessions(engine), tmp_path / "elsewhere"
    engine.dispose()
    next(found, None)


def test_a_campaign_decides_from_prior_data_alone_replays_and_comes_back_the_same(api, sessions, settings, elsewhere):
    problem = {**MODELLED, "policy": {"name": "auto", "raw_films": 16, "restarts": 1}}
    created = api.post("/v1/campaigns", json={"name": "helped", "problem": problem}).json()["id"]
    path = f"/v1/campaigns/{created}"
    rows = [row(k / 8, process={"anneal_c": 300.0, "substrate": "Si"}, film=f"w{k % 2}") for k in range(9)]
    kind = {"Content-Type": "application/json"}
    taken = api.post(f"{path}/prior-data/files", content=json.dumps({"rows": rows}).encode(), headers=kind)
    assert taken.status_code == 201, taken.text
    prior = taken.json()["prior_data"]["id"]
    api.post(f"{path}/actions", json={"action": "activate"})
    _decide(sessions, settings, created)
    (offered,) = api.get(f"{path}/proposals").json()["items"]
    assert offered["source"] == "model"
    assert offered["provenance"]["prior_data"] == [prior]
    assert offered["film"]["devices"][0]["predicted"] is not None
    assert "prior data" in offered["reason"]
    (version,) = api.get(f"{path}/model-versions").json()["items"]
    metrics = api.get(f"/v1/model-versions/{version['id']}").json()["metrics"]
    assert metrics["prior_data"]["magnetisation"][0]["source"] == prior
    for answer in ("recommendation", "stop-advice", "calibration"):
        assert api.get(f"{path}/{answer}").status_code == 200, answer
    api.post(f"/v1/prior-data/{prior}/withdrawal", json={"reason": "to see"})
    asked = api.post(f"/v1/proposals/{offered['id']}/replays").json()["id"]
    assert replay.run(sessions, settings, asked, worker="worker") == "identical"
    file = io.BytesIO()
    with sessions() as session:
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        pack(session, created, settings.artifacts_dir, file)
    with zipfile.ZipFile(file) as whole:
        (head, *told) = whole.read("prior_data.csv").decode("utf-8-sig").splitlines()
    assert head.startswith("prior_data_id,source,from_revision,number,film,position,x_Fe,x_Ga,x_Pd,process_anneal_c")
    assert (len(told), told[0].split(",")[0]) == (9, prior)
    there, folder = elsewhere
    with there.begin() as session:
        assert unpack(session, file, folder).id == created
    with sessions() as one, there() as other:
        for revision in range(3):
            hashes = {datasets.present_hash(session, created, revision) for session in (one, other)}
            assert len(hashes) == 1
        kept = [
            s.execute(select(PriorReadingRow.row_hash).order_by(PriorReadingRow.number)).all() for s in (one, other)
        ]
    assert kept[0] == kept[1]
    assert len(kept[0]) == 9


def _decide(sessions, settings, campaign):
    with sessions() as session:
        waiting = [job.id for job in jobs.live(session, campaign) if job.state == "pending"]
    assert waiting
    for job_id in waiting:
        assert decide.run(sessions, settings, job_id, worker="worker")
