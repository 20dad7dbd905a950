"""What a model believes on a triangle of three elements, all others held: computed here, with NumPy alone.

A triangle is a lattice of compositions. They need not obey the rules: a picture is cut to what the rules leave, and the
lines of equal value have to reach its rim.
"""

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.composition import ProcessValues
from models.objective import Objective, Property
from service.operations import predictions
from service.operations.predictions import PredictingModel

Array = NDArray[np.float64]

KEPT = 32
"""Sections that each process remembers: a model version never changes."""


@dataclass(frozen=True)
class Section:
    """One property on a section of the composition space."""

    property: str
    unit: str
    mean: Array
    """`j` of the material."""
    sd: Array
    """`j`: how well that is known."""
    noise_sd: Array
    """`j` of one reading."""
    improvement: Array | None
    """`j`: expected of one device over the best value that is expected anywhere here; None for a mere outcome."""
    process: ProcessValues
    """At which was predicted."""


def section(
    folder: Path, model: PredictingModel, compositions: Array, process: ProcessValues | None, name: str
) -> Section:
    """Predict a property on the points of a section (j x d).

    Raises:
        InvalidInput: If the process values are not the campaign's.
        ArtifactDamaged: If the stored model cannot be read.
    """
    conditions = None if process is None else tuple(sorted(process.items()))
    return _section(folder, _Asked(model), compositions.tobytes(), conditions, name)


class _Asked:
    """A model as part of a key: equal by its file, so that what was computed is found again."""

    def __init__(self, model: PredictingModel) -> None:
        self.model = model

    def __hash__(self) -> int:
        return hash((self.model.id, self.model.sha256))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Asked) and (self.model.id, self.model.sha256) == (other.model.id, other.model.sha256)


@functools.lru_cache(maxsize=KEPT)
def _section(
    folder: Path, asked: _Asked, points: bytes, conditions: tuple[tuple[str, float | str], ...] | None, name: str
) -> Section:
    problem = asked.model.problem
    compositions = np.frombuffer(points, dtype=np.float64).reshape(-1, problem.space.dimension)
    found = predictions.predict(folder, asked.model, compositions, None if conditions is None else dict(conditions))
    k = [p.property for p in problem.properties].index(name)
    said, sought = found.properties[k], problem.properties[k]
    mean, sd = np.array(said.mean), np.array(said.latent_sd)
    legal = np.array(found.feasible)
    return Section(
        name, said.unit, mean, sd, np.array(said.noise_sd), _improvement(sought, mean, sd, legal), found.process
    )


def _improvement(sought: Property, mean: Array, sd: Array, legal: NDArray[np.bool_]) -> Array | None:
    if not isinstance(sought, Objective) or not legal.any():
        return None
    best = float(sought.utility().expected(sought.to_modelled(mean), sd)[legal].max())
    return sought.improvement(mean, sd, sought.from_maximised(best))
