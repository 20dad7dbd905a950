"""NIMO's files: `candidates.csv` (points, with their readings or without) and `proposals.csv` (points to try).

Compositions are in at.%, as NIMO's COMBI has them; the columns are the elements and the continuous process variables,
then the properties. A film is as many rows of `proposals.csv` as it has devices, in their order.

Source: the documentation of NIMO (NIMS orchestration system), its example files.
"""

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from filmloop_client.answers import Composition, Dataset, Proposal
from filmloop_client.prior_data import PriorRow

PERCENT = 100.0
_DIGITS = 6
"""Of a value in at.%: NIMO tells points apart by their text."""


@dataclass(frozen=True)
class WantedFilm:
    """A film of a `proposals.csv`; give it to `Campaign.propose`."""

    a: Composition
    b: Composition
    process: dict[str, float | str]


def candidates(problem: Mapping[str, Any], dataset: Dataset, untested: Iterable[Composition] = ()) -> str:
    """Write a `candidates.csv`: every device with the mean of its readings, then points that were not tried.

    Args:
        problem: The campaign's.
        dataset: Its readings; dead devices and censored readings are left out.
        untested: Compositions that NIMO may choose; the process is left at the middle of its range.
    """
    elements, process, properties = _columns(problem)
    read: dict[tuple[str, int], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    points: dict[tuple[str, int], list[float]] = {}
    for row in dataset.rows:
        if row.value is None or row.status != "ok":
            continue
        place = (row.film_id, row.device)
        made = (row.model_extra or {}).get("process") or {}
        points[place] = [*_percent(row.composition, elements), *(float(made.get(name, 0.0)) for name in process)]
        read[place][row.property].append(row.value)
    middle = [(v["lower"] + v["upper"]) / 2.0 for v in _continuous(problem)]
    lines: list[list[Any]] = [
        [*point, *(fmean(read[place][name]) if read[place].get(name) else "" for name in properties)]
        for place, point in points.items()
    ]
    lines += [[*_percent(point, elements), *middle, *("" for _ in properties)] for point in untested]
    return _written([*elements, *process, *properties], lines)


def proposals(problem: Mapping[str, Any], proposed: Sequence[Proposal]) -> str:
    """Write a `proposals.csv`: the devices of films, one film after the other."""
    elements, process, _ = _columns(problem)
    lines: list[list[Any]] = []
    for proposal in proposed:
        values = [proposal.film.process.get(name, "") for name in process]
        for device in proposal.film.devices:
            lines.append([len(lines), *_percent(device.composition, elements), *values])
    return _written(["actions", *elements, *process], lines)


def read_proposals(problem: Mapping[str, Any], text: str) -> list[WantedFilm]:
    """Read a `proposals.csv`: every film runs from the composition of its first device to that of its last.

    Args:
        problem: The campaign's; process variables that the file does not have take their middle or first choice.
        text: The file.

    Raises:
        ValueError: If a column is missing, a value is no number, or the rows are not whole films.
    """
    elements, process, _ = _columns(problem)
    rows = list(csv.DictReader(io.StringIO(text.lstrip("\ufeff"), newline="")))
    per_film = int(problem["film"]["devices"])
    if not rows or len(rows) % per_film:
        raise ValueError(f"{len(rows)} rows are not whole films of {per_film} devices")
    if missing := [e for e in elements if e not in rows[0]]:
        raise ValueError(f"columns are missing: {', '.join(missing)}; there are {', '.join(rows[0])}")
    films = []
    for k in range(0, len(rows), per_film):
        first, last = rows[k], rows[k + per_film - 1]
        set_to: dict[str, float | str] = {name: float(first[name]) for name in process if first.get(name)}
        films.append(WantedFilm(_fractions(first, elements), _fractions(last, elements), _middle(problem) | set_to))
    return films


def read_candidates(problem: Mapping[str, Any], text: str) -> list[tuple[Composition, dict[str, float | None]]]:
    """Read a `candidates.csv`: each point with what was read there, None where nothing was.

    Raises:
        ValueError: If a column of an element is missing or a value is no number.
    """
    elements, _, properties = _columns(problem)
    rows = list(csv.DictReader(io.StringIO(text.lstrip("\ufeff"), newline="")))
    if rows and (missing := [e for e in elements if e not in rows[0]]):
        raise ValueError(f"columns are missing: {', '.join(missing)}; there are {', '.join(rows[0])}")
    return [
        (_fractions(row, elements), {name: float(row[name]) if row.get(name) else None for name in properties})
        for row in rows
    ]


def prior_rows(problem: Mapping[str, Any], text: str) -> list[PriorRow]:
    """Points of a `candidates.csv` that were read already, for `campaign.prior_data.add`: NIMO's data begin a campaign.

    Args:
        problem: The campaign's; the file's values are in its units. Process variables that the file does not have take
            their middle or first choice.
        text: The file.

    Raises:
        ValueError: If a column of an element is missing or a value is no number.
    """
    units = {p["property"]: p["unit"] for p in [*problem["objectives"], *problem.get("outcomes", ())]}
    _, process, _ = _columns(problem)
    lines = csv.DictReader(io.StringIO(text.lstrip("\ufeff"), newline=""))
    found = []
    for line, (composition, values) in zip(lines, read_candidates(problem, text), strict=True):
        under = _middle(problem) | {name: float(line[name]) for name in process if line.get(name)}
        for name, value in values.items():
            if value is not None:
                said = {"composition": composition, "process": under, "property": name, "unit": units[name]}
                found.append(PriorRow(value=value, **said))
    return found


def _columns(problem: Mapping[str, Any]) -> tuple[list[str], list[str], list[str]]:
    """Elements, continuous process variables, properties."""
    sought = [*problem["objectives"], *problem.get("outcomes", ())]
    return (
        list(problem["space"]["elements"]),
        [v["name"] for v in _continuous(problem)],
        [p["property"] for p in sought],
    )


def _continuous(problem: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [v for v in problem["space"].get("process", ()) if v["kind"] == "continuous"]


def _middle(problem: Mapping[str, Any]) -> dict[str, float | str]:
    return {
        v["name"]: (v["lower"] + v["upper"]) / 2.0 if v["kind"] == "continuous" else v["choices"][0]
        for v in problem["space"].get("process", ())
    }


def _percent(composition: Composition, elements: Sequence[str]) -> list[float]:
    return [round(PERCENT * composition.get(e, 0.0), _DIGITS) for e in elements]


def _fractions(row: Mapping[str, str], elements: Sequence[str]) -> Composition:
    """Fractions that sum to 1, of values in at.% that may be rounded."""
    values = [float(row[e]) for e in elements]
    total = sum(values)
    if min(values) < 0.0 or abs(total - PERCENT) > 1.0:
        raise ValueError(f"{dict(zip(elements, values, strict=True))} is no composition in at.%")
    return {e: value / total for e, value in zip(elements, values, strict=True) if value > 0.0}


def _written(header: Sequence[str], lines: Iterable[Sequence[Any]]) -> str:
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(lines)
    return file.getvalue()
