"""Readings are retracted and restored while decisions are made: none may rest on readings that count no more."""

from benchmarks.faults import retractions

ENOUGH = 12


def test_no_decision_rests_on_readings_that_were_retracted_meanwhile(database_url):
    found = retractions.run(database_url, enough=ENOUGH)
    assert found.violations == 0
    assert found.count >= ENOUGH, "retractions and decisions did not overlap: this test shows nothing"


def test_decisions_that_do_not_ask_do(database_url):
    with retractions.publishing_whatever_is_newest():
        found = retractions.run(database_url, enough=ENOUGH)
    assert found.violations > 0, f"none of {found.count} naive decisions was wrong: this test shows nothing"
