import numpy as np
import pytest

from benchmarks import transfer
from benchmarks.decisions.data import DataAbsent
from benchmarks.decisions.plates import Plate


@pytest.fixture(scope="module")
def plate():
    try:
        return Plate.load("3496")
    except DataAbsent as absent:
        pytest.skip(str(absent))


def test_what_two_plates_share_keeps_its_values_and_only_their_elements(plate):
    source = Plate.load("3851")
    found = transfer.shared(source, plate)
    assert len(found) == 286
    both = [e in source.elements for e in plate.elements]
    assert all(sum(k for k, here in zip(key, both, strict=True) if here) == 10 for key in found)
    key = next(iter(found))
    made = dict(zip(plate.elements, key, strict=True))
    assert found[key] == source.table[tuple(made.get(e, 0) for e in source.elements)]


def test_sources_are_what_they_are_called(plate):
    same, shuffled, inverted = (transfer.elsewhere("3496", arm, 0) for arm in ("same plate", "shuffled", "inverted"))
    truth = np.array([plate.table[tuple(k)] for k in np.rint(10.0 * same.X).astype(int).tolist()])
    correlations = [np.corrcoef(truth, source.Y[:, 0])[0, 1] for source in (same, shuffled, inverted)]
    assert correlations[0] > 0.95
    assert abs(correlations[1]) < 0.3
    assert correlations[2] < -0.95
    assert same.Y.mean() - truth.mean() == pytest.approx(2.0 * plate.sd[0], rel=0.1)
    assert transfer.elsewhere("3496", "none", 0) is None
    assert same.is_prior().all()


def test_a_campaign_has_a_regret_after_each_film_and_a_table_pairs_the_arms(plate):
    record = transfer.campaign(("3496", "other plate", 0), films=1)
    assert len(record["regret"]) == len(record["correlation"]) == 1
    assert record["regret"][0] >= 0.0
    records = [
        {"plate": "3496", "arm": arm, "seed": seed, "regret": [30.0 + seed, 20.0 + k], "correlation": [0.7, 0.5]}
        for k, arm in enumerate(transfer.ARMS)
        for seed in (0, 1)
    ]
    rows, compared = transfer.tables(records)
    assert [row["campaigns"] for row in rows] == [2] * 5
    assert (rows[0]["first correlation"], rows[1]["last"]) == ("", "0.50")
    assert compared["inverted, 2 films"].startswith("+4 ")
