"""What readers make of tables as spreadsheets and data frames write them."""

import contextlib
import io
import tracemalloc
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api.media import BATCH_TYPES, CSV, NDJSON, PARQUET
from service.api.readers import parquet as table
from service.api.readers import read, shaped
from service.errors import InvalidInput, MalformedRequest

HEAD = "film_id,device,property,unit,value,measured_at"
TIME = "2026-03-01T12:00:00Z"


def rows(body, media_type=CSV):
    return list(read(media_type, body if isinstance(body, bytes) else body.encode(), "squid").rows)


def one(body, media_type=CSV):
    (row,) = rows(body, media_type)
    return row


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_line_ends_and_byte_order_marks_make_no_difference(end, mark):
    found = rows(mark + HEAD + end + f"f,1,p,T,2.5,{TIME}" + end + end + f"f,2,p,T,,{TIME}" + end)
    assert [r.get("value") for r in found] == [2.5, None]
    assert [r["device"] for r in found] == [1, 2]
    assert "value" not in found[1]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_fields_are_separated_as_the_header_is(separator):
    text = "\n".join([HEAD, f'f,1,p,"emu/cm3",2.5,{TIME}']).replace(",", separator)
    assert (one(text)["unit"], one(text)["value"]) == ("emu/cm3", 2.5)


@pytest.mark.parametrize(("cell", "value"), [("1,5", 1.5), (",5", 0.5), ("-1,5e-3", -0.0015), ("7", 7.0), ("+2,", 2.0)])
def test_a_decimal_comma_is_read_where_semicolons_separate(cell, value):
    assert one(f"value;unit\n{cell};T")["value"] == value


def test_one_table_has_one_decimal_mark():
    """1,5 and 1.500 in one file: the second may be meant as one thousand five hundred."""
    found = rows("value;unit\n1,5;T\n1.500;T\n2,5;T")
    assert isinstance(found[1], list)
    assert "'1.500'" in found[1][0].message
    assert "row 0" in found[1][0].message
    assert (found[0]["value"], found[2]["value"]) == (1.5, 2.5)


def test_a_decimal_comma_between_commas_is_refused():
    (found,) = rows('value,unit\n"1,5",T')
    assert "semicolons" in found[0].message


@pytest.mark.parametrize("cell", ["nan", "inf", "1_000", "1.234.5", "0x10", "1e", "٣", "12 mV", "--1", "1,234.5"])
def test_what_is_no_number_stays_text_and_is_refused_by_its_shape(cell):
    body = f'{HEAD}\nf,1,p,T,"{cell}",{TIME}'
    readings, refused = shaped(rows(body))
    assert readings == []
    assert any("value" in v.pointer or "semicolons" in v.message for v in refused[0])


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e100, max_value=1e100))
def test_every_digit_of_a_number_is_read(value):
    assert one(f"value,unit\n{value!r},T")["value"] == value
    assert one(f"value;unit\n{value!r};T".replace(".", ","))["value"] == value


def test_a_header_may_give_the_unit():
    assert one("value [mV],std_uncertainty [mV]\n1.5,0.1") == {"value": 1.5, "std_uncertainty": 0.1, "unit": "mV"}
    assert one("value [[HV10]]\n1.5")["unit"] == "[HV10]"


@pytest.mark.parametrize(
    ("header", "named"),
    [
        ("value,value", "twice"),
        ("value [mV],value [V]", "twice"),
        ("value [mV],std_uncertainty [V]", "V and mV"),
        ("value [mV],unit", "give it once"),
        ("Value", "'Value'"),
        ("device [1]", "'device \\[1\\]'"),
        ("value;unit,uid", "more than one separator"),
        ("value,", "column ''"),
    ],
)
def test_a_header_that_is_not_clear_is_refused(header, named):
    with pytest.raises(InvalidInput, match=named):
        rows(header + "\n1,2,3")


def test_a_row_of_another_length_is_named():
    found = rows(f"{HEAD}\nf,1,p,T,1.0\nf,1,p,T,1.0,{TIME},extra\nf,1,p,T,1.0,{TIME}")
    assert [isinstance(r, list) and r[0].message for r in found] == [
        "the row has 5 fields, the header 6",
        "the row has 7 fields, the header 6",
        False,
    ]


@pytest.mark.parametrize(
    ("body", "media_type", "named"),
    [
        (b"uid\n" + b"a\n" * 8_000_000, CSV, "1 to 50000"),
        (b"1\n" * 8_000_000, NDJSON, "1 to 50000"),
        (b"a," * 8_000_000 + b"\n1\n", CSV, "8000001 columns"),
    ],
    ids=["rows", "lines", "columns"],
)
def test_what_is_far_too_much_is_refused_before_it_is_held(body, media_type, named):
    tracemalloc.start()
    try:
        with pytest.raises(InvalidInput, match=named):
            rows(body, media_type)
        assert tracemalloc.get_traced_memory()[1] < 20 * len(body)
    finally:
        tracemalloc.stop()


def test_a_line_that_is_no_object_is_named():
    found = rows('{"value": 1.5}\r\n[1]\n\n{"value": NaN}\n{"value"', NDJSON)
    assert found[0] == {"value": 1.5}
    assert "object" in found[1][0].message
    assert found[2]["value"] != found[2]["value"]
    assert "not JSON" in found[3][0].message
    assert found[3][0].row == 3


def parquet(**columns):
    file = io.BytesIO()
    pq.write_table(pa.table({name.replace("_of_", " "): values for name, values in columns.items()}), file)
    return file.getvalue()


def test_columns_of_a_data_frame_become_fields():
    moment = datetime(2026, 3, 1, 14, tzinfo=timezone(timedelta(hours=2)))
    body = parquet(
        film_id=pa.array(["f", "f"]).dictionary_encode(),
        device=pa.array([1.0, None]),  # whole numbers with gaps
        position=pa.array([None, 0.25], pa.float32()),
        value=pa.array([Decimal("1.5"), None]),
        replicates=pa.array([3, None], pa.int8()),
        uid=pa.array(["a", None], pa.large_string()),
        measured_at=pa.array([moment, moment], pa.timestamp("ns", "Europe/Berlin")),
    )
    first, second = rows(body, PARQUET)
    assert first["measured_at"] == "2026-03-01 12:00:00.000000Z"
    assert (first["device"], first["value"], first["replicates"], first["uid"]) == (1, 1.5, 3, "a")
    assert isinstance(first["device"], int)
    assert second == {"film_id": "f", "position": 0.25, "measured_at": first["measured_at"]}


@pytest.mark.parametrize(
    ("columns", "named"),
    [
        ({"measured_at": pa.array([datetime(2026, 3, 1)], pa.timestamp("us"))}, "time zone"),
        ({"value": pa.array([True])}, "'value' is of type bool"),
        ({"value": pa.array(["1.5"])}, "'value' is of type string"),
        ({"film_id": pa.array([b"f"])}, "binary"),
        ({"value": pa.array([[1.0]])}, "list"),
        ({"colour": pa.array(["red"])}, "colour"),
    ],
)
def test_a_column_of_another_type_is_refused(columns, named):
    with pytest.raises(InvalidInput, match=named):
        rows(parquet(**columns), PARQUET)


def test_a_device_that_is_no_whole_number_is_refused_by_its_shape():
    _, refused = shaped(rows(parquet(device=pa.array([1.5])), PARQUET))
    assert any("1.5" in v.message for v in refused[0] if v.pointer.endswith("device"))


def test_text_that_repeats_cannot_swell(monkeypatch):
    long = pa.DictionaryArray.from_arrays(pa.array([0] * 50_000, pa.int32()), pa.array(["x" * 1_000_000]))
    body = parquet(film_id=long)
    assert len(body) < 100_000
    with pytest.raises(InvalidInput, match="1000000 characters"):
        rows(body, PARQUET)
    monkeypatch.setattr(table, "MAX_BYTES", 1_000_000)
    with pytest.raises(InvalidInput, match="bound"):
        rows(parquet(film_id=pa.array([f"{k:05}" * 200 for k in range(1000)])), PARQUET)


@given(st.binary(max_size=300), st.sampled_from(BATCH_TYPES))
def test_no_bytes_do_anything_but_be_read_or_refused(body, media_type):
    with contextlib.suppress(InvalidInput, MalformedRequest):
        shaped(rows(body, media_type))


def test_times_and_zones_survive():
    readings, refused = shaped(rows(f"{HEAD}\nf,1,p,T,1.5,2026-03-01T14:00:00+02:00"))
    assert refused == {}
    assert readings[0].measured_at == datetime(2026, 3, 1, 12, tzinfo=UTC)
