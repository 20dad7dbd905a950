"""Tables as CSV: text that no spreadsheet runs, numbers to the last digit."""

import csv
import io
from datetime import UTC, datetime

import pytest

from service.operations.archive.sheets import Column, Sheet, guarded, write_csv


@pytest.mark.parametrize("cell", ["=1+1", "+cmd", "-2", "@SUM(A1)", "\tx", "\r=x", "\n=x"])
def test_what_looks_like_a_formula_gets_an_apostrophe(cell):
    assert guarded(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["", "squid", "a=b", "'quoted", "Fe-Ga", "1e5"])
def test_other_text_stays_as_it_is(cell):
    assert guarded(cell) == cell


def test_numbers_are_untouched_and_come_back_to_the_last_digit():
    columns = [Column("a", "number", ""), Column("b", "integer", ""), Column("c", "time", ""), Column("=d", "text", "")]
    rows = [[-0.1 - 0.2, -3, datetime(2026, 3, 1, 12, tzinfo=UTC), 'one, "two"\nthree'], [5e-324, None, None, None]]
    file = io.BytesIO()
    write_csv(Sheet("x", "", columns, rows), file)
    head, first, second = csv.reader(io.StringIO(file.getvalue().decode(), newline=""))
    assert head == ["a", "b", "c", "'=d"]
    assert (float(first[0]), first[1]) == (-0.1 - 0.2, "-3")
    assert first[2:] == ["2026-03-01T12:00:00.000000Z", 'one, "two"\nthree']
    assert (float(second[0]), second[1:]) == (5e-324, ["", "", ""])
