"""Ids are unique, sort by time and say what they name."""

import re

from service.store import ids


def test_an_id_names_its_noun_and_is_never_given_twice():
    drawn = [ids.new_id("cmp") for _ in range(20_000)]
    assert len(set(drawn)) == len(drawn)
    assert all(re.fullmatch(r"cmp_[0-9a-hjkmnp-tv-z]{26}", name) for name in drawn)


def test_ids_sort_by_the_millisecond_they_were_drawn_in(monkeypatch):
    instants = [1, 999, 1_700_000_000_000, 1_700_000_000_001, 1_900_000_000_000, 2**48 - 1]
    drawn = []
    for instant in instants:
        monkeypatch.setattr(ids.time, "time_ns", lambda instant=instant: instant * 1_000_000)
        drawn.append(ids.new_id("prp"))
    assert drawn == sorted(drawn)
