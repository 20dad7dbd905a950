"""Units mean what a lab means by them, and nothing but a unit is ever understood."""

import math
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import InvalidInput
from service.operations.units import check, conversion

CONVERSIONS = [
    # value, unit, the value in another unit, that unit, one standard uncertainty in it
    (12.3, "mV", 0.0123, "V", 0.001),
    (77.0, "degF", 25.0, "degC", 5 / 9),
    (25.3, "°C", 298.45, "K", 1.0),
    (25.3, "℃", 298.45, "K", 1.0),
    (300.0, "K", 26.85, "degC", 1.0),
    (5.0, "degC/min", 5 / 60, "K/s", 1 / 60),
    (800.0, "emu/cm3", 800.0, "kA/m", 1.0),
    (800.0, "emu/cm³", 8e5, "A/m", 1000.0),
    (1.0, "kOe", 1e6 / (4 * math.pi), "A/m", 1e6 / (4 * math.pi)),
    (5.0, "G", 0.5, "mT", 0.1),
    (2.0, "uΩ cm", 2e-8, "ohm m", 1e-8),
    (2.0, "µohm.cm", 2e-8, "Ohm·m", 1e-8),
    (4.0, "mA/cm2", 40.0, "A/m^2", 10.0),
    (3.0, "cm⁻¹", 300.0, "1/m", 100.0),
    (3.0, "1/cm", 300.0, "m**-1", 100.0),
    (3.0, "J/(kg K)", 3.0, "J kg-1 K-1", 1.0),
    (5.0, "%", 0.05, "1", 0.01),
    (180.0, "deg", math.pi, "rad", math.pi / 180),
    (10.0, "Ohm/sq", 0.01, "kohm", 0.001),
    (760.0, "Torr", 101325.0, "Pa", 101325 / 760),
]


@pytest.mark.parametrize("case", CONVERSIONS, ids=lambda c: f"{c[1]} to {c[3]}")
def test_a_reading_is_the_same_quantity_in_another_unit(case):
    value, unit, expected, wanted, one = case
    found = conversion(unit, wanted)
    assert found.value(value) == pytest.approx(expected, rel=1e-15)
    assert found.uncertainty(1.0) == pytest.approx(one, rel=1e-15)


@given(st.floats(-1e100, 1e100), st.floats(1e-100, 1e100))
def test_there_and_back_is_the_same_to_rounding(value, spread):
    there, back = conversion("degF", "K"), conversion("K", "degF")
    assert back.value(there.value(value)) == pytest.approx(value, rel=1e-12, abs=1e-10)
    assert back.uncertainty(there.uncertainty(spread)) == pytest.approx(spread, rel=1e-15)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_the_same_words_change_nothing(value):
    for unit in ("emu/cm3", "a.u.", "[HV10]", "a unit of long ago", "dB"):
        assert conversion(unit, unit).value(value) == value


@pytest.mark.parametrize(
    ("unit", "wanted"),
    [
        ("T", "Oe"),  # B is not H
        ("rpm", "Hz"),
        ("count", "%"),
        ("cps", "Hz"),
        ("nm", "eV"),
        ("V", "A"),
        ("mg", "g/mol"),
        ("degC", "J"),
    ],
)
def test_another_dimension_is_refused_and_both_units_are_named(unit, wanted):
    with pytest.raises(InvalidInput) as refusal:
        conversion(unit, wanted)
    assert repr(unit) in str(refusal.value)
    assert repr(wanted) in str(refusal.value)


@pytest.mark.parametrize("unit", ["a.u.", "A.U.", "arb. u.", "[HV10]", "[V vs SCE]", "pH", "at.%", "dB", "dBm"])
def test_a_scale_of_its_own_is_taken_and_never_converted(unit):
    check(unit)
    for other in ("V", "1", "nH", "mW"):
        for pair in ((unit, other), (other, unit)):
            with pytest.raises(InvalidInput, match="scale of its own"):
                conversion(*pair)


BAD = [
    "",
    " ",
    "nope",
    "V vs SCE",
    "HV10",
    "12 mV",
    "0.5 m",
    "1e5",
    "10",
    "m**9**9**9",
    "m^99",
    "m^1000000000",
    "((((((m",
    "m)",
    "/m",
    "m/",
    "m//s",
    "J/kg K",
    "J/kg*K",
    "m\x00",
    "__import__('os').system('true')",
    "m if 1 else s",
    "[]",
    "m" * 65,
    "\ud800",
]


@pytest.mark.parametrize("text", BAD)
def test_what_is_no_unit_is_refused(text):
    with pytest.raises(InvalidInput, match="unit"):
        check(text)


@given(st.text(max_size=70) | st.text("mVsKgQ^*/().19- ", max_size=70))
def test_no_text_does_anything_but_be_a_unit_or_be_refused(text):
    try:
        found = conversion(text, "m")
    except InvalidInput:
        return
    assert found.factor > 0


def test_what_is_beyond_every_number_is_too_far():
    far = " ".join(["Qm9"] * 8)
    with pytest.raises(InvalidInput, match="too far"):
        conversion(far, " ".join(["qm9"] * 8))
    assert math.isinf(conversion("Qm9", "qm9").value(1.0))


def test_the_locale_does_not_matter():
    script = (
        "import locale; locale.setlocale(locale.LC_ALL, ''); "
        "from service.operations.units import conversion; print(conversion('mV', 'V').value(1234.5))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env={"LC_ALL": "C.UTF-8"}, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "1.2345"
