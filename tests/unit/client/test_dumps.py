"""A dataset as BoTorch and Ax take it, against figures worked out by hand."""

import pytest
import torch
from botorch.models import SingleTaskGP

from filmloop_client import dumps
from filmloop_client.answers import Dataset

PROBLEM = {
    "space": {
        "elements": ["Fe", "Co"],
        "bounds": [{"element": "Fe", "lower": 0.1, "upper": 0.7}],
        "process": [
            {"kind": "continuous", "name": "anneal_c", "unit": "degC", "lower": 200.0, "upper": 600.0},
            {"kind": "categorical", "name": "substrate", "choices": ["Si", "glass"]},
        ],
    },
    "objectives": [{"property": "m", "unit": "V"}],
    "outcomes": [{"property": "r", "unit": "ohm", "upper": 5.0}],
}


def row(film, device, name, value, sd=None, *, status="ok", x=0.25):
    return {
        "uid": f"{film}{device}{name}{value}", "film_id": film, "device": device, "property": name, "value": value,
        "std_uncertainty": sd, "status": status, "composition": {"Fe": x, "Co": 1 - x},
        "process": {"anneal_c": 300.0, "substrate": "glass"},
    }  # fmt: skip


def dataset(*rows):
    return Dataset.model_validate({"campaign_id": "c", "revision": 1, "snapshot_hash": "h", "rows": rows})


def test_readings_of_a_device_are_averaged_and_incomplete_devices_left_out():
    found = dumps.botorch(
        PROBLEM,
        dataset(
            row("f", 0, "m", 1.0, 0.1),
            row("f", 0, "m", 2.0, 0.2),
            row("f", 0, "r", 4.0, 0.5),
            row("f", 1, "m", 3.0, 0.1),
            row("f", 2, "m", None, status="dead"),
            row("f", 2, "r", 9.0, 0.1, status="above_limit"),
        ),
    )
    assert found.columns == ["Fe", "Co", "anneal_c", "substrate"]
    assert found.outputs == ["m (V)", "r (ohm)"]
    assert found.bounds == [[0.1, 0.0, 200.0, 0.0], [0.7, 1.0, 600.0, 1.0]]
    assert found.train_X == [[0.25, 0.75, 300.0, 1.0]]
    # Weights 100 and 25: (100 + 50) / 125; its variance is 1 / 125.
    assert found.train_Y == [pytest.approx([1.2, 4.0])]
    assert found.train_Yvar == [pytest.approx([0.008, 0.25])]
    assert (found.films, found.left_out) == (["f"], 3)


def test_a_reading_without_uncertainty_leaves_the_noise_to_the_model():
    rows = [row("f", k, name, 1.0 + k, sd, x=0.1 + 0.2 * k) for k in range(3) for name, sd in (("m", None), ("r", 0.1))]
    found = dumps.botorch(PROBLEM, dataset(*rows))
    assert found.train_Yvar is None
    x, y = (torch.tensor(values, dtype=torch.double) for values in (found.train_X, found.train_Y))
    assert SingleTaskGP(x[:, :2], y).posterior(x[:, :2]).mean.shape == (3, 2)


def test_trials_for_ax():
    (trial,) = dumps.ax_trials(
        PROBLEM, dataset(row("f", 0, "m", 1.0), row("f", 0, "m", 3.0), row("f", 0, "r", 4.0, 0.5))
    )
    assert trial["parameters"] == {"Fe": 0.25, "Co": 0.75, "anneal_c": 300.0, "substrate": "glass"}
    assert trial["raw_data"] == {"m": (2.0, None), "r": (4.0, 0.5)}
    assert (trial["film_id"], trial["device"]) == ("f", 0)
