"""A film: a composition gradient between two ends, measured at K positions.

Wedge physics: at position t the flux is (1 - t) u + t v with unnormalised fluxes u, v. With A = u/|u|, B = v/|v| and
r = |v|/|u| the composition is x(t) = (1 - s) A + s B, s(t) = t r / ((1 - t) + t r): a straight segment in the simplex
whose positions are warped. Source: the identity is derived in docs/science.md, section 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from models.composition import TOLERANCE, Fraction, Name, ProcessValues, SearchSpace
from models.deposition import Commands, DepositionGrid, fractions
from models.errors import InvalidComposition

Position = Annotated[float, Field(strict=True, ge=0.0, le=1.0, allow_inf_nan=False)]


class FilmChoice(BaseModel):
    """One film that the lab can make: its end compositions, elements left out are absent, and its process."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    a: dict[Name, Fraction] = Field(min_length=1)
    b: dict[Name, Fraction] = Field(min_length=1)
    process: ProcessValues = Field(default_factory=dict)


class FilmGeometry(BaseModel):
    """What every film of a campaign has in common: devices, how it may be graded, how far it may reach."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    devices: int = Field(strict=True, default=13, ge=1, le=200)
    """Number of device positions, K."""
    positions: tuple[Position, ...] | None = None
    """Position of each device along the gradient, increasing, 0 at end A, 1 at end B. Evenly spaced if not given."""
    length_mm: float | None = Field(strict=True, default=None, gt=0.0, le=10_000.0, allow_inf_nan=False)
    """Length of the gradient in mm, from position 0 to position 1; if given, readings may tell their place in mm."""
    grading: Literal["free", "pair"] = "free"
    """`free`: every element may change along the film. `pair`: two elements trade, the others stay constant."""
    span_min: Fraction = 0.0
    """Least change of the most-changing element between the ends. 0 allows a uniform film."""
    span_max: Fraction = 1.0
    """Largest change of any element between the ends."""
    flux_ratio: float = Field(strict=True, default=1.0, gt=0.0, le=100.0, allow_inf_nan=False)
    """Total flux at end B over total flux at end A; it warps the positions. On a deposition grid it is what rounding
    aims at, and a film has the ratio of its own commands."""
    choices: tuple[FilmChoice, ...] = Field(default=(), max_length=100_000)
    """If any, only these films can be made (masks that exist, recipes that are qualified); each may be repeated."""
    grid: DepositionGrid | None = None
    """What the sources can be told; if given, films carry commands. Without it any fraction can be made."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.positions is not None:
            if len(self.positions) != self.devices:
                raise ValueError(f"{len(self.positions)} positions were given for {self.devices} devices")
            if any(b <= a for a, b in zip(self.positions, self.positions[1:], strict=False)):
                raise ValueError("positions must increase")
        if self.span_min > self.span_max:
            raise ValueError(f"span_min {self.span_min} is above span_max {self.span_max}")
        if self.grid is not None and self.choices:
            raise ValueError("films are either listed (choices) or rounded to a deposition grid (grid), not both")
        return self

    def device_positions(self) -> NDArray[np.float64]:
        """Position of each device, `K`."""
        if self.positions is not None:
            return np.array(self.positions)
        return np.linspace(0.0, 1.0, self.devices) if self.devices > 1 else np.array([0.5])

    def mixing(self) -> NDArray[np.float64]:
        """Share of end B at each device, `K`: s(t) of the wedge."""
        return mixing(self.device_positions(), self.flux_ratio)


def mixing(positions: NDArray[np.float64], flux_ratio: float = 1.0) -> NDArray[np.float64]:
    """Share of end B in the composition at each position: s(t) = t r / ((1 - t) + t r)."""
    return positions * flux_ratio / ((1.0 - positions) + positions * flux_ratio)


@dataclass(frozen=True)
class Film:
    """One film: end compositions `a`, `b` (d), process vector in the unit cube (p columns), device mixing `s` (K)."""

    a: NDArray[np.float64]
    b: NDArray[np.float64]
    process: NDArray[np.float64]
    s: NDArray[np.float64]
    commands: Commands | None = field(default=None, kw_only=True)
    """What the sources are told, where the campaign has a deposition grid."""

    def __post_init__(self) -> None:
        for end in (self.a, self.b):
            if end.shape != self.a.shape or end.ndim != 1 or not np.isfinite(end).all():
                raise InvalidComposition(f"film ends must be finite vectors of one length, got {self.a} and {self.b}")

    def compositions(self) -> NDArray[np.float64]:
        """Composition of each device, `K x d`."""
        return (1.0 - self.s)[:, None] * self.a + self.s[:, None] * self.b

    def points(self) -> NDArray[np.float64]:
        """Device points as the surrogate sees them, `K x (d + p)`: fractions, then process columns."""
        return np.hstack([self.compositions(), np.tile(self.process, (len(self.s), 1))])


def commanded_film(
    commands: Commands, process: NDArray[np.float64], space: SearchSpace, geometry: FilmGeometry
) -> Film:
    """The film that follows from commands on the geometry's grid: its ends, and its positions by its own flux ratio.

    Raises:
        ValueError: If the geometry has no grid.
    """
    if geometry.grid is None:
        raise ValueError("commands need a deposition grid")
    rate = geometry.grid.table(space.elements).rate
    told = np.array([commands.a, commands.b])
    ends, _ = fractions(rate * told)
    s = mixing(geometry.device_positions(), _ratio(geometry.grid, told, space))
    return Film(ends[0], ends[1], process, s, commands=commands)


def _ratio(grid: DepositionGrid, told: NDArray[np.float64], space: SearchSpace) -> float:
    """Total flux at end B over that at end A, of commands 2 x d."""
    totals = told @ grid.table(space.elements).rate
    return float(totals[1] / totals[0]) if totals[0] else float("inf")


def named_commands(a: Mapping[str, float], b: Mapping[str, float], space: SearchSpace) -> Commands:
    """Commands by element as arrays; sources left out are off."""
    return Commands(*(np.array([end.get(e, 0.0) for e in space.elements]) for end in (a, b)))


def film_violations(film: Film, space: SearchSpace, geometry: FilmGeometry) -> list[str]:
    """Name every rule that a film breaks by more than `TOLERANCE`: at any device, between the ends, in its process."""
    broken = [f"device {k}: {v}" for k, x in enumerate(film.compositions()) for v in space.violations(x)]
    broken += [f"end {e}: {v}" for e, x in (("A", film.a), ("B", film.b)) for v in space.violations(x)]
    union = np.maximum(film.a, film.b)
    for mask, most in space.presence().limits:
        if int((union[mask] > TOLERANCE).sum()) > most:
            broken.append(f"at most {most} of a group present in a film: {int((union[mask] > TOLERANCE).sum())} are")
    change = np.abs(film.a - film.b)
    if not geometry.span_min - TOLERANCE <= change.max() <= geometry.span_max + TOLERANCE:
        broken.append(f"span {geometry.span_min:g} to {geometry.span_max:g}: is {change.max():.12g}")
    if geometry.grid is not None:
        broken += _grid_violations(film, space, geometry, geometry.grid)
    elif geometry.grading == "pair" and int((change > TOLERANCE).sum()) > 2:
        broken.append(f"two elements trade: {int((change > TOLERANCE).sum())} change")
    return broken + space.process_violations(film.process)


def _grid_violations(film: Film, space: SearchSpace, geometry: FilmGeometry, grid: DepositionGrid) -> list[str]:
    """Name every rule of the deposition grid that a film breaks."""
    if film.commands is None:
        return ["deposition grid: the film has no commands"]
    told, table, broken = np.array([film.commands.a, film.commands.b]), grid.table(space.elements), []
    counts = table.counts(told)
    on = counts.any(axis=0)
    for k in np.flatnonzero((np.abs(told - table.commands(counts)) > TOLERANCE * table.step).any(axis=0)):
        broken.append(f"deposition grid: {space.elements[k]} in steps of {table.step[k]:g} {grid.unit}: {told[:, k]}")
    for k in np.flatnonzero(on & ((counts < table.least) | (counts > table.most)).any(axis=0)):
        least, most = table.commands(np.array([table.least, table.most]))[:, k]
        span = f"off or {least:g} to {most:g} {grid.unit} at both ends"
        broken.append(f"deposition grid: {space.elements[k]} {span}: is {told[:, k]}")
    if not told.any(axis=1).all():
        return [*broken, "deposition grid: no source is on at an end"]
    ratio = _ratio(grid, told, space)
    if abs(ratio / geometry.flux_ratio - 1.0) > grid.ratio_within + TOLERANCE:
        broken.append(f"flux ratio {geometry.flux_ratio:g} within a share of {grid.ratio_within:g}: is {ratio:.12g}")
    made = commanded_film(film.commands, film.process, space, geometry)
    for name, nominal, followed in (("A", film.a, made.a), ("B", film.b, made.b), ("positions", film.s, made.s)):
        if nominal.shape != followed.shape or np.abs(nominal - followed).max() > TOLERANCE:
            broken.append(f"deposition grid: {name} does not follow from the commands")
    return broken + (_pair_violations(film, counts, grid) if geometry.grading == "pair" else [])


def _pair_violations(film: Film, counts: NDArray[np.int64], grid: DepositionGrid) -> list[str]:
    """Pair grading on a grid: at most two commands change, and the other fractions hardly do."""
    moved = counts[0] != counts[1]
    if moved.sum() > 2:
        return [f"two elements trade: the commands of {int(moved.sum())} change"]
    drift = float(np.abs(film.a - film.b)[~moved].max(initial=0.0))
    if drift > grid.constant_within + TOLERANCE:
        return [f"fixed elements constant within {grid.constant_within:g}: one changes by {drift:.12g}"]
    return []


def chosen_film(choice: FilmChoice, space: SearchSpace, geometry: FilmGeometry) -> Film:
    """A listed film, fractions that the list leaves out being 0.

    Raises:
        InvalidComposition: If its process values are not those of the search space.
    """
    a, b = (np.array([end.get(e, 0.0) for e in space.elements]) for end in (choice.a, choice.b))
    return Film(a, b, space.encode_process(choice.process), geometry.mixing())


def choice_violations(choice: FilmChoice, space: SearchSpace, geometry: FilmGeometry) -> list[str]:
    """Name every rule that a listed film breaks, unknown elements and process values among them."""
    if unknown := sorted({*choice.a, *choice.b} - set(space.elements)):
        return [f"unknown elements {unknown}; the search space has {list(space.elements)}"]
    try:
        film = chosen_film(choice, space, geometry)
    except InvalidComposition as error:
        return [str(error)]
    return film_violations(film, space, geometry)
