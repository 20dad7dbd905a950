"""The client posts tables as instruments wrote them, and readings in any unit."""

from datetime import UTC, datetime

import pytest

from filmloop_client import Client, Invalid, Reading
from tests.integration.conftest import PROBLEM

TIME = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def squid(api, lab):
    """An instrument, and a film of 76 mm for it to read."""
    campaign = lab.campaign(problem=PROBLEM | {"film": {"devices": 5, "length_mm": 76.0}})
    film = lab.film(campaign)
    with Client(str(api.client.base_url)) as client:
        opened = client.campaigns.get(campaign)
        yield opened, opened.instrument("squid"), film


def test_a_table_is_posted_as_it_was_written(squid, tmp_path):
    campaign, instrument, film = squid
    lines = ["film_id;position_mm;property;value [kA/m];measured_at"]
    lines += [f"{film};{19 * k};magnetisation;{k},5;2026-03-01T12:00:00+01:00" for k in range(5)]
    table = tmp_path / "Messung.CSV"
    table.write_text("\ufeff" + "\r\n".join(lines), encoding="utf-8")
    looked = instrument.upload(table, validate_only=True)
    assert (looked.id, looked.accepted) == (None, 5)
    assert campaign.dataset().rows == []
    assert instrument.upload(table).accepted == 5
    assert sorted((r.device, r.value) for r in campaign.dataset().rows) == [(k, k + 0.5) for k in range(5)]
    some = instrument.upload(f'{{"film_id": "{film}"}}\n'.encode(), "ndjson", atomic=False)
    assert (some.accepted, some.refused) == (0, 1)
    assert {e["pointer"] for e in some.results[0].errors} > {"/measurements/0/property"}
    with pytest.raises(Invalid, match="1 thing"):
        instrument.upload(table.read_bytes().replace(b"0,5", b"x"), "csv")
    with pytest.raises(ValueError, match="csv, ndjson, parquet"):
        instrument.upload(tmp_path / "table.xls")


def test_readings_in_any_unit_and_place_and_the_good_ones_among_bad_ones(squid):
    campaign, instrument, film = squid
    good = Reading(
        film_id=film, position_mm=19.02, property="magnetisation", unit="A/m", value=1.5e5, measured_at=TIME, uid="a"
    )
    bad = good.model_copy(update={"unit": "T", "uid": "b"})
    batch = instrument.measure([good, bad], atomic=False)
    assert [r.status for r in batch.results] == ["accepted", "refused"]
    assert batch.measurement_ids[1] is None
    (row,) = campaign.dataset().rows
    assert (row.device, row.value) == (1, 150.0)
    assert instrument.measure([good], validate_only=True).duplicates == 1
    with pytest.raises(ValueError, match="exactly one"):
        Reading(film_id=film, device=1, position_mm=19.0, property="p", unit="T", value=1.0)
