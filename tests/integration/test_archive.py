"""A campaign as one file: what people find in it, and that it comes back the same in another database."""

import csv
import hashlib
import io
import json
import re
import zipfile

import numpy as np
import pyarrow.parquet as pq
import pytest
from sqlalchemy import select

from service.errors import Conflict, InvalidInput
from service.operations.archive.pack import MANIFEST, pack
from service.operations.archive.unpack import unpack
from service.operations.decisions import ModelRecord, load_artifact, publish_decision, store_artifact
from service.operations.refill import request_decision
from service.store import archive, arrays, datasets
from service.store.session import make_engine, make_sessions
from service.store.tables import ArtifactRow, Base, CampaignRow, FilmRow, ProposalRow
from service.store.tables import JobRow as Job

INSTANT = "2026-03-01T12:00:00.123456Z"


@pytest.fixture
def campaign(api, loop, settings):
    """Three films, one of them in the making; readings, a retraction, a map, a sample, a spectrum, a model."""
    campaign = loop.campaign(queue_depth=2)
    path = f"/v1/campaigns/{campaign}"

    def decide(weights):
        with loop.sessions.begin() as session:
            request_decision(session, campaign, 0)
        decision = loop.take(campaign)
        artifact = store_artifact(settings.artifacts_dir, weights)
        model = ModelRecord("film_gp", 1, {"evidence": -1.5}, {"torch": "2"}, {"points": []}, artifact)
        assert publish_decision(loop.sessions, decision, model, loop.advice(2))

    def start(robot):
        claimed = api.post(f"{path}/claims", json={"robot": robot}).json()["lease"]
        token = {"Lease-Token": claimed["token"]}
        return claimed["id"], token, api.post(f"/v1/leases/{claimed['id']}/start", headers=token).json()["film_id"]

    decide(b"one")
    lease, token, film = start("ada")
    start("bob")
    api.post(f"/v1/leases/{lease}/complete", json={"outcome": "ok", "note": "=cmd()"}, headers=token)
    row = {"film_id": film, "property": "magnetisation", "unit": "emu/cm3", "measured_at": INSTANT}
    rows = [{**row, "device": k, "value": 0.1 + 0.2 * k, "uid": f"-{k}"} for k in range(3)]
    batch = api.measure(campaign, rows, instrument="@squid").json()
    api.measure(campaign, [{**row, "device": 0, "value": 5.0, "unit": "kA/m", "std_uncertainty": 0.25}])
    api.post(f"{path}/retractions", json={"ids": batch["measurement_ids"][:1], "reason": "spike"})
    found = {"film_id": film, "device": 1, "fractions": {"Fe": 0.5, "Ga": 0.5}, "measured_at": INSTANT}
    mapped = api.post(f"{path}/composition-maps", json={"instrument": "edx", "compositions": [found]})
    assert mapped.status_code == 201
    sample = api.post(f"{path}/samples", json={"name": "c7", "property": "magnetisation", "unit": "emu/cm3"}).json()
    said = {"unit": "emu/cm3", "value": 2.5, "measured_at": INSTANT}
    api.post(f"/v1/samples/{sample['id']}/readings", json={"instrument": "@squid", "readings": [said]})
    spectrum = {
        "film_id": film,
        "device": 2,
        "kind": "diffraction_pattern",
        "label": "XRD",
        "unit": "1",
        "axes": [{"name": "two theta", "unit": "deg", "values": [10.0, 20.0]}],
        "data": {"values": [0.1, 0.2]},
        "measured_at": INSTANT,
    }
    attached = api.post(f"{path}/attachments", json={"instrument": "xrd", "attachments": [spectrum]})
    assert attached.status_code == 201, attached.text
    decide(b"two")
    api.post(f"{path}/claims", json={"robot": "cleo"})
    return campaign


@pytest.fixture
def packed(loop, settings, campaign):
    return packed_from(loop.sessions, campaign, settings.artifacts_dir)


def packed_from(sessions, campaign, folder):
    file = io.BytesIO()
    with sessions() as session:
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        pack(session, campaign, folder, file)
    return file


@pytest.fixture
def elsewhere(server_url, template, tmp_path):
    """Another database, and another folder of models."""
    from tests.conftest import _database  # noqa: PLC0415

    found = _database(server_url, template)
    engine = make_engine(next(found))
    yield make_sessions(engine), tmp_path / "elsewhere"
    engine.dispose()
    next(found, None)


def table(packed, name):
    with zipfile.ZipFile(packed) as whole, whole.open(name) as file:
        return list(csv.DictReader(io.TextIOWrapper(file, encoding="utf-8")))


def test_people_find_their_tables(api, campaign, packed):
    dataset = api.get(f"/v1/campaigns/{campaign}/dataset").json()
    readings = table(packed, "measurements.csv")
    assert [float(r["value"]) for r in readings] == [r["value"] for r in dataset["rows"]]
    assert {r["uid"] for r in readings} >= {"'-1", "'-2"}
    assert {r["instrument"] for r in readings} == {"'@squid", "squid"}
    foreign = next(r for r in readings if r["raw_unit"])
    assert (foreign["raw_unit"], float(foreign["raw_value"]), foreign["unit"]) == ("kA/m", 5.0, "emu/cm3")
    assert readings[0]["measured_at"] == INSTANT
    films = table(packed, "films.csv")
    assert (len(films), {f["note"] for f in films}) == (6, {"'=cmd()", ""})
    assert next(f for f in films if f["measured_Fe"])["measured_Fe"] == "0.5"
    assert len(table(packed, "proposals.csv")) == len(api.get(f"/v1/campaigns/{campaign}/proposals").json()["items"])
    columns = {(c["table"], c["column"]): c for c in table(packed, "dictionary.csv")}
    assert columns["measurements", "process_anneal_c"]["unit"] == "degC"
    assert columns["measurements", "x_Fe"]["unit"] == "atomic fraction"
    assert all(c["meaning"] for c in columns.values())
    with zipfile.ZipFile(packed) as whole:
        assert whole.testzip() is None
        parquet = pq.read_table(io.BytesIO(whole.read("measurements.parquet")))
        assert [c["number"] for c in json.loads(whole.read("configurations.json"))] == [1]
        assert len(json.loads(whole.read("model_versions.json"))) == 2
        (said,) = json.loads(whole.read("attachments.json"))
        assert np.load(io.BytesIO(whole.read(f"arrays/{said['array_sha256']}.npy"))).tolist() == [0.1, 0.2]
    assert parquet["value"].to_pylist() == [r["value"] for r in dataset["rows"]]
    assert parquet["uid"].to_pylist() == [r["uid"] for r in dataset["rows"]]
    assert parquet.schema.field("process_anneal_c").metadata[b"unit"] == b"degC"


def test_the_crate_names_every_file(packed):
    with zipfile.ZipFile(packed) as whole:
        crate = json.loads(whole.read("ro-crate-metadata.json"))
        names, sizes = set(whole.namelist()), {i.filename: i.file_size for i in whole.infolist()}
    things = {thing["@id"]: thing for thing in crate["@graph"]}
    root = things["./"]
    assert {part["@id"] for part in root["hasPart"]} == names - {"ro-crate-metadata.json"}
    assert things["ro-crate-metadata.json"]["conformsTo"]["@id"] == "https://w3id.org/ro/crate/1.1"
    assert all(int(things[name]["contentSize"]) == sizes[name] for name in names - {"ro-crate-metadata.json"})
    assert root.keys() >= {"name", "description", "datePublished", "license"}
    assert all(r["@id"] in things for key in ("license", "variableMeasured") for r in _listed(root[key]))


def _listed(value):
    return value if isinstance(value, list) else [value]


def test_it_comes_back_the_same_in_another_database(loop, settings, campaign, packed, elsewhere):
    sessions, folder = elsewhere
    with sessions.begin() as session:
        imported = unpack(session, packed, folder)
    assert (imported.id, imported.state) == (campaign, "paused")
    with loop.sessions() as here, sessions() as there:
        newest = here.get(CampaignRow, campaign).revision
        for revision in range(newest + 1):
            hashes = [datasets.present_hash(session, campaign, revision) for session in (here, there)]
            assert hashes[0] == hashes[1]
        for each in archive.tables():
            if each.name not in {"campaign", "event", "job", "proposal", "film", "composition_reading"}:
                rows = [list(archive.rows(session, each, campaign)) for session in (here, there)]
                assert rows[0] == rows[1], each.name
        rows = [list(archive.rows(s, ProposalRow.__table__, campaign)) for s in (here, there)]
        assert [{**r, "state": "", "fence": 0, "updated_at": ""} for r in rows[0]] == [
            {**r, "state": "", "fence": 0, "updated_at": ""} for r in rows[1]
        ]
        waits = {(r["state"], other["state"]) for r, other in zip(*rows, strict=True)}
        assert {(a, b) for a, b in waits if a != b} == {("leased", "ready"), ("running", "overdue")}
        assert sorted(there.scalars(select(FilmRow.state))) == ["measured", "overdue"]
        assert set(there.scalars(select(Job.state))) <= {"succeeded", "failed"}
        spectra = list(archive.rows(there, Base.metadata.tables["attachment"], campaign))
        assert arrays.load(there, [spectra[0]["array_sha256"]])[spectra[0]["array_sha256"]].tolist() == [0.1, 0.2]
        models = list(archive.rows(there, Base.metadata.tables["model_version"], campaign))
    assert [load_artifact(folder, m["artifact_sha256"]) for m in models] == [b"one", b"two"]
    again = packed_from(sessions, campaign, folder)
    for name in ("measurements.csv", "films.csv", "predictions.csv"):
        same = [[{**row, "state": ""} for row in table(file, name)] for file in (packed, again)]
        assert same[0] == same[1]
    with pytest.raises(Conflict, match="is here already"), sessions.begin() as session:
        unpack(session, again, folder)


def test_what_is_damaged_is_refused_whole(packed, elsewhere):
    sessions, folder = elsewhere
    with pytest.raises(InvalidInput, match="no archive"), sessions.begin() as session:
        unpack(session, io.BytesIO(b"PK nonsense"), folder)
    for name, old, new in (
        ("record/measurement.ndjson", b'"value":0.5', b'"value":0.6'),
        ("record/campaign.ndjson", b'"name":"wafer"', b'"name":"other"'),
        (MANIFEST, b'"filmloop-archive/1"', b'"filmloop-archive/9"'),
        ("record/event.ndjson", b'"seq":1,', b'"sql":1,'),
        (MANIFEST, b'"id": "cmp_', b'"id": "../cmp_'),
    ):
        with pytest.raises(InvalidInput), sessions.begin() as session:
            unpack(session, changed(packed, name, old, new), folder)
    with sessions() as session:
        assert session.scalars(select(CampaignRow.id)).all() == []


FORGED = {"id": "msr_forged", "uid": "forged"}


@pytest.mark.parametrize(
    ("name", "row", "why"),
    [
        ("event", {"seq": 9000, "type": "campaign.completed", "campaign_id": "{foreign}"}, "is not of campaign"),
        ("campaign", {"id": "{foreign}"}, "is not of campaign"),
        ("measurement", FORGED | {"film_id": "{film}", "device": 0, "sample_id": None}, "refers to film"),
        ("measurement", FORGED | {"batch_id": "{batch}"}, "refers to measurement_batch"),
        ("retracted_reading", {"measurement_id": "{reading}"}, "refers to measurement"),
        ("attachment", {"id": "att_forged", "content_hash": "0" * 64, "array_sha256": "{array}"}, "refers to array"),
        ("model_version", {"id": "mdl_forged", "artifact_sha256": "{model}"}, "refers to artifact"),
    ],
)
def test_an_archive_cannot_touch_another_campaign(campaign, packed, elsewhere, name, row, why):  # noqa: PLR0917
    """Whoever makes an archive makes its hashes, too: it is held to what it brings."""
    sessions, folder = elsewhere
    there = forged(packed, campaign, "cmp_" + "f" * 26)
    with sessions.begin() as session:
        unpack(session, packed, folder)
        arrays.store(session, [np.array([1.5, 2.5])])
        session.add(ArtifactRow(sha256="0" * 64, size=1))
    foreign = {"foreign": campaign, "array": arrays.digest(np.array([1.5, 2.5])), "model": "0" * 64}
    with sessions() as session:
        for key, kind in (("film", "film"), ("batch", "measurement_batch"), ("reading", "measurement")):
            foreign[key] = min(row["id"] for row in archive.rows(session, Base.metadata.tables[kind], campaign))
    extra = {k: v.format(**foreign) if isinstance(v, str) else v for k, v in row.items()}
    with pytest.raises(InvalidInput, match=why), sessions.begin() as session:
        unpack(session, with_row(there, name, extra), folder)
    with sessions() as session:
        assert session.scalars(select(CampaignRow.id)).all() == [campaign]


def forged(packed, campaign, name):
    """The archive of the same under other ids: as somebody would make it who may import, and knows another's ids."""
    other = io.BytesIO()
    with zipfile.ZipFile(packed) as whole, zipfile.ZipFile(other, "w") as written:
        for path in whole.namelist():
            data = whole.read(path)
            if path.endswith((".ndjson", ".json")):
                data = re.sub(rb"\b([a-z]{2,4})_01([0-9a-z]{24})\b", rb"\1_99\2", data)
                data = data.replace(campaign.replace("_01", "_99").encode(), name.encode())
            written.writestr(path, data)
    return other


def with_row(packed, name, extra):
    """The archive with one more row, like the last of its table but for what is said, and with hashes that fit."""
    path, other = f"record/{name}.ndjson", io.BytesIO()
    with zipfile.ZipFile(packed) as whole, zipfile.ZipFile(other, "w") as written:
        files = {each: whole.read(each) for each in whole.namelist()}
        manifest = json.loads(files[MANIFEST])
        last = json.loads(files[path].splitlines()[-1])
        files[path] += json.dumps(last | extra).encode() + b"\n"
        manifest["rows"][name] += 1
        manifest["sha256"] |= {each: hashlib.sha256(files[each]).hexdigest() for each in manifest["sha256"]}
        files[MANIFEST] = json.dumps(manifest).encode()
        for each, data in files.items():
            written.writestr(each, data)
    return other


def changed(packed, name, old, new):
    """The archive with one file that is another one."""
    other = io.BytesIO()
    with zipfile.ZipFile(packed) as whole, zipfile.ZipFile(other, "w") as written:
        for path in whole.namelist():
            data = whole.read(path)
            if path == name:
                assert old in data, (name, data[:300])
                data = data.replace(old, new)
            written.writestr(path, data)
    return other


def test_every_table_is_in_the_archive_or_left_out_for_a_reason():
    named = {each.name for each in archive.tables()} | set(archive.LEFT_OUT)
    assert named == set(Base.metadata.tables)
    for each in archive.tables():
        assert archive._of(each, "cmp_1") is not None
