"""Data frames in and out, for people who work with pandas; it must be installed, the client alone does not need it."""

# ruff: noqa: PLC0415 - pandas is imported when a frame is wanted
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from filmloop_client.answers import Composition, Dataset, Film, Predictions, Proposal
from filmloop_client.instrument import Reading

if TYPE_CHECKING:
    import pandas as pd


def dataset(found: Dataset) -> "pd.DataFrame":
    """One row per reading; fractions in columns `x_Fe`, `x_Co` ..., process variables as `process_...`."""
    return _frame(_flat(row.model_dump()) for row in found.rows)


def films(found: Iterable[Film]) -> "pd.DataFrame":
    """One row per device of every film, with its composition as made, else as proposed."""
    return _frame(
        {
            "film_id": film.id,
            "state": film.state,
            "robot": film.robot,
            "outcome": film.outcome,
            "device": device.index,
            "position": device.position,
            "readings": device.readings,
            "dead": device.dead,
            **_named("x_", device.composition),
            **_named("process_", film.process),
        }
        for film in found
        for device in film.devices
    )


def proposals(found: Iterable[Proposal]) -> "pd.DataFrame":
    """One row per proposal: its ends, gain, reason and what became of it."""
    return _frame(
        {
            "proposal_id": p.id,
            "film_id": p.film_id,
            "state": p.state,
            "source": p.source,
            "gain": p.gain,
            "reason": p.reason,
            **_named("a_", p.film.a),
            **_named("b_", p.film.b),
            **_named("process_", p.film.process),
        }
        for p in found
    )


def predictions(found: Predictions) -> "pd.DataFrame":
    """One row per point: fractions, then mean and standard deviations of every property."""
    rows = [_named("x_", point) | {"feasible": ok} for point, ok in zip(found.points, found.feasible, strict=True)]
    for each in found.properties:
        for name in ("mean", "latent_sd", "noise_sd", "film_effect_sd", "reading_sd"):
            for row, value in zip(rows, getattr(each, name), strict=True):
                row[f"{each.property}_{name}"] = value
    return _frame(rows)


def readings(frame: "pd.DataFrame", **same: str) -> list[Reading]:
    """Readings of a frame whose columns are the fields of `Reading`; an empty cell is a field that is left out.

    Args:
        frame: One row per reading. Whole numbers may be floats, as pandas makes them beside empty cells.
        same: Fields that every row shares, e.g. `property="magnetisation", unit="V"`.

    Raises:
        ValueError: If a row is no reading; the message names the row.
    """
    found = []
    for number, row in enumerate(frame.to_dict(orient="records")):
        given: dict[str, Any] = {str(name): value for name, value in row.items() if not _empty(value)}
        try:
            found.append(Reading.model_validate(same | given))
        except ValueError as error:
            raise ValueError(f"row {number} is no reading: {error}") from error
    return found


def compositions(frame: "pd.DataFrame", elements: Iterable[str]) -> list[Composition]:
    """The compositions in columns named like elements, or `x_` and the element; at.% are made fractions.

    Raises:
        ValueError: If a column is missing.
    """
    columns = {e: next((c for c in (e, f"x_{e}") if c in frame.columns), None) for e in elements}
    if missing := [e for e, column in columns.items() if column is None]:
        raise ValueError(f"no column of {', '.join(missing)}; there are {', '.join(map(str, frame.columns))}")
    rows = frame[list(columns.values())].to_numpy(dtype=float).tolist()
    return [{e: value / sum(row) for e, value in zip(columns, row, strict=True)} for row in rows]


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    nested = {"composition": "x_", "process": "process_"}
    plain = {name: value for name, value in row.items() if name not in nested}
    return plain | {k: v for name, prefix in nested.items() for k, v in _named(prefix, row.get(name) or {}).items()}


def _named(prefix: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{prefix}{name}": value for name, value in values.items()}


def _empty(value: object) -> bool:
    return value is None or value != value or type(value).__name__ in {"NAType", "NaTType"}  # noqa: PLR0124 - NaN


def _frame(rows: Iterable[Mapping[str, Any]]) -> "pd.DataFrame":
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError("data frames need pandas: pip install pandas") from error
    return pd.DataFrame(list(rows))
