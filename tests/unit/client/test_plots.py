"""Pictures show what they were given."""

from collections.abc import Iterator

import matplotlib as mpl
import pytest

from filmloop_client import plots
from filmloop_client.answers import Film, Predictions, StopAdvice

POINTS = [{"Fe": 1.0}, {"Co": 1.0}, {"Ni": 1.0}, {"Fe": 0.4, "Co": 0.3, "Ni": 0.3}]


@pytest.fixture(autouse=True)
def _no_window() -> Iterator[None]:
    mpl.use("Agg")
    yield
    mpl.pyplot.close("all")


def predictions(points):
    numbers = {name: [float(k) for k in range(len(points))] for name in ("mean", "latent_sd", "noise_sd")}
    numbers |= dict.fromkeys(("film_effect_sd", "reading_sd"), numbers["mean"])
    return Predictions.model_validate(
        {
            "model_version_id": "m", "campaign_id": "c", "revision": 1, "points": points,
            "feasible": [True] * len(points), "properties": [{"property": "rho", "unit": "uohm cm", **numbers}],
        }
    )  # fmt: skip


def test_a_map_over_three_elements_with_films():
    devices = [{"index": k, "position": k, "proposed": {"Fe": 1.0 - k, "Co": k}} for k in (0, 1)]
    film = Film.model_validate({"id": "f", "campaign_id": "c", "state": "made", "devices": devices})
    ax = plots.ternary(predictions(POINTS), films=[film])
    assert ax.collections[0].get_array().tolist() == [0.0, 1.0, 2.0, 3.0]
    # Corners in the order of the alphabet: Co at the origin, Fe on the right, Ni on top.
    assert ax.lines[0].get_xydata().tolist() == [[1.0, 0.0], [0.0, 0.0]]
    assert {text.get_text() for text in ax.texts} == {"Co", "Fe", "Ni"}
    assert ax.figure.axes[1].get_ylabel() == "rho (uohm cm)"
    with pytest.raises(ValueError, match="here are 2"):
        plots.ternary(predictions(POINTS[:2]))
    with pytest.raises(ValueError, match="no property 'x'"):
        plots.ternary(predictions(POINTS), of_property="x")


def test_progress_with_its_uncertainty():
    history = [{"revision": n, "films": n, "best_mean": 1.0 * n, "best_sd": 0.5} for n in (1, 2)]
    history.append({"revision": 0, "films": 0})
    advice = StopAdvice.model_validate({"advice": "go on", "why": "", "unit": "V", "history": history})
    ax = plots.progress(advice)
    assert ax.lines[0].get_xydata().tolist() == [[1.0, 1.0], [2.0, 2.0]]
    assert ax.get_ylabel() == "best expected value (V)"
    assert ax.dataLim.y1 == 3.0


def test_expected_against_read():
    ax = plots.predicted_and_read([1.0, 2.0], [0.1, 0.2], [1.1, 1.8], unit="V")
    assert ax.get_xlabel() == "read (V)"
    assert ax.lines[0].get_xydata().tolist() == [[1.0, 1.0], [2.0, 2.0]]
