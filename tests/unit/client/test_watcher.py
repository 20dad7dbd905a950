"""Tables of instruments become readings, each row once, however the file is written."""

import json
import os
import time

import pytest

from filmloop_client.mapping import Mapping
from filmloop_client.spool import Spool
from filmloop_client.watcher import Watcher

MAPPING = """
instrument = "hall-1"
[files]
decimal = ","
skip_lines = 1
[film]
column = "Sample"
names = { W17 = "flm_17" }
[device]
column = "Spot"
first = 1
[time]
column = "Time"
format = "%d.%m.%Y %H:%M"
zone = "Asia/Tokyo"
[[properties]]
property = "rho"
unit = "uohm cm"
value = "rho_xy"
std_uncertainty = "err"
dead = ["OVL"]
"""
HEAD = "Hall bench\nSample;Spot;Time;rho_xy;err\n"


@pytest.fixture
def mapping(tmp_path):
    path = tmp_path / "hall.toml"
    path.write_text(MAPPING)
    return Mapping.load(path)


@pytest.fixture
def watcher(tmp_path, mapping):
    (tmp_path / "data").mkdir()
    return Watcher(tmp_path / "data", mapping, Spool(tmp_path / "spool"), "cmp_1")


def rows(watcher):
    parcel = watcher.spool.next_parcel()
    return [] if parcel is None else parcel.rows


def test_a_row_becomes_a_reading(watcher):
    (watcher.folder / "run.csv").write_text(f"{HEAD}W17;1;01.03.2026 12:00;4,01;0,05\nflm_2;3;01.03.2026 12:01;OVL;\n")
    seen = watcher.look(settled=True)
    assert (seen.files, seen.readings, seen.refused) == (1, 2, 0)
    first, second = rows(watcher)
    uid = first.pop("uid")
    assert uid.endswith("/0")
    assert first == {
        "film_id": "flm_17", "device": 0, "property": "rho", "unit": "uohm cm", "value": 4.01, "status": "ok",
        "std_uncertainty": 0.05, "measured_at": "2026-03-01T12:00:00+09:00",
    }  # fmt: skip
    assert (second["device"], second["status"], second["value"]) == (2, "dead", None)


def test_a_file_that_grows_or_is_read_again_gives_each_row_once(watcher, mapping):
    path = watcher.folder / "run.csv"
    line = "W17;{};01.03.2026 12:00;{},0;\n"
    path.write_text(HEAD + line.format(1, 1) + "W17;2;01.03.20")
    assert watcher.look().readings == 1  # the second line is still being written
    path.write_text(HEAD + line.format(1, 1) + line.format(2, 2) + line.format(3, 3))
    assert watcher.look().readings == 2
    restarted = Watcher(watcher.folder, mapping, Spool(watcher.spool.folder), "cmp_1")
    assert restarted.look(settled=True).readings == 0
    (watcher.folder / "old").mkdir()
    path.rename(watcher.folder / "old" / "run.csv")
    everywhere = mapping.model_copy(update={"files": mapping.files.model_copy(update={"pattern": "**/*.csv"})})
    assert Watcher(watcher.folder, everywhere, watcher.spool, "cmp_1").look(settled=True).readings == 0
    assert [row["value"] for row in rows(watcher)] == [1.0, 2.0, 3.0]


def test_a_last_line_without_an_end_counts_once_the_file_has_settled(watcher):
    path = watcher.folder / "run.csv"
    path.write_text(HEAD + "W17;1;01.03.2026 12:00;1,0;")
    assert watcher.look().readings == 0
    os.utime(path, (time.time() - 60, time.time() - 60))
    assert watcher.look().readings == 1
    assert watcher.look().files == 0


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("W17;1;01.03.2026 12:00;4,x1;", "'4,x1', which is no number"),
        ("W17;1;01.03.2026 12:00;;", "'rho_xy' is empty"),
        ("W17;1,5;01.03.2026 12:00;4;", "no number of a device"),
        (";1;01.03.2026 12:00;4;", "no film"),
        ("W17;1;2026-03-01;4;", "no time"),
        ("W17;1;01.03.2026 12:00;4", "4 cells under 5 columns"),
        ("W17;1;01.03.2026 12:00;4;-1", "greater than 0"),
    ],
)
def test_a_bad_row_is_set_aside_with_the_reason_and_the_next_one_goes_on(watcher, line, reason):
    (watcher.folder / "run.csv").write_text(f"{HEAD}{line}\nW17;2;01.03.2026 12:00;2,0;\n")
    assert watcher.look(settled=True).refused == 1
    (aside,) = watcher.spool.aside()
    assert reason in aside.reason
    assert aside.row["file"] == "run.csv"
    assert [row["value"] for row in rows(watcher)] == [2.0]
    assert watcher.look(settled=True).refused == 0
    assert Watcher(watcher.folder, watcher.mapping, watcher.spool, "cmp_1").look(settled=True).refused == 0


def test_a_table_without_its_columns_is_told_and_read_once_it_is_mended(watcher):
    path = watcher.folder / "run.csv"
    path.write_text("Hall bench\nSample;Spot;Time;rho_xy\n")
    watcher.look(settled=True)
    assert "no column 'err'" in watcher.unreadable["run.csv"]
    path.write_text(HEAD + "W17;1;01.03.2026 12:00;1,0;\n")
    assert watcher.look(settled=True).readings == 1
    assert watcher.unreadable == {}


def test_a_cell_may_hold_the_end_of_a_line(watcher):
    path = watcher.folder / "run.csv"
    path.write_text(HEAD + 'W17;1;01.03.2026 12:00;1,0;\n"W\n')
    assert watcher.look().readings == 1
    assert watcher.spool.aside() == []


def test_film_and_place_may_be_told_otherwise(tmp_path):
    mapping = Mapping.model_validate(
        {
            "instrument": "xrf",
            "film": {"file_name": "^(flm_[a-z0-9]+)_"},
            "device": {"column": "x", "is": "position_mm"},
            "properties": [
                {"property": "a", "unit": "nm", "value": "a"},
                {"property": "b", "unit": "nm", "value": "b"},
            ],
        }
    )
    (tmp_path / "flm_9_x.csv").write_text("\ufeffx,a,b\n19.5,1,2\n", encoding="utf-8")
    watcher = Watcher(tmp_path, mapping, Spool(tmp_path / "spool"), "cmp_1")
    assert watcher.look(settled=True).readings == 2
    found = rows(watcher)
    assert [(r["film_id"], r["position_mm"], r["property"], r["value"]) for r in found] == [
        ("flm_9", 19.5, "a", 1.0),
        ("flm_9", 19.5, "b", 2.0),
    ]
    assert len({r["uid"] for r in found}) == 2


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[files", "is no TOML"),
        (MAPPING.replace('decimal = ","', 'decimals = ","'), "files.decimals"),
        (MAPPING.replace('column = "Sample"', ""), "say either column or file_name"),
        (MAPPING.split("[[properties]]", maxsplit=1)[0], "properties: Field required"),
    ],
)
def test_a_mapping_that_is_none_is_refused_in_words(tmp_path, text, reason):
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"bad\.toml") as refusal:
        Mapping.load(path)
    assert reason in str(refusal.value)


def test_rows_survive_what_json_cannot_say(watcher):
    (watcher.folder / "run.csv").write_text(f"{HEAD}W17;1;01.03.2026 12:00;nan;\n")
    assert watcher.look(settled=True).refused == 1
    assert "finite" in watcher.spool.aside()[0].reason
    json.dumps(watcher.spool.aside()[0].row)
