"""How a recommendation of the science is written down for robots and people, and read back for the science.

The science is met by shape only: `models.policies` would bring torch into the service.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

import models
from models.film import Film, commanded_film, named_commands
from models.problem import Problem

Array = NDArray[np.float64]

LIBRARIES = ("filmloop", "torch", "botorch", "gpytorch", "numpy", "scipy")


class Alternative(Protocol):
    """A film that was not chosen."""

    @property
    def a(self) -> Array:
        """End A, `d`."""

    @property
    def b(self) -> Array:
        """End B, `d`."""

    @property
    def process(self) -> Array:
        """Process vector in the unit cube."""

    @property
    def gain(self) -> float:
        """What it was expected to gain."""

    @property
    def pair(self) -> tuple[str, str] | None:
        """The elements that trade along it."""


class PairScore(Protocol):
    """What grading two elements against each other would gain."""

    @property
    def pair(self) -> tuple[str, str]:
        """The elements that trade."""

    @property
    def gain(self) -> float:
        """Gain of the best such film."""


class Recommendation(Protocol):
    """What a policy answers; see `models.policies.base.Recommendation`."""

    @property
    def film(self) -> Film:
        """The film to make."""

    @property
    def mean(self) -> Array | None:
        """`K x m` predicted latent property, physical units."""

    @property
    def sd(self) -> Array | None:
        """`K x m` its standard deviation."""

    @property
    def gain(self) -> float | None:
        """Expected gain in the objective's unit."""

    @property
    def policy(self) -> str:
        """Name of the policy that chose it."""

    @property
    def source(self) -> str:
        """`model`, `space_filling` or `random`."""

    @property
    def start(self) -> str | None:
        """What laid the film from which the search came to this one."""

    @property
    def reason(self) -> str:
        """One sentence for a person."""

    @property
    def alternatives(self) -> Sequence[Alternative]:
        """The best films that were not chosen."""

    @property
    def pairs(self) -> Sequence[PairScore]:
        """Every pair of elements that can be graded, the most gainful first."""

    @property
    def cost(self) -> float | None:
        """What making the film costs, where the campaign counts costs."""


@dataclass(frozen=True)
class MadeFilm(Film):
    """A film in flight whose devices are known as made: no longer exactly on the straight line between its ends."""

    made: Array
    """`K x d` compositions as made, of the same devices as `s`."""

    def compositions(self) -> Array:
        """Composition of each device as made, `K x d`."""
        return self.made


def written(recommendation: Recommendation, problem: Problem) -> dict[str, Any]:
    """A recommended film as JSON in physical units: ends, process, positions, devices with predictions."""
    found = written_film(recommendation.film, problem)
    for k, device in enumerate(found["devices"]):
        device["predicted"] = _predicted(recommendation, problem, k)
    return found


def written_film(film: Film, problem: Problem) -> dict[str, Any]:
    """A film of which nothing is predicted as JSON in physical units: ends, process, positions, devices."""
    space = problem.space
    positions = problem.film.device_positions().tolist()
    devices = [
        {
            "index": k,
            "position": positions[k],
            "composition": _named(x, space.elements),
            "predicted": None,
        }
        for k, x in enumerate(film.compositions())
    ]
    return {
        "a": _named(film.a, space.elements),
        "b": _named(film.b, space.elements),
        "process": space.decode_process(film.process),
        "commands": _commands(film, problem),
        "positions": positions,
        "devices": devices,
    }


def written_alternatives(recommendation: Recommendation, problem: Problem) -> list[dict[str, Any]]:
    """The films that were not chosen as JSON, the best first."""
    space = problem.space
    return [
        {
            "a": _named(other.a, space.elements),
            "b": _named(other.b, space.elements),
            "process": space.decode_process(other.process),
            "gain": float(other.gain),
            "pair": None if other.pair is None else list(other.pair),
        }
        for other in recommendation.alternatives
    ]


def written_pairs(recommendation: Recommendation) -> list[dict[str, Any]]:
    """What grading each pair of elements would gain, as JSON, the best first."""
    return [{"pair": list(score.pair), "gain": float(score.gain)} for score in recommendation.pairs]


def unread_film(
    film: Mapping[str, Any], problem: Problem, done: Iterable[int], as_made: Mapping[int, Mapping[str, float]]
) -> Film | None:
    """A film in flight with those of its devices that are not yet read; None if all are.

    Args:
        film: As `written` wrote it.
        problem: Under which it was written.
        done: Devices that were read or are dead.
        as_made: Composition as made by device, as far as it is known.
    """
    elements = problem.space.elements
    finished = set(done)
    waiting = [d["index"] for d in film["devices"] if d["index"] not in finished]
    if not waiting:
        return None
    proposed = proposed_film(film, problem)
    a, b, process, s = proposed.a, proposed.b, proposed.process, proposed.s[waiting]
    if not as_made:
        return Film(a, b, process, s, commands=proposed.commands)
    nominal = {d["index"]: d["composition"] for d in film["devices"]}
    made = np.array([[(as_made.get(k) or nominal[k]).get(e, 0.0) for e in elements] for k in waiting])
    return MadeFilm(a, b, process, s, made, commands=proposed.commands)


def proposed_film(film: Mapping[str, Any], problem: Problem) -> Film:
    """The whole film that was proposed; on a deposition grid it follows from its commands.

    Args:
        film: As `written` wrote it.
        problem: With the film geometry under which it was written.

    Raises:
        InvalidComposition: If its process values have no meaning in the problem.
    """
    process, told = problem.space.encode_process(film["process"]), film.get("commands")
    if told is not None:
        return commanded_film(named_commands(told["a"], told["b"], problem.space), process, problem.space, problem.film)
    a, b = (np.array([film[end].get(e, 0.0) for e in problem.space.elements]) for end in ("a", "b"))
    return Film(a, b, process, problem.film.mixing())


def library_versions() -> dict[str, str]:
    """Versions of what computes a decision, read from the installation without importing it."""
    return {name: _version(name) for name in LIBRARIES}


@cache
def code_version() -> str:
    """Version of Filmloop and, after the `+`, what its science's source says: equal ones compute alike."""
    digest = hashlib.sha256()
    folder = Path(models.__file__ or "").parent
    for path in sorted(folder.rglob("*.py")):
        digest.update(f"{path.relative_to(folder).as_posix()}\0".encode())
        digest.update(path.read_bytes())
    return f"{_version('filmloop')}+{digest.hexdigest()[:12]}"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _named(x: Array, elements: Sequence[str]) -> dict[str, float]:
    return dict(zip(elements, x.tolist(), strict=True))


def _commands(film: Film, problem: Problem) -> dict[str, Any] | None:
    if film.commands is None or problem.film.grid is None:
        return None
    elements = problem.space.elements
    told = {"a": _named(film.commands.a, elements), "b": _named(film.commands.b, elements)}
    return {**told, "unit": problem.film.grid.unit}


def _predicted(recommendation: Recommendation, problem: Problem, device: int) -> dict[str, Any] | None:
    """What is expected of one device: mean and sd of the only property, or of each of several by its name."""
    if recommendation.mean is None or recommendation.sd is None:
        return None
    each = zip(recommendation.mean[device].tolist(), recommendation.sd[device].tolist(), strict=True)
    said = [{"mean": mean, "sd": sd} for mean, sd in each]
    if len(said) == 1:
        return dict(said[0])
    return {p.property: values for p, values in zip(problem.properties, said, strict=True)}
