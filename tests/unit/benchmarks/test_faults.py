"""The table of faults: a run of some rows replaces these rows only; every row has variants that must fail."""

import json
from pathlib import Path

from benchmarks.faults.claims import Grant, judge
from benchmarks.faults.found import Found, Row, keep
from benchmarks.faults.rows import PLANS

FACTS = {"seed": 1, "run": {"commit": "abc", "at": "now", "cpu": "one", "cores": 2, "load_1min": 0.5}}


def row(number: int, violations: int = 0) -> Row:
    found = Found(7, {"lost": violations, "twice": 0}, "7 of them")
    return Row(number, "a fault", "a signal", found, {"no lock": Found(3, {"lost": 2}, "3 of them")}, FACTS)


def test_a_run_replaces_its_own_rows_only(tmp_path):
    keep([row(6), row(1)], tmp_path)
    table = keep([row(6, violations=2)], tmp_path)
    kept = json.loads((tmp_path / "faults.json").read_text())["rows"]
    assert [(r["row"], r["violations"], r["count"]) for r in kept] == [(1, 0, 7), (6, 2, 7)]
    assert set(kept[0]) >= {"row", "fault", "injected", "count", "violations", "figure", "naive", "run", "seed"}
    assert kept[0]["naive"]["no lock"]["violations"] == 2
    assert "| 6 | a fault | a signal | 7 | 2 | 7 of them | no lock: 2 lost (count 3) |" in table
    assert table in (tmp_path / "faults.md").read_text()


def test_every_row_has_a_naive_variant():
    assert {number for number, plan in PLANS.items() if not plan.naive} == set()


AT_LEAST = {1: 200, 6: 10_000, 7: 20, 10: 100}
"""Kills of the API, snapshots, kills of Postgres, kills of workers."""


def test_the_published_table_is_whole():
    published = Path(__file__).parents[3] / "benchmarks/results/faults/faults.json"
    rows = json.loads(published.read_text(encoding="utf-8"))["rows"]
    assert [r["row"] for r in rows] == sorted(PLANS)
    assert [r["row"] for r in rows if r["violations"]] == []
    assert [r["row"] for r in rows if not all(n["violations"] > 0 for n in r["naive"].values())] == []
    assert [r["row"] for r in rows if set(r["naive"]) != set(PLANS[r["row"]].naive)] == []
    assert [r["row"] for r in rows if r["count"] < AT_LEAST.get(r["row"], 1)] == []


def grant(proposal: str, fence: int, asked: float, *, begun: bool) -> Grant:
    return Grant(proposal, fence, "robot", asked, asked + 0.5, begun)


def test_claims_are_judged_by_what_robots_remember():
    good = [grant("a", 1, 0.0, begun=False), grant("a", 2, 1.0, begun=True), grant("b", 1, 0.0, begun=True)]
    assert set(judge(good, 2).values()) == {0}
    assert judge(good, 3)["films never begun"] == 1
    assert judge([*good, grant("b", 1, 0.1, begun=False)], 2)["one fence given twice"] == 1
    assert judge([*good, grant("b", 2, 0.1, begun=True)], 2)["films begun twice"] == 1
    assert judge([*good, grant("a", 3, -1.0, begun=False)], 2)["a later claim under a lower fence"] == 1
