"""Published tables of compositions as arrays."""

import csv
import gzip
import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.decisions.data import data_file

Array = NDArray[np.float64]

DIGITS = 4
"""Fractions that agree to so many digits are one composition."""


@dataclass(frozen=True)
class Table:
    """Distinct compositions with one property, averaged over its readings."""

    elements: tuple[str, ...]
    X: Array
    """`n x d` atomic fractions."""
    y: Array
    """`n`, NaN where it was never read."""


def mpea() -> Table:
    """Vickers hardness of multi-principal-element alloys: Borg et al., Sci. Data 7, 430 (2020).

    Raises:
        DataAbsent: If the table is not on this machine.
    """
    path = data_file("mpea", "mpea_dataset.csv.gz")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [(_fractions(row["FORMULA"]), row["PROPERTY: HV"]) for row in csv.DictReader(lines)]
    read: dict[tuple[tuple[str, float], ...], list[float]] = {}
    for fractions, hardness in rows:
        values = read.setdefault(tuple(sorted(fractions.items())), [])
        values += [float(hardness)] if hardness else []
    elements = tuple(sorted({element for alloy in read for element, _ in alloy}))
    X = np.array([[dict(alloy).get(element, 0.0) for element in elements] for alloy in sorted(read)])
    y = np.array([np.mean(read[alloy]) if read[alloy] else np.nan for alloy in sorted(read)])
    return Table(elements, X / X.sum(axis=1, keepdims=True), y)


def _fractions(formula: str) -> dict[str, float]:
    """`Al0.5 Co1 Fe1` as atomic fractions, rounded to `DIGITS`."""
    amounts: dict[str, float] = {}
    for element, number in re.findall(r"([A-Z][a-z]?)\s*([0-9.]*)", formula):
        amounts[element] = amounts.get(element, 0.0) + float(number or 1.0)
    total = sum(amounts.values())
    return {element: round(amount / total, DIGITS) for element, amount in amounts.items() if amount > 0.0}
