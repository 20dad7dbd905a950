"""A recommendation survives being written down: what the science reads back is what it said, to the last bit."""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from models.deposition import Commands
from models.film import Film, commanded_film
from models.problem import Problem
from service.operations.recommendations import (
    library_versions,
    unread_film,
    written,
    written_alternatives,
    written_pairs,
)

PROBLEM = Problem.model_validate(
    {
        "space": {
            "elements": ["Fe", "Ga", "Pd"],
            "process": [
                {"kind": "continuous", "name": "anneal_c", "unit": "degC", "lower": 200.0, "upper": 700.0},
                {"kind": "categorical", "name": "substrate", "choices": ["Si", "glass"]},
            ],
        },
        "objectives": [{"property": "magnetisation", "unit": "emu/cm3"}],
        "film": {"devices": 5, "flux_ratio": 2.5},
    }
)
ELEMENTS, RATES = PROBLEM.space.elements, (0.5, 0.8, 1.3)
A, B = np.array([1 / 3, 1 / 3, 1 / 3]), np.array([0.1, 0.7, 0.2])
FILM = Film(A, B, np.array([0.25, 0.0, 1.0]), PROBLEM.film.mixing())


class Other:
    a, b, process = A, B, FILM.process
    gain, pair = 0.5, ("Fe", "Ga")


@dataclass(frozen=True)
class Advice:
    film: Film = FILM
    mean: Any = None
    sd: Any = None
    gain: float | None = 1.5
    policy: str = "expected_improvement"
    source: str = "model"
    reason: str = "because"
    alternatives: Any = (Other(),)
    pairs: Any = (Other(),)
    cost: float | None = None


def through_json(value):
    return json.loads(json.dumps(value))


def test_a_film_is_written_in_physical_units():
    film = through_json(written(Advice(mean=np.arange(5.0)[:, None], sd=np.full((5, 1), 0.5)), PROBLEM))
    assert film["a"] == {"Fe": 1 / 3, "Ga": 1 / 3, "Pd": 1 / 3}
    assert film["process"] == {"anneal_c": 325.0, "substrate": "glass"}
    assert film["positions"] == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert [d["index"] for d in film["devices"]] == [0, 1, 2, 3, 4]
    assert film["devices"][3]["predicted"] == {"mean": 3.0, "sd": 0.5}
    assert list(film["devices"][4]["composition"].values()) == pytest.approx(B.tolist())
    share = 0.5 * 2.5 / (0.5 + 0.5 * 2.5)  # the wedge, by hand
    middle = [(1 - share) * a + share * b for a, b in zip(A, B, strict=True)]
    assert list(film["devices"][2]["composition"].values()) == pytest.approx(middle)


def test_without_a_model_nothing_is_predicted():
    assert [d["predicted"] for d in written(Advice(), PROBLEM)["devices"]] == [None] * 5


def test_a_film_in_flight_is_read_back_as_it_was():
    read = unread_film(through_json(written(Advice(), PROBLEM)), PROBLEM, done=(), as_made={})
    assert np.array_equal(read.points(), FILM.points())


def test_devices_that_were_read_are_no_longer_in_flight():
    film = through_json(written(Advice(), PROBLEM))
    read = unread_film(film, PROBLEM, done={0, 2, 4}, as_made={})
    assert np.array_equal(read.points(), FILM.points()[[1, 3]])
    assert unread_film(film, PROBLEM, done=range(5), as_made={}) is None


def test_compositions_as_made_replace_the_proposed_ones():
    film = through_json(written(Advice(), PROBLEM))
    read = unread_film(film, PROBLEM, done={0, 1}, as_made={1: {"Fe": 1.0}, 3: {"Pd": 1.0}})
    assert read.compositions()[1].tolist() == [0.0, 0.0, 1.0]
    assert np.array_equal(read.compositions()[[0, 2]], FILM.compositions()[[2, 4]])
    assert np.array_equal(read.points()[:, 3:], FILM.points()[2:, 3:])


def test_alternatives_are_written_with_their_pair():
    (other,) = through_json(written_alternatives(Advice(), PROBLEM))
    assert (other["gain"], other["pair"], other["b"]["Ga"]) == (0.5, ["Fe", "Ga"], 0.7)
    assert other["process"]["anneal_c"] == 325.0


def test_versions_are_named_without_loading_the_libraries():
    versions = library_versions()
    assert versions["torch"].startswith("2.13")
    assert set(versions) == {"filmloop", "torch", "botorch", "gpytorch", "numpy", "scipy"}


def test_a_film_on_a_deposition_grid_is_read_back_from_its_commands():
    sources = [
        {"element": e, "rate": rate, "step": 1.0, "upper": 200.0} for e, rate in zip(ELEMENTS, RATES, strict=True)
    ]
    film = PROBLEM.film.model_dump() | {"flux_ratio": 1.0, "grid": {"unit": "W", "sources": sources}}
    problem = Problem.model_validate(PROBLEM.model_dump() | {"film": film})
    commands = Commands(np.array([100.0, 30.0, 7.0]), np.array([20.0, 90.0, 7.0]))
    made = commanded_film(commands, FILM.process, problem.space, problem.film)
    told = through_json(written(Advice(film=made), problem))
    assert told["commands"] == {
        "a": {"Fe": 100.0, "Ga": 30.0, "Pd": 7.0},
        "b": {"Fe": 20.0, "Ga": 90.0, "Pd": 7.0},
        "unit": "W",
    }
    read = unread_film(told, problem, done={1}, as_made={})
    # Another total flux at each end warps the positions: the ends alone would not give them back.
    assert np.array_equal(read.points(), made.points()[[0, 2, 3, 4]])
    assert not np.allclose(read.s, problem.film.mixing()[[0, 2, 3, 4]])


def test_without_a_grid_there_are_no_commands():
    assert written(Advice(), PROBLEM)["commands"] is None


def test_pairs_are_written_best_first():
    assert through_json(written_pairs(Advice())) == [{"pair": ["Fe", "Ga"], "gain": 0.5}]
