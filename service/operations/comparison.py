"""Compare a proposal that was computed again with the one that is recorded: figure by figure, each with its tolerance.

| figure | tolerance |
| --- | --- |
| atomic fraction | 0.001: no deposition is that exact |
| continuous process variable | a thousandth of its range |
| predicted mean | a hundredth of the predicted standard deviation |
| predicted standard deviation, gain | a hundredth of itself |
| cost | a millionth of itself |
| commands, positions, names, and whatever else | none |
| hyperparameters of the model | judged by what it predicts |
| wording of the reason | judged by the figures in it |
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from models.composition import ContinuousVariable
from models.problem import Problem

Verdict = Literal["identical", "within_tolerance", "differs"]
FRACTION = 1e-3
RELATIVE = 1e-2
COST = 1e-6
LISTED = 50
"""Most differences that a report names."""


@dataclass(frozen=True)
class Difference:
    """One figure that came out otherwise."""

    field: str
    """JSON Pointer into the proposal, e.g. `/film/devices/3/predicted/mean`; or `/model/...`, `/provenance/...`."""
    recorded: Any
    recomputed: Any
    difference: float | None
    """Size, in the figure's own unit; None where it is no number."""
    tolerance: float | None
    """None where there is none: then it is judged by other figures if it is `within`."""
    within: bool


def verdict(differences: list[Difference]) -> Verdict:
    """What a comparison comes to."""
    if not differences:
        return "identical"
    return "within_tolerance" if all(d.within for d in differences) else "differs"


def listed(differences: list[Difference]) -> list[dict[str, Any]]:
    """The differences as JSON, the worst first, boundedly many."""

    def badness(found: Difference) -> tuple[bool, float]:
        share = found.difference / found.tolerance if found.difference is not None and found.tolerance else math.inf
        return found.within, -share

    return [asdict(found) for found in sorted(differences, key=badness)[:LISTED]]


def compare(recorded: Any, recomputed: Any, problem: Problem) -> list[Difference]:  # noqa: ANN401 - any JSON
    """Every leaf of two JSON values that is not the same."""
    spans = {v.name: v.upper - v.lower for v in problem.space.process if isinstance(v, ContinuousVariable)}
    return list(_walk((), recorded, recomputed, _Tolerances(spans)))


def compare_arrays(
    recorded: Mapping[str, NDArray[Any]], recomputed: Mapping[str, NDArray[Any]], at: str
) -> list[Difference]:
    """Arrays of a model that are not the same, bit by bit. What they are worth is judged by what the model predicts."""
    found = []
    for name in sorted({*recorded, *recomputed}):
        one, other = recorded.get(name), recomputed.get(name)
        if one is None or other is None or one.shape != other.shape or one.dtype != other.dtype:
            found.append(Difference(f"{at}/{name}", _shape(one), _shape(other), None, None, within=True))
        elif one.tobytes() != other.tobytes():
            size = _largest(one, other)
            found.append(Difference(f"{at}/{name}", None, None, size, None, within=True))
    return found


def _shape(array: NDArray[Any] | None) -> str | None:
    return None if array is None else f"{array.dtype} {array.shape}"


def _largest(one: NDArray[Any], other: NDArray[Any]) -> float | None:
    if not np.issubdtype(one.dtype, np.floating):
        return None
    gaps = np.abs(one - other)[~(np.isnan(one) & np.isnan(other))]
    size = float(gaps.max(initial=0.0))
    return size if np.isfinite(size) else None


class _Tolerances:
    """How far each figure may be off."""

    def __init__(self, spans: Mapping[str, float]) -> None:
        self._spans = spans

    def of(self, path: tuple[str, ...], recorded: float, siblings: Mapping[str, Any]) -> float:
        last, above = path[-1], path[-2] if len(path) > 1 else ""
        if above in {"composition", "a", "b"} and "commands" not in path:
            return FRACTION
        if above == "process":
            return FRACTION * self._spans.get(last, 0.0)
        if last == "mean" and isinstance(siblings.get("sd"), float | int):
            return RELATIVE * float(abs(siblings["sd"]))
        if last in {"sd", "gain"}:
            return RELATIVE * abs(recorded)
        return COST * abs(recorded) if last == "cost" else 0.0


def _walk(path: tuple[str, ...], one: Any, other: Any, tolerances: _Tolerances) -> Iterator[Difference]:  # noqa: ANN401
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted({*one, *other}):
            yield from _leaf_or_walk((*path, key), one.get(key), other.get(key), one, tolerances)
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for k, (a, b) in enumerate(zip(one, other, strict=True)):
            yield from _leaf_or_walk((*path, str(k)), a, b, {}, tolerances)
    else:
        yield from _leaf_or_walk(path, one, other, {}, tolerances)


def _leaf_or_walk(
    path: tuple[str, ...],
    one: Any,  # noqa: ANN401 - any JSON
    other: Any,  # noqa: ANN401
    siblings: Mapping[str, Any],
    tolerances: _Tolerances,
) -> Iterator[Difference]:
    if one == other:
        return
    at = "".join(f"/{part}" for part in path)
    if (isinstance(one, dict) and isinstance(other, dict)) or (
        isinstance(one, list) and isinstance(other, list) and len(one) == len(other)
    ):
        yield from _walk(path, one, other, tolerances)
    elif _is_number(one) and _is_number(other):
        allowed, size = tolerances.of(path, one, siblings), abs(one - other)
        yield Difference(at, one, other, size, allowed, within=size <= allowed)
    else:
        yield Difference(at, _shown(one), _shown(other), None, None, within=path[-1:] == ("reason",))


def _shown(value: Any) -> Any:  # noqa: ANN401 - any JSON
    return f"{len(value)} items" if isinstance(value, dict | list) else value


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
