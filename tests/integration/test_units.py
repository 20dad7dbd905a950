"""Readings in any unit of their dimension: stored as delivered and in the campaign's unit; others refused by name."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import URL, select

from service.app import create_app
from service.settings import DatabaseSettings, Settings
from service.store.tables import MeasurementRow
from tests.conftest import _database
from tests.integration.conftest import PROBLEM, Api, serving
from tests.integration.test_bad_input import check_problem

TEMPERATURE = PROBLEM | {"objectives": [{"property": "curie_point", "unit": "K"}]}
OPAQUE = PROBLEM | {"objectives": [{"property": "contrast", "unit": "a.u."}]}


@pytest.fixture(scope="module")
def database_url(server_url: URL, template: str) -> Iterator[str]:
    """One database for all of these tests; each has a campaign of its own."""
    with contextmanager(_database)(server_url, template) as url:
        yield url


@pytest.fixture(scope="module")
def api(database_url: str) -> Iterator[Api]:
    """One server for all of these tests."""
    with serving(create_app(Settings(database=DatabaseSettings(url=database_url)))) as client:
        yield Api(client)


def curie(reading, film, at, **said):
    return reading(film, at, property="curie_point", **said)


def test_a_reading_in_another_unit_is_kept_both_ways(api, lab, reading):
    campaign = lab.campaign(problem=TEMPERATURE)
    film = lab.film(campaign)
    rows = [
        curie(reading, film, 0, unit="degC", value=25.3, std_uncertainty=0.5),
        curie(reading, film, 1, unit="°F", value=77.0, std_uncertainty=1.8),
        curie(reading, film, 2, unit="mK", value=3e5, std_uncertainty=None),
        curie(reading, film, 3, unit="K", value=300.0, std_uncertainty=0.5),
        curie(reading, film, 4, unit="degC", value=None, std_uncertainty=None, status="dead"),
    ]
    assert api.measure(campaign, rows).status_code == 201
    read = {r["device"]: r for r in api.get(f"/v1/campaigns/{campaign}/dataset").json()["rows"]}
    assert {r["unit"] for r in read.values()} == {"K"}
    assert [read[k]["value"] for k in range(5)] == [298.45, 298.15, 300.0, 300.0, None]
    assert [read[k]["std_uncertainty"] for k in range(5)] == [0.5, 1.0, None, 0.5, None]  # a difference of degC is a K
    assert [read[k]["raw_unit"] for k in range(5)] == ["degC", "°F", "mK", None, "degC"]
    assert [read[k]["raw_value"] for k in range(5)] == [25.3, 77.0, 3e5, None, None]
    assert [read[k]["raw_std_uncertainty"] for k in range(5)] == [0.5, 1.8, None, None, None]


def test_a_limit_and_replicates_are_converted_too(api, lab, reading):
    campaign = lab.campaign()
    film = lab.film(campaign)
    saturated = reading(film, 0, unit="kA/m", value=500.0, std_uncertainty=..., status="above_limit")
    mean = reading(film, 1, unit="A/m", value=5e5, std_uncertainty=2e3, replicates=4)
    assert api.measure(campaign, [saturated, mean]).status_code == 201
    with lab.sessions() as session:
        query = select(MeasurementRow).where(MeasurementRow.campaign_id == campaign).order_by(MeasurementRow.device)
        stored = session.scalars(query).all()
    assert [(r.value, r.std_uncertainty, r.replicates) for r in stored] == [(500.0, None, None), (500.0, 2.0, 4)]


def test_what_an_instrument_says_again_is_the_same_reading(api, lab, reading):
    campaign = lab.campaign()
    film = lab.film(campaign)
    said = reading(film, 0, uid="a", unit="A/m", value=123456.7, std_uncertainty=8.9)
    assert api.measure(campaign, [said]).json()["accepted"] == 1
    assert api.measure(campaign, [said]).json()["duplicates"] == 1
    otherwise = said | {"unit": "kA/m", "value": 123.4567, "std_uncertainty": 0.0089}
    assert api.measure(campaign, [otherwise]).status_code == 409


@pytest.mark.parametrize(
    ("fields", "pointer", "named"),
    [
        ({"unit": "T"}, "unit", ["'T'", "'emu/cm3'", "dimension"]),
        ({"unit": "furlongs of doom"}, "unit", ["furlongs of doom", "not known", "'magnetisation'"]),
        ({"unit": "m**9**9**9"}, "unit", ["cannot be read"]),
        ({"unit": "[counts]"}, "unit", ["scale of its own", "'emu/cm3'"]),
        ({"unit": "m" * 100}, "unit", ["64", "100"]),
        ({"unit": "YA/m", "value": 1e99}, "value", ["1e+100", "emu/cm3"]),
        ({"unit": "qA/m", "std_uncertainty": 1e-99}, "std_uncertainty", ["1e-100", "emu/cm3"]),
    ],
)
def test_a_unit_that_does_not_fit_is_refused_by_name(api, lab, reading, *, fields, pointer, named):
    campaign = lab.campaign()
    film = lab.film(campaign)
    before = lab.rows_by_table()
    problem = check_problem(api.measure(campaign, [reading(film, 0), reading(film, 1, **fields)]), 422, named)
    assert [e["pointer"] for e in problem["errors"]] == [f"/measurements/1/{pointer}"]
    assert lab.rows_by_table() == before


def test_a_scale_of_its_own_takes_readings_in_its_own_words(api, lab, reading):
    campaign = lab.campaign(problem=OPAQUE)
    film = lab.film(campaign)
    good = reading(film, 0, property="contrast", unit="a.u.")
    assert api.measure(campaign, [good]).status_code == 201
    check_problem(api.measure(campaign, [good | {"unit": "arb. u."}]), 422, ["'a.u.'", "'arb. u.'"])


@pytest.mark.parametrize("unit", ["furlongs of doom", "12 mV", "HV10"])
def test_a_campaign_whose_unit_means_nothing_is_refused(api, lab, unit):
    before = lab.rows_by_table()
    body = {"name": "wafer", "problem": PROBLEM | {"objectives": [{"property": "p", "unit": unit}]}}
    problem = check_problem(api.post("/v1/campaigns", json=body), 422, [unit, "square brackets"])
    assert problem["errors"][0]["pointer"] == "/problem/objectives/0/unit"
    assert lab.rows_by_table() == before


@pytest.mark.parametrize("unit", ["[HV10]", "a.u.", "1", "%", "uohm cm", "degC"])
def test_a_campaign_may_be_in_any_unit_that_says_what_it_is(api, unit):
    body = {"name": "wafer", "problem": PROBLEM | {"objectives": [{"property": "p", "unit": unit}]}}
    assert api.post("/v1/campaigns", json=body).status_code == 201


def test_a_batch_has_only_so_many_units(api, lab, reading):
    campaign = lab.campaign()
    film = lab.film(campaign)
    rows = [reading(film, 0, unit=f"A/m {'m0 ' * k}".strip()) for k in range(1, 12)]
    rows += [reading(film, 0, unit=f"{'(' * a}{p}A/m{')' * a}") for a in range(12) for p in "kmunGMTPE"]
    check_problem(api.measure(campaign, rows), 422, ["at most 100 different units"])
