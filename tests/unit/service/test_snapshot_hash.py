"""The hash of a snapshot says what it holds, and nothing of how it came to hold it."""

import hashlib
import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.store.datasets import SnapshotRow, hash_of
from service.store.measurements import row_hash

ROW = SnapshotRow(
    uid="a",
    instrument="squid",
    film_id="flm_1",
    device=0,
    position=0.0,
    composition={"Fe": 0.25, "Ga": 0.75},
    process={"anneal_c": 450.0},
    property="magnetisation",
    unit="T",
    value=1.5,
    status="ok",
    std_uncertainty=None,
    replicates=None,
    measured_at=datetime(2026, 3, 1, tzinfo=UTC),
    revision=3,
    row_hash="0" * 64,
)
SAID = {"film_id": "flm_1", "device": 0, "value": 0.1 + 0.2, "measured_at": ROW.measured_at}


@given(st.permutations(range(6)))
def test_order_does_not_matter(order):
    rows = [ROW._replace(uid=f"u{k}", instrument="ab"[k % 2]) for k in range(6)]
    assert hash_of([rows[k] for k in order]) == hash_of(rows)


@pytest.mark.parametrize(
    "other",
    [
        {"uid": "b"},
        {"instrument": "moke"},
        {"row_hash": "1" * 64},
        {"composition": {"Fe": 0.25, "Ga": 0.7500000000000001}},
        {"process": {"anneal_c": 451.0}},
    ],
)
def test_content_matters(other):
    assert hash_of([ROW._replace(**other)]) != hash_of([ROW])


def test_the_hash_is_the_one_that_is_published():
    """Stored hashes stay good: the lines are those of JSON lists, written here once more by its own writer."""
    rows = [
        ROW._replace(uid=uid, instrument=i) for i in ("squid", "m\u00f6ke") for uid in ("b\u00df", 'a"', "\U0001f600")
    ]
    digest = hashlib.sha256()
    for row in sorted(rows, key=lambda r: (r.instrument, r.uid)):
        place = json.dumps([row.composition, row.process], sort_keys=True)
        digest.update(json.dumps([row.instrument, row.uid, row.row_hash, place]).encode() + b"\n")
    assert hash_of(rows) == digest.hexdigest()


def test_names_cannot_run_into_each_other():
    assert hash_of([ROW._replace(instrument="a", uid="bc")]) != hash_of([ROW._replace(instrument="ab", uid="c")])


def test_the_order_of_elements_does_not_matter():
    assert hash_of([ROW._replace(composition={"Ga": 0.75, "Fe": 0.25})]) == hash_of([ROW])


@pytest.mark.parametrize("value", [1.5, 0.1, 1e-7, 1e22, -0.0, 5e-324, 123456789.123456789, None])
@pytest.mark.parametrize("unit", ["T", "µT", 'a "b" % \\', "磁"])
@pytest.mark.parametrize(
    "time",
    [
        datetime(2026, 3, 1, tzinfo=UTC),
        datetime(2026, 3, 1, 12, 30, 15, 120, tzinfo=UTC),
        datetime(2026, 3, 1, tzinfo=timezone(timedelta(hours=9, minutes=30))),
    ],
)
@pytest.mark.parametrize("more", [{}, {"replicates": 5}, {"sample_id": None}])
def test_a_reading_is_hashed_as_json_that_anybody_can_write(value, unit, time, more):
    said = SAID | {"value": value, "unit": unit, "measured_at": time} | more
    written = json.dumps(
        {k: v.astimezone(UTC).isoformat() if k == "measured_at" else v for k, v in said.items()}, sort_keys=True
    )
    assert row_hash(said) == hashlib.sha256(written.encode()).hexdigest()


def test_every_digit_of_a_reading_counts():
    assert row_hash(SAID) == row_hash(dict(reversed(SAID.items())))
    assert row_hash(SAID) != row_hash(SAID | {"value": 0.3})
    assert row_hash(SAID) != row_hash(SAID | {"measured_at": ROW.measured_at + timedelta(microseconds=1)})


def test_one_instant_is_one_reading_in_every_time_zone():
    elsewhere = ROW.measured_at.astimezone(timezone(timedelta(hours=9)))
    assert row_hash(SAID | {"measured_at": elsewhere}) == row_hash(SAID)
