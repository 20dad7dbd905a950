"""The deposition grid: what the sources can be told, and the film that follows from it.

The source of element k is told a command c_k (watts, seconds) at each end of a film, a multiple of its step. With the
rate q_k its flux there is q_k c_k, and a film is what the fluxes u, v at the ends make of it:

    u_k = q_k c_k(A),    v_k = q_k c_k(B),    A = u / |u|,    B = v / |v|,    r = |v| / |u|                    (1)

| symbol | meaning | shape |
| --- | --- | --- |
| c | commands | d per end |
| n | commands counted in steps, c = step n | b x 2 x d |
| u, v | fluxes at ends A and B | d |
| r | flux ratio: it warps the positions of the devices | b |

A source is off for the whole film, or on at both ends with a command from `lower` to `upper`.

**Pair grading.** A fixed element keeps its fraction only if its flux and the total flux are constant along the film.
What a lab can hold is the command, so this is the rule here: only the two sources of the pair change their command.
Their steps seldom cancel to the last digit, so the total flux changes by up to about half a step, and with it the fixed
fractions, by the same share. `constant_within` bounds that. At 0 only rates whose steps are whole multiples of each
other leave any film with a fixed element.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from models.rules import Fraction, Name

Array = NDArray[np.float64]
Counts = NDArray[np.int64]
Positive = Annotated[float, Field(strict=True, gt=0.0, le=1e12, allow_inf_nan=False)]

ON_STEP = 1e-9
"""Largest distance of a command from a multiple of its step, in steps."""
MOST_STEPS = 10_000_000
"""Largest number of steps from 0 to the largest command: beyond it there is nothing left to round."""


@dataclass(frozen=True)
class Commands:
    """What the sources are told at both ends of a film, `d` each, in the grid's unit and the order of the elements."""

    a: Array
    b: Array


class Source(BaseModel):
    """The source of one element."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    element: Name
    rate: Positive
    """Atoms per unit of command, in one unit for all sources."""
    step: Positive
    """Commands are whole multiples of this."""
    lower: float = Field(strict=True, default=0.0, ge=0.0, le=1e12, allow_inf_nan=False)
    """Least command of a source that is on, e.g. the least power of a stable plasma. 0: it may fade out at one end."""
    upper: Positive
    """Largest command."""

    @model_validator(mode="after")
    def _some_command(self) -> Self:
        largest = max(self.lower, self.upper)
        if largest / self.step > MOST_STEPS:
            raise ValueError(f"{self.element}: more than {MOST_STEPS:,} steps of {self.step:g} up to {largest:g}")
        if self.most < max(1, self.least):
            span = f"from {self.lower:g} to {self.upper:g}"
            raise ValueError(f"{self.element}: no multiple of the step {self.step:g} lies {span}")
        return self

    @property
    def least(self) -> int:
        """Least command in steps."""
        return int(np.ceil(self.lower / self.step - ON_STEP))

    @property
    def most(self) -> int:
        """Largest command in steps."""
        return int(np.floor(self.upper / self.step + ON_STEP))


@dataclass(frozen=True)
class SourceTable:
    """The sources as arrays in the order of the elements, `d` each."""

    rate: Array
    step: Array
    least: Counts
    most: Counts

    def commands(self, counts: Counts) -> Array:
        """Commands (... x d) of counts of steps; without the last digits of a product, 0.3 and not 3 times 0.1."""
        return np.round(counts * self.step, 12)

    def counts(self, commands: Array) -> Counts:
        """The nearest counts of steps, `... x d`."""
        return np.rint(commands / self.step).astype(np.int64)

    def ends(self, counts: Counts) -> tuple[Array, Array]:
        """Fractions at the ends, `b x 2 x d`, and total fluxes, `b x 2`, by eq. (1); NaN where no source is on."""
        return fractions(self.rate * self.commands(counts))


def fractions(flux: Array) -> tuple[Array, Array]:
    """Fractions (... x d) and total (...) of fluxes; NaN where the total is 0."""
    total = flux.sum(axis=-1)
    with np.errstate(invalid="ignore"):
        return flux / total[..., None], total


class DepositionGrid(BaseModel):
    """What the sources can be told. Films are rounded to it, and obey every rule as commanded."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    unit: Name
    """Unit of the commands, e.g. `W` or `s`."""
    sources: tuple[Source, ...] = Field(min_length=1)
    """One for every element of the search space."""
    constant_within: Fraction = 0.005
    """Pair grading: largest change of a fixed element's fraction along a film; half an atomic percent if not given."""

    ratio_within: float = Field(strict=True, default=0.2, ge=0.0, le=1.0, allow_inf_nan=False)
    """Largest share by which a film's own flux ratio may miss the geometry's: how even its thickness has to be."""

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        elements = [source.element for source in self.sources]
        if twice := sorted({e for e in elements if elements.count(e) > 1}):
            raise ValueError(f"one source per element: {', '.join(twice)} has more")
        return self

    def mismatch(self, elements: Sequence[str]) -> str | None:
        """Say which elements lack a source, or which sources have no element; None if they agree."""
        named = {source.element for source in self.sources}
        if missing := [e for e in elements if e not in named]:
            return f"the deposition grid has no source of {', '.join(missing)}"
        if foreign := sorted(named - set(elements)):
            return f"the deposition grid has sources of {', '.join(foreign)}, which are not among the elements"
        return None

    def table(self, elements: Sequence[str]) -> SourceTable:
        """The sources in the order of `elements`."""
        by_name = {source.element: source for source in self.sources}
        ordered = [by_name[e] for e in elements]
        return SourceTable(
            np.array([s.rate for s in ordered]),
            np.array([s.step for s in ordered]),
            np.array([s.least for s in ordered], dtype=np.int64),
            np.array([s.most for s in ordered], dtype=np.int64),
        )
