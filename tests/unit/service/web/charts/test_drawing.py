"""Elements, colours and frames."""

from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest

from service.web.charts.bars import Bar, horizontal
from service.web.charts.colours import MAPS, Bands, colour
from service.web.charts.plot import Axis, Plot, line_sign
from service.web.charts.scales import between
from service.web.charts.svg import element, number, picture, told

SVG = "{http://www.w3.org/2000/svg}"


def parsed(drawn):
    return ET.fromstring(drawn)  # noqa: S314 - drawn here


def lightness(code):
    """Relative luminance of a colour (WCAG 2)."""
    channels = [int(code[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_whatever_is_said_is_escaped():
    drawn = picture([told(element("circle", r=1), '<b> & "Fe"', "/films/a?b=1&c")], width=10, height=10, name="<x>")
    root = parsed(drawn)
    assert root.find(f"{SVG}title").text == "<x>"
    link = root.find(f"{SVG}a")
    assert (link.get("href"), link.find(f"{SVG}title").text) == ("/films/a?b=1&c", '<b> & "Fe"')
    assert "style=" not in drawn


@pytest.mark.parametrize(
    ("value", "text"), [(1.0, "1"), (0.126, "0.13"), (-0.001, "0"), (1200.5, "1200.5"), (100.0, "100")]
)
def test_coordinates_are_short(value, text):
    assert number(value) == text


@pytest.mark.parametrize("name", MAPS)
def test_colours_get_lighter_with_the_value(name):
    lights = [lightness(colour(k / 60, name)) for k in range(61)]
    assert all(b > a - 1e-3 for a, b in pairwise(lights))
    assert lights[-1] - lights[0] > 0.6
    assert colour(-1.0, name) == colour(0.0, name)


def test_viridis_is_viridis():
    """Ends and middle as published."""
    assert [colour(s) for s in (0.0, 0.5, 1.0)] == ["#440154", "#20908c", "#fde725"]


@pytest.mark.parametrize("values", [[0.1, 10.7], [-3e-8, 2e-8], [5.0, 5.0], [-1.0, -0.2, 4.0]])
def test_bands_hold_every_value_between_round_levels(values):
    bands = Bands.over(values)
    assert bands.levels[0] <= min(values)
    assert bands.levels[-1] >= max(values)
    assert 4 <= len(bands.levels) - 1 <= 20
    assert bands.of(min(values)) != bands.of(max(values)) or len(set(values)) == 1
    assert bands.of(1e9) == bands.fill(len(bands.levels) - 2)


def plotted():
    plot = Plot(Axis(between(0.0, 10.0), "Films"), Axis(between(-1.0, 1.0), "Gain", "V"), width=500, height=300)
    plot.line([(0.0, -1.0), (10.0, 1.0)])
    plot.dot((5.0, 0.0), "middle")
    plot.key(line_sign("line"), "a line")
    return plot


def test_values_land_where_the_axes_say():
    plot = plotted()
    assert plot.place((0.0, -1.0)) == (64.0, 250.0)
    assert plot.place((10.0, 1.0)) == (484.0, 14.0)
    root = parsed(plot.drawn("A chart", "what it shows"))
    circle = next(c for c in root.iter(f"{SVG}circle"))
    assert (float(circle.get("cx")), float(circle.get("cy"))) == (274.0, 132.0)
    words = [e.text for e in root.iter(f"{SVG}text")]
    assert {"Films", "Gain (V)", "a line", "0", "10", "−1.0"} <= set(words)
    assert root.get("aria-label") == "A chart"


def test_bars_are_as_long_as_their_scores():
    drawn = horizontal(
        [Bar("Fe-Ga", 0.4, "0.4"), Bar("Fe-Pd", 0.1, "0.1"), Bar("Ga-Pd", 0.0, "0")], "gain", "V", name="pairs"
    )
    wide = [float(r.get("width")) for r in parsed(drawn).iter(f"{SVG}rect")]
    assert wide[0] == pytest.approx(4 * wide[1], rel=1e-3)
    assert wide[2] == 1.0
    small = "".join(parsed(horizontal([Bar("Fe-Ga", 0.004, "0.004")], "gain", "V", name="pairs")).itertext())
    assert "gain (10\u207b\u00b3 V)" in small  # its ticks are 0 to 4
