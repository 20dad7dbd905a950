"""A dataset in the forms that BoTorch and Ax take, as plain lists: neither need be installed.

Directions are left as they are measured: BoTorch maximises, so give it the negative of what is to be minimised.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from filmloop_client.answers import Dataset, DatasetRow

_CENSORED = frozenset({"above_limit", "below_limit"})


@dataclass(frozen=True)
class BotorchData:
    """`train_X`, `train_Y` and `train_Yvar` as lists; `torch.tensor(data.train_X, dtype=torch.double)` and on."""

    columns: list[str]
    """Of `train_X`: elements (atomic fractions), then process variables (their unit; of a category, its number)."""
    outputs: list[str]
    """Of `train_Y`: properties with their units."""
    bounds: list[list[float]]
    """Lower and upper bound of every column (2 x d), for `Normalize`."""
    train_X: list[list[float]]  # noqa: N815 - as BoTorch names it
    """n x d, a row per device on which every property was read."""
    train_Y: list[list[float]]  # noqa: N815
    """n x m, mean of the readings."""
    train_Yvar: list[list[float]] | None  # noqa: N815
    """n x m, variance of that mean; None if a reading has no stated uncertainty: then let the model infer the noise."""
    films: list[str]
    """Of each row the film: readings of one film share an offset, which a plain GP does not know of."""
    left_out: int
    """Readings that are dead or censored, or of devices on which not every property was read."""

    def as_json(self) -> dict[str, Any]:
        """All of it, to be written to a file."""
        return asdict(self)


def botorch(problem: Mapping[str, Any], dataset: Dataset) -> BotorchData:
    """Readings as the arrays of BoTorch's models.

    Args:
        problem: The campaign's, e.g. `campaign.latest.problem`.
        dataset: Its readings.
    """
    wanted = _properties(problem)
    columns = [*problem["space"]["elements"], *(v["name"] for v in _process(problem))]
    devices = {place: rows for place, rows in _devices(dataset).items() if set(rows) >= set(wanted)}
    used = sum(len(rows[name]) for rows in devices.values() for name in wanted)
    variances = [[_variance(rows[name]) for name in wanted] for rows in devices.values()]
    complete = [[v for v in row if v is not None] for row in variances]
    stated = bool(variances) and all(len(row) == len(wanted) for row in complete)
    return BotorchData(
        columns=columns,
        outputs=[f"{name} ({unit})" for name, unit in wanted.items()],
        bounds=_bounds(problem),
        train_X=[_point(problem, next(iter(rows.values()))[0]) for rows in devices.values()],
        train_Y=[[_mean(rows[name]) for name in wanted] for rows in devices.values()],
        train_Yvar=complete if stated else None,
        films=[film for film, _ in devices],
        left_out=len(dataset.rows) - used,
    )


def ax_trials(problem: Mapping[str, Any], dataset: Dataset) -> list[dict[str, Any]]:
    """Readings as trials of Ax: `parameters` for `attach_trial`, `raw_data` for `complete_trial`.

    `raw_data` holds the mean and its standard error of every property that was read on the device; the error is None
    where it was not stated, which lets Ax infer it. In a composition one fraction follows from the others: leave one
    element out of Ax's search space, or give it the sum as a constraint.

    Args:
        problem: The campaign's.
        dataset: Its readings; dead devices and censored readings are left out.
    """
    trials = []
    for (film, device), rows in _devices(dataset).items():
        first = next(iter(rows.values()))[0]
        made: dict[str, Any] = {e: first.composition.get(e, 0.0) for e in problem["space"]["elements"]}
        read = {}
        for name, found in rows.items():
            variance = _variance(found)
            read[name] = (_mean(found), None if variance is None else variance**0.5)
        trials.append({"parameters": made | _made_under(first), "raw_data": read, "film_id": film, "device": device})
    return trials


def _devices(dataset: Dataset) -> dict[tuple[str, int], dict[str, list[DatasetRow]]]:
    """Usable readings by device and property, in the order of the dataset."""
    found: dict[tuple[str, int], dict[str, list[DatasetRow]]] = defaultdict(lambda: defaultdict(list))
    for row in dataset.rows:
        if row.value is not None and row.status not in _CENSORED:
            found[row.film_id, row.device][row.property].append(row)
    return found


def _mean(rows: list[DatasetRow]) -> float:
    """Mean, weighted by what is known of the readings' uncertainty."""
    weights = [1.0 if r.std_uncertainty is None else r.std_uncertainty**-2 for r in rows]
    if any(r.std_uncertainty is None for r in rows):
        weights = [1.0] * len(rows)
    return sum(w * (r.value or 0.0) for w, r in zip(weights, rows, strict=True)) / sum(weights)


def _variance(rows: list[DatasetRow]) -> float | None:
    known = [r.std_uncertainty for r in rows if r.std_uncertainty is not None]
    return 1.0 / sum(s**-2 for s in known) if len(known) == len(rows) else None


def _point(problem: Mapping[str, Any], row: DatasetRow) -> list[float]:
    made = _made_under(row)
    fractions = [row.composition.get(e, 0.0) for e in problem["space"]["elements"]]
    return fractions + [
        float(v["choices"].index(made[v["name"]])) if v["kind"] == "categorical" else float(made[v["name"]])
        for v in _process(problem)
    ]


def _bounds(problem: Mapping[str, Any]) -> list[list[float]]:
    own = {b["element"]: b for b in problem["space"].get("bounds") or ()}
    elements = [own.get(e, {}) for e in problem["space"]["elements"]]
    process = [
        (0.0, float(len(v["choices"]) - 1)) if v["kind"] == "categorical" else (v["lower"], v["upper"])
        for v in _process(problem)
    ]
    lower = [float(b.get("lower") or 0.0) for b in elements] + [low for low, _ in process]
    upper = [float(1.0 if b.get("upper") is None else b["upper"]) for b in elements] + [high for _, high in process]
    return [lower, upper]


def _made_under(row: DatasetRow) -> dict[str, Any]:
    return dict((row.model_extra or {}).get("process") or {})


def _process(problem: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list(problem["space"].get("process") or ())


def _properties(problem: Mapping[str, Any]) -> dict[str, str]:
    """Unit by property, objectives first."""
    return {p["property"]: p["unit"] for p in [*problem["objectives"], *(problem.get("outcomes") or ())]}
