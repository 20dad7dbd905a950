"""Numbers, times and compositions as they are set on a page."""

from datetime import UTC, datetime

import pytest

from service.web import colours, formats


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0, "0"), (1.0, "1.000"), (12.3456, "12.35"), (-0.00512, "−0.005120"), (1234.5, "1234"), (2.5e7, "2.500e7"),
     (3e-9, "3.000e−9"), (None, "–"), (float("nan"), "–")],
)  # fmt: skip
def test_a_number_has_four_digits(value, shown):
    assert formats.number(value) == shown


@pytest.mark.parametrize(
    ("mean", "sd", "shown"),
    [(10.949756, 0.24991, "10.95 ± 0.25"), (1234.5, 31.0, "1234 ± 31"), (-2.0, 0.0123, "−2.000 ± 0.012"),
     (5.0, None, "5.000"), (5.0, 0.0, "5.000"), (None, 0.1, "–")],
)  # fmt: skip
def test_a_value_is_told_as_exactly_as_it_is_known(mean, sd, shown):
    assert formats.plus_minus(mean, sd) == shown


@pytest.mark.parametrize(
    ("said", "shown"),
    [({}, ""), ({"target": None, "tolerance": 0.0}, ""), ({"target": 2.0, "tolerance": 0.0}, "2 ppm/K"),
     ({"target": 2.0, "tolerance": 0.5}, "2 ± 0.5 ppm/K"), ({"target": -0.125}, "−0.125 ppm/K")],
)  # fmt: skip
def test_a_target_is_told_with_all_its_digits_and_its_tolerance(said, shown):
    assert formats.target({"property": "tec", "unit": "ppm/K", **said}) == shown


def test_a_count_is_grouped():
    assert formats.count(1234567) == "1\u202f234\u202f567"
    assert formats.count(None) == "–"


def test_a_composition_is_a_formula_and_nobody_can_write_html_with_it():
    assert formats.formula({"Fe": 0.785, "Ga": 0.155, "Pd": 0.0001, "X": 0.06}, 1) == (
        '<span class="formula">Fe<sub>78.5</sub>Ga<sub>15.5</sub>X<sub>6.0</sub></span>'
    )
    assert "<b>" not in formats.formula({"<b>": 1.0})


def test_a_time_is_told_to_the_browser_in_utc():
    told = formats.instant(datetime(2026, 3, 1, 12, 30, 5, tzinfo=UTC), "age")
    assert 'datetime="2026-03-01T12:30:05Z"' in told
    assert 'data-time="age"' in told
    assert formats.instant("2026-03-01T21:30:05+09:00") == formats.instant("2026-03-01T12:30:05Z")
    assert formats.instant(None) == "–"


def test_bands_of_a_film_fill_it_from_end_to_end():
    film = {"a": {"Fe": 0.8, "Ga": 0.2}, "b": {"Fe": 0.5, "Pd": 0.5}}
    bands = formats.bands(film, ("Fe", "Ga", "Pd"))
    assert [element for element, _, _ in bands] == ["Fe", "Ga", "Pd"]
    assert bands[0][2] == "0,0.00 100,0.00 100,50.00 0,80.00"
    assert bands[-1][2] == "0,100.00 100,50.00 100,100.00 0,100.00"


def test_a_pure_element_has_its_own_colour_and_a_mixture_lies_between():
    elements = ("Fe", "Ga")
    own = colours.element_colours(elements)
    assert colours.mixed({"Fe": 1.0}, elements) == own["Fe"]
    assert colours.mixed({"Ga": 2.0}, elements) == own["Ga"]
    half = colours.mixed({"Fe": 0.5, "Ga": 0.5}, elements)
    for k in (1, 3, 5):
        low, high = sorted(int(own[e][k : k + 2], 16) for e in elements)
        assert low <= int(half[k : k + 2], 16) <= high
