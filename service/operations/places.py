"""Where on a film something was measured: a device by its index, by its position or by its place in mm."""

from typing import NamedTuple, Protocol

from service.store.places import FilmPlaces

POSITION_TOLERANCE = 1e-6
"""Largest distance between a position and the device that is meant, in gradient lengths."""
POSITION_TOLERANCE_MM = 0.1
"""The same in mm along the film; where devices are close, a quarter of their spacing if that is less."""


class Spot(Protocol):
    """What tells a place on a film."""

    @property
    def film_id(self) -> str:
        """The film."""

    @property
    def device(self) -> int | None:
        """Index of the device."""

    @property
    def position(self) -> float | None:
        """Along the gradient, 0 at end A, 1 at end B."""

    @property
    def position_mm(self) -> float | None:
        """From end A, in mm."""


class Misplaced(NamedTuple):
    """Why no device is there."""

    field: str
    message: str


def given_ways(spot: Spot) -> list[str]:
    """The fields by which a place is told."""
    return [way for way in ("device", "position", "position_mm") if getattr(spot, way) is not None]


def place(spot: Spot, film: FilmPlaces) -> int | Misplaced:
    """The device that is meant, or why there is none."""
    if (index := spot.device) is not None and spot.position is None and spot.position_mm is None:
        return index if index in film.positions else _no_such_device(index, spot.film_id, film)
    given = given_ways(spot)
    if len(given) != 1:
        which = "neither" if not given else "both" if len(given) == 2 else "all"
        return Misplaced("device", f"exactly one of device, position and position_mm must be given, got {which}")
    if spot.position_mm is None:
        return _nearest("position", spot.position or 0.0, spot.film_id, film.positions, POSITION_TOLERANCE)
    if film.length_mm is None:
        return Misplaced("position_mm", "position_mm needs length_mm in the film geometry of the campaign; it has none")
    places = {device: position * film.length_mm for device, position in film.positions.items()}
    tolerance = min(POSITION_TOLERANCE_MM, film.spacing * film.length_mm / 4)
    return _nearest("position_mm", spot.position_mm, spot.film_id, places, tolerance)


def _no_such_device(device: int, film_id: str, film: FilmPlaces) -> Misplaced:
    return Misplaced("device", f"device {device} is outside 0..{len(film.positions) - 1} of film {film_id}")


def _nearest(field: str, wanted: float, film_id: str, places: dict[int, float], tolerance: float) -> int | Misplaced:
    device, nearest = min(places.items(), key=lambda item: abs(item[1] - wanted))
    if abs(nearest - wanted) <= tolerance:
        return device
    unit = " mm" if field == "position_mm" else ""
    message = (
        f"{field} {wanted} is not a device position of film {film_id}: "
        f"the nearest is {nearest:.9g}{unit} (device {device}), the tolerance {tolerance:g}{unit}"
    )
    return Misplaced(field, message)
