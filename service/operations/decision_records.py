"""What a decision was computed from, as it is kept beside it: enough to compute it again, to the last digit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from models.film import Film, named_commands
from models.problem import Problem
from service.operations.recommendations import MadeFilm


@dataclass(frozen=True)
class FlightReference:
    """A film in flight by its names."""

    proposal_id: str
    film_id: str | None
    """None while its making was not started."""
    devices: tuple[int, ...]
    """Those of its devices that are not yet read."""

    def written(self) -> dict[str, Any]:
        """As JSON."""
        return {"proposal_id": self.proposal_id, "film_id": self.film_id, "devices": list(self.devices)}


@dataclass(frozen=True)
class Making:
    """How a worker made a decision."""

    started_from: str | None = None
    """Model version from which the training's search began; none if it began cold."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Device, threads and processor: on others the last digits may differ."""
    generator: str | None = None
    """Model version of the generator that was at hand; none if there was none, or it could not be read."""


def written_flight(reference: FlightReference, film: Film, problem: Problem) -> dict[str, Any]:
    """A film in flight as the decision has seen it: X_pending."""
    elements = problem.space.elements

    def named(x: Sequence[float]) -> dict[str, float]:
        return dict(zip(elements, x, strict=True))

    commands = film.commands
    return {
        **reference.written(),
        "a": named(film.a.tolist()),
        "b": named(film.b.tolist()),
        "process_columns": film.process.tolist(),
        "mixing": film.s.tolist(),
        "as_made": [named(x) for x in film.made.tolist()] if isinstance(film, MadeFilm) else None,
        "commands": commands and {"a": named(commands.a.tolist()), "b": named(commands.b.tolist())},
    }


def read_flight(written: Mapping[str, Any], problem: Problem) -> Film:
    """Undo `written_flight`, bit by bit."""
    elements = problem.space.elements

    def fractions(named: Mapping[str, float]) -> list[float]:
        return [named[e] for e in elements]

    a, b = np.array(fractions(written["a"])), np.array(fractions(written["b"]))
    process = np.array(written["process_columns"], dtype=np.float64)
    s = np.array(written["mixing"], dtype=np.float64)
    told = written["commands"]
    commands = None if told is None else named_commands(told["a"], told["b"], problem.space)
    if written["as_made"] is None:
        return Film(a, b, process, s, commands=commands)
    made = np.array([fractions(named) for named in written["as_made"]])
    return MadeFilm(a, b, process, s, made, commands=commands)
