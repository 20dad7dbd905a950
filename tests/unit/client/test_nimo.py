"""NIMO's files: what is written, what is read back, what is refused."""

import pytest

from filmloop_client.answers import Dataset, Proposal
from filmloop_client.nimo import candidates, prior_rows, proposals, read_candidates, read_proposals

PROBLEM = {
    "space": {
        "elements": ["Fe", "Ga"],
        "process": [
            {"kind": "continuous", "name": "anneal_c", "unit": "degC", "lower": 200.0, "upper": 600.0},
            {"kind": "categorical", "name": "substrate", "choices": ["Si", "glass"]},
        ],
    },
    "objectives": [{"property": "signal", "unit": "V"}],
    "film": {"devices": 2},
}
PROCESS = {"anneal_c": 450.0, "substrate": "Si"}


def row(device, fe, value, **said):
    made = {"composition": {"Fe": fe, "Ga": 1.0 - fe}, "process": PROCESS}
    return {"uid": "u", "film_id": "f", "device": device, "property": "signal", "value": value} | made | said


def test_candidates_hold_the_mean_of_each_device_and_what_was_not_tried():
    rows = [row(0, 0.9, 1.0), row(0, 0.9, 2.0), row(1, 0.7, 5.0), row(1, 0.7, 9.0, status="above_limit")]
    dataset = Dataset(campaign_id="c", revision=1, snapshot_hash="", rows=[*rows, row(1, 0.5, None, status="dead")])
    text = candidates(PROBLEM, dataset, [{"Fe": 1.0}])
    assert text.splitlines() == [
        "Fe,Ga,anneal_c,signal",
        "90.0,10.0,450.0,1.5",
        "70.0,30.0,450.0,5.0",
        "100.0,0.0,400.0,",
    ]
    assert read_candidates(PROBLEM, "\ufeff" + text) == [
        ({"Fe": 0.9, "Ga": 0.1}, {"signal": 1.5}),
        ({"Fe": 0.7, "Ga": 0.3}, {"signal": 5.0}),
        ({"Fe": 1.0}, {"signal": None}),
    ]


def test_points_that_were_read_can_begin_a_campaign():
    found = prior_rows(PROBLEM, "Fe,Ga,anneal_c,signal\n90,10,450,1.5\n70,30,,2.5\n50,50,300,\n")
    assert [(r.composition, r.process, r.value) for r in found] == [
        ({"Fe": 0.9, "Ga": 0.1}, PROCESS, 1.5),
        ({"Fe": 0.7, "Ga": 0.3}, {"anneal_c": 400.0, "substrate": "Si"}, 2.5),
    ]
    assert {(r.property, r.unit) for r in found} == {("signal", "V")}


def test_proposals_are_films_in_rows_of_devices():
    devices = [{"index": k, "position": k, "composition": {"Fe": x, "Ga": 1.0 - x}} for k, x in enumerate((0.8, 0.6))]
    film = {"a": {"Fe": 0.8, "Ga": 0.2}, "b": {"Fe": 0.6, "Ga": 0.4}, "process": PROCESS, "devices": devices}
    proposal = Proposal(id="p", campaign_id="c", state="ready", film=film)
    text = proposals(PROBLEM, [proposal, proposal])
    assert text.splitlines()[:3] == ["actions,Fe,Ga,anneal_c", "0,80.0,20.0,450.0", "1,60.0,40.0,450.0"]
    first, second = read_proposals(PROBLEM, text)
    assert first == second
    assert first.a == pytest.approx({"Fe": 0.8, "Ga": 0.2})
    assert first.b == pytest.approx({"Fe": 0.6, "Ga": 0.4})
    assert first.process == PROCESS


def test_the_process_that_a_file_does_not_have_is_in_its_middle():
    (film,) = read_proposals(PROBLEM, "actions,Fe,Ga\n7,33.3,66.6\n8,50,50\n")
    assert film.process == {"anneal_c": 400.0, "substrate": "Si"}
    assert sum(film.a.values()) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("actions,Fe,Ga\n0,50,50\n", "whole films of 2"),
        ("actions,Fe\n0,50\n1,50\n", "missing: Ga"),
        ("actions,Fe,Ga\n0,50,60\n1,50,50\n", "no composition"),
        ("actions,Fe,Ga\n0,-1,101\n1,50,50\n", "no composition"),
        ("actions,Fe,Ga\n0,x,50\n1,50,50\n", "could not convert"),
        ("", "0 rows"),
    ],
)
def test_what_is_no_film_is_refused(text, named):
    with pytest.raises(ValueError, match=named):
        read_proposals(PROBLEM, text)
