"""The device that a reading belongs to, whichever way the instrument tells it."""

from datetime import UTC, datetime

import pytest

from models.problem import Problem
from service.api.schemas.measurements import MeasurementCreate
from service.operations.readings import Checks, Reading
from service.store.places import FilmPlaces

PROBLEM = Problem.model_validate(
    {"space": {"elements": ["Fe", "Ga"]}, "objectives": [{"property": "m", "unit": "T"}], "film": {"devices": 5}}
)
READING: Reading = MeasurementCreate.model_construct(
    film_id="f", property="m", unit="T", measured_at=datetime(2026, 3, 1, tzinfo=UTC), value=1.0
)
EVEN = {k: k / 4 for k in range(5)}


def placed(film: FilmPlaces, **said):
    """The device, or what is wrong."""
    checks = Checks("c", PROBLEM, {"f": film})
    found = checks.check(0, READING.model_copy(update=said))
    return found.device if found else [v.message for v in checks.refused[0]]


@pytest.mark.parametrize(("place", "device"), [(0.0, 0), (0.08, 0), (19.0, 1), (18.91, 1), (76.0, 4), (75.95, 4)])
def test_a_place_in_mm_is_that_of_the_nearest_device(place, device):
    assert placed(FilmPlaces(EVEN, 76.0), position_mm=place) == device


@pytest.mark.parametrize("place", [0.11, 9.5, 18.8, 76.2, 1000.0])
def test_a_place_between_devices_is_refused_with_the_nearest(place):
    (message,) = placed(FilmPlaces(EVEN, 76.0), position_mm=place)
    assert f"position_mm {place} is not a device position" in message
    assert "the tolerance 0.1 mm" in message


def test_where_devices_are_close_a_place_must_be_nearer():
    film = FilmPlaces({k: k / 200 for k in range(201)}, 20.0)  # 0.1 mm apart
    assert placed(film, position_mm=0.12) == 1
    (message,) = placed(film, position_mm=0.14)
    assert "the tolerance 0.025 mm" in message


def test_a_film_of_one_device_has_a_place_too():
    assert placed(FilmPlaces({0: 0.5}, 10.0), position_mm=5.05) == 0


def test_without_a_length_there_are_no_places_in_mm():
    (message,) = placed(FilmPlaces(EVEN, None), position_mm=19.0)
    assert "length_mm" in message


@pytest.mark.parametrize(
    ("said", "which"),
    [
        ({}, "neither"),
        ({"device": 1, "position": 0.25}, "both"),
        ({"device": 1, "position_mm": 19.0}, "both"),
        ({"device": 1, "position": 0.25, "position_mm": 19.0}, "all"),
    ],
)
def test_exactly_one_way_is_given(said, which):
    (message,) = placed(FilmPlaces(EVEN, 76.0), **said)
    assert "exactly one of device, position and position_mm" in message
    assert message.endswith(f"got {which}")
