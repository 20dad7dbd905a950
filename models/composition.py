"""Where films may lie: the composition simplex with its rules, and the process variables.

Compositions are arrays of atomic fractions in the order of `SearchSpace.elements`; they sum to 1. Process vectors
are arrays in the unit cube, in the order of `SearchSpace.process_columns`.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import islice
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from models.errors import InvalidComposition
from models.polytope import Polytope, polytope
from models.presence import ENUMERATED, Presence, find_point, supports
from models.rules import (
    CategoricalVariable,
    ContinuousVariable,
    ElementBounds,
    Finite,
    Fraction,
    GroupRule,
    LinearRule,
    Name,
    ProcessValues,
    ProcessVariable,
)

__all__ = [
    "TOLERANCE",
    "CategoricalVariable",
    "ContinuousVariable",
    "ElementBounds",
    "Finite",
    "Fraction",
    "GroupRule",
    "LinearRule",
    "Name",
    "ProcessValues",
    "ProcessVariable",
    "SearchSpace",
]

SAMPLED_SUPPORTS = 64
"""Largest number of supports among which sampled compositions are divided."""
TOLERANCE = 1e-9
"""Largest amount by which a proposed composition may break a rule."""


class SearchSpace(BaseModel):
    """Every film that a campaign may ask for: elements, rules on their fractions, process variables.

    Raises (as validation errors): if names repeat or are unknown, or if no composition obeys the rules.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    elements: tuple[Name, ...] = Field(min_length=2, max_length=20, json_schema_extra={"uniqueItems": True})
    bounds: tuple[ElementBounds, ...] = ()
    groups: tuple[GroupRule, ...] = ()
    linear: tuple[LinearRule, ...] = ()
    process: tuple[ProcessVariable, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(set(self.elements)) != len(self.elements):
            raise ValueError(f"elements repeat: {self.elements}")
        named = {e for r in self.groups for e in r.elements} | {e for r in self.linear for e in r.coefficients}
        named |= {b.element for b in self.bounds}
        if unknown := sorted(named - set(self.elements)):
            raise ValueError(f"rules name {unknown}, which are not among the elements {list(self.elements)}")
        if len({b.element for b in self.bounds}) != len(self.bounds):
            raise ValueError("an element has more than one entry in bounds")
        if len({p.name for p in self.process}) != len(self.process):
            raise ValueError("process variable names repeat")
        if not self._feasible():
            raise ValueError(f"no composition obeys all of: {'; '.join(self._clash())}")
        return self

    def _feasible(self, rows: Sequence[int] | None = None, limits: Sequence[int] | None = None) -> bool:
        """Whether a composition obeys the linear rules `rows` and the presence limits `limits` (all if not given)."""
        G, h, _ = self.inequalities()
        presence = self.presence()
        if limits is not None:
            presence = replace(presence, limits=tuple(presence.limits[k] for k in limits))
        kept = slice(None) if rows is None else list(rows)
        return find_point(G[kept], h[kept], presence) is not None

    def _clash(self) -> list[str]:
        """Names of a smallest set of rules that exclude each other: each is left out in turn and kept if it matters."""
        names = self.inequalities()[2]
        rows, limits = list(range(len(names))), list(range(len(self.presence().limits)))
        for k in range(len(names)):
            fewer = [r for r in rows if r != k]
            rows = rows if self._feasible(fewer, limits) else fewer
        for k in range(len(limits)):
            fewer = [r for r in limits if r != k]
            limits = limits if self._feasible(rows, fewer) else fewer
        limited = [g for g in self.groups if g.max_present is not None]
        clash = [names[k] for k in rows] + [
            f"group {limited[k].name}: at most {limited[k].max_present}" for k in limits
        ]
        clash += [f"{b.element} absent or >= {b.absent_or_at_least:g}" for b in self.bounds if b.absent_or_at_least]
        return [*clash, "fractions sum to 1"]

    def presence(self) -> Presence:
        """The rules on which elements may be present together."""
        least = {b.element: b.absent_or_at_least or 0.0 for b in self.bounds}
        members = [(g, np.array([e in g.elements for e in self.elements])) for g in self.groups]
        return Presence(
            np.array([least.get(e, 0.0) for e in self.elements]),
            tuple((mask, g.max_present) for g, mask in members if g.max_present is not None),
        )

    def supports(self, limit: int = ENUMERATED, seed: int = 0) -> tuple[list[NDArray[np.bool_]], bool]:
        """Sets of elements (d) that may be present together, and whether these are all; above `limit` a seeded draw."""
        G, h, _ = self.inequalities()
        return supports(G, h, self.lower(), self.presence(), limit=limit, rng=np.random.default_rng(seed))

    def region(self, support: NDArray[np.bool_]) -> Polytope | None:
        """The compositions of one support (d), or None if there is none."""
        G, h, _ = self.inequalities()
        least = np.where(support, self.presence().least, 0.0)
        absent = np.eye(self.dimension)[~support]
        return polytope(
            np.vstack([G, -np.eye(self.dimension)]),
            np.concatenate([h, -least]),
            np.vstack([np.ones(self.dimension), absent]),
            np.concatenate([[1.0], np.zeros(len(absent))]),
        )

    def sample(self, count: int, seed: int) -> NDArray[np.float64]:
        """Draw feasible compositions, `count x d`: nearly uniform in each support, supports in equal parts.

        At most `SAMPLED_SUPPORTS` supports, drawn by seed, have a part.
        """
        rng = np.random.default_rng(seed)
        masks, _ = self.supports(seed=seed)
        regions = ((masks[k], self.region(masks[k])) for k in rng.permutation(len(masks)))
        drawn = list(islice(((mask, region) for mask, region in regions if region is not None), SAMPLED_SUPPORTS))
        shares = [len(part) for part in np.array_split(np.arange(count), len(drawn))]
        parts = [np.where(m, r.sample(n, rng), 0.0) for (m, r), n in zip(drawn, shares, strict=True)]
        return np.vstack(parts)[rng.permutation(count)]

    @property
    def dimension(self) -> int:
        """Number of elements, d."""
        return len(self.elements)

    @property
    def process_columns(self) -> tuple[str, ...]:
        """Column names of the process part of a device point: one per continuous variable, one per choice."""
        return tuple(
            c
            for v in self.process
            for c in ([v.name] if isinstance(v, ContinuousVariable) else [f"{v.name}={x}" for x in v.choices])
        )

    def lower(self) -> NDArray[np.float64]:
        """Least fraction of each element, `d`."""
        by_name = {b.element: b.lower for b in self.bounds}
        return np.array([by_name.get(e, 0.0) for e in self.elements])

    def upper(self) -> NDArray[np.float64]:
        """Largest fraction of each element, `d`."""
        by_name = {b.element: b.upper for b in self.bounds}
        return np.array([by_name.get(e, 1.0) for e in self.elements])

    def inequalities(self) -> tuple[NDArray[np.float64], NDArray[np.float64], tuple[str, ...]]:
        """Every linear rule as `G x <= h` on one composition; linear, so both ends of a film are enough.

        Returns:
            `G` (r x d), `h` (r), and a name for each row that a person understands. The sum to 1 and the rules on
            presence (`max_present`, `absent_or_at_least`) are not among them. The largest coefficient of each row is
            1, so that slack is measured in fractions whatever the unit of the rule. The arrays are kept: read only.
        """
        linear = tuple((r.name, tuple(r.coefficients.items()), r.lower, r.upper) for r in self.linear)
        return _inequalities(self.elements, self.bounds, self.groups, linear)

    def violations(self, x: NDArray[np.float64]) -> list[str]:
        """Name every rule that the composition `x` (d) breaks by more than `TOLERANCE`, with its value and bound.

        Raises:
            InvalidComposition: If `x` is not a finite vector of length d.
        """
        x = np.asarray(x, dtype=np.float64)
        if x.shape != (self.dimension,) or not np.isfinite(x).all():
            raise InvalidComposition(f"expected {self.dimension} finite fractions of {list(self.elements)}, got {x}")
        broken = [f"fractions sum to 1: the sum is {x.sum():.12g}"] if abs(x.sum() - 1.0) > TOLERANCE else []
        G, h, names = self.inequalities()
        excess = G @ x - h
        broken += [f"{name}: off by {e:.3g}" for name, e in zip(names, excess, strict=True) if e > TOLERANCE]
        return broken + self._presence_violations(x)

    def _presence_violations(self, x: NDArray[np.float64]) -> list[str]:
        by_name = dict(zip(self.elements, x.tolist(), strict=True))
        broken = []
        for b in self.bounds:
            least = b.absent_or_at_least
            if least is not None and TOLERANCE < by_name[b.element] < least - TOLERANCE:
                broken.append(f"{b.element} absent or >= {least:g}: is {by_name[b.element]:.12g}")
        for g in self.groups:
            present = [e for e in g.elements if by_name[e] > TOLERANCE]
            if g.max_present is not None and len(present) > g.max_present:
                broken.append(f"group {g.name}: at most {g.max_present} present: {', '.join(present)} are")
        return broken

    def process_strides(self) -> NDArray[np.float64]:
        """Step of each process column in the unit cube, `p`; 0 where any value may be taken."""
        strides = [[v.stride()] if isinstance(v, ContinuousVariable) else [0.0] * v.width for v in self.process]
        return np.array([u for part in strides for u in part])

    def process_violations(self, columns: NDArray[np.float64]) -> list[str]:
        """Name every rule that a process vector in the unit cube breaks by more than `TOLERANCE`."""
        names = self.process_columns
        if columns.shape != (len(names),) or not ((columns >= 0.0) & (columns <= 1.0)).all():
            return [f"process within the unit cube, {len(names)} columns: is {columns}"]
        broken, first = [], 0
        for v in self.process:
            part, first = columns[first : first + v.width], first + v.width
            if isinstance(v, CategoricalVariable) and sorted(part.tolist()) != [0.0] * (v.width - 1) + [1.0]:
                broken.append(f"{v.name} is one of {list(v.choices)}: its columns are {part}")
            elif isinstance(v, ContinuousVariable) and v.step is not None:
                off = part[0] - np.rint(part[0] / v.stride()) * v.stride()
                if abs(off) > TOLERANCE:
                    broken.append(f"{v.name} in steps of {v.step:g} {v.unit}: is {v.decode(part):.12g}")
        return broken

    def encode_process(self, values: ProcessValues) -> NDArray[np.float64]:
        """Map process values in physical units to the unit cube, in the order of `process_columns`.

        Raises:
            InvalidComposition: If a variable is missing, unknown, out of its range or not one of its choices.
        """
        if set(values) != {v.name for v in self.process}:
            raise InvalidComposition(f"process values {sorted(values)} are not {sorted(v.name for v in self.process)}")
        return np.array([u for v in self.process for u in v.encode(values[v.name])])

    def decode_process(self, columns: NDArray[np.float64]) -> ProcessValues:
        """Map a process vector in the unit cube back to physical units and names of choices.

        Raises:
            InvalidComposition: If the vector has the wrong length or is not finite.
        """
        columns = np.asarray(columns, dtype=np.float64)
        if columns.shape != (len(self.process_columns),) or not np.isfinite(columns).all():
            raise InvalidComposition(f"expected finite columns {self.process_columns}, got {columns}")
        values: ProcessValues = {}
        for v in self.process:
            values[v.name] = v.decode(columns[: v.width])
            columns = columns[v.width :]
        return values


Relation = tuple[str, tuple[tuple[str, float], ...], float | None, float | None]
"""A linear rule that can be looked up: name, coefficients, lower and upper bound."""


@lru_cache(maxsize=64)
def _inequalities(
    elements: tuple[str, ...],
    bounds: tuple[ElementBounds, ...],
    groups: tuple[GroupRule, ...],
    linear: tuple[Relation, ...],
) -> tuple[NDArray[np.float64], NDArray[np.float64], tuple[str, ...]]:
    """See `SearchSpace.inequalities`. Kept here and not in the space, whose copies may have other rules."""
    rows: list[tuple[NDArray[np.float64], float, str]] = []
    ranges = {b.element: (b.lower, b.upper) for b in bounds}
    for unit, element in zip(np.eye(len(elements)), elements, strict=True):
        low, high = ranges.get(element, (0.0, 1.0))
        rows.append((-unit, -low, f"{element} >= {low:g}"))
        rows.append((unit, high, f"{element} <= {high:g}"))
    for group in groups:
        total = np.array([1.0 if e in group.elements else 0.0 for e in elements])
        rows.append((-total, -group.lower, f"group {group.name} >= {group.lower:g}"))
        rows.append((total, group.upper, f"group {group.name} <= {group.upper:g}"))
    for name, coefficients, lower, upper in linear:
        a = np.array([dict(coefficients).get(e, 0.0) for e in elements])
        size = float(np.abs(a).max()) or 1.0
        if lower is not None:
            rows.append((-a / size, -lower / size, f"{name} >= {lower:g}"))
        if upper is not None:
            rows.append((a / size, upper / size, f"{name} <= {upper:g}"))
    G, h = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
    G.setflags(write=False)
    h.setflags(write=False)
    return G, h, tuple(r[2] for r in rows)
