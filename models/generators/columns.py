"""What the columns of a generator mean, how its conditions are scaled, and how a net moves to other columns."""

from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from models.generators.base import Examples
from models.generators.conditional_vae import ElementMap, Net

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Columns:
    """Names of elements, properties and process columns; centre and scale of each condition."""

    elements: tuple[str, ...]
    properties: tuple[str, ...]
    process: tuple[str, ...]
    centre: tuple[float, ...]
    """Of the properties, then of the process columns."""
    scale: tuple[float, ...]

    @classmethod
    def of(cls, examples: Examples, before: Self | None) -> Self:
        """Centre and scale of what is known. A property that the model before knew keeps its scale: it means the same.

        Process columns lie in the unit cube and are scaled as if they filled it evenly.
        """
        known = {} if before is None else before._scales()
        scales = [known.get(name) or _moments(y) for name, y in zip(examples.properties, examples.Y.T, strict=True)]
        scales += [(0.5, 0.3)] * len(examples.process)
        centre, scale = tuple(s[0] for s in scales), tuple(s[1] for s in scales)
        return cls(examples.elements, examples.properties, examples.process, centre, scale)

    @property
    def count(self) -> int:
        """Number of conditions, m + p."""
        return len(self.centre)

    def conditions(self, Y: Array, P: Array) -> Array:
        """Standardised conditions, 0 where missing, then whether each is known: `n x 2 max(m + p, 1)`."""
        if not self.count:
            return np.zeros((len(Y), 2))
        values = np.hstack([Y, P])
        known = np.isfinite(values)
        standard = (values - np.array(self.centre)) / np.array(self.scale)
        return np.hstack([np.where(known, standard, 0.0), known.astype(np.float64)])

    def condition_names(self) -> tuple[str, ...]:
        """Names of the columns of `conditions`."""
        names = [f"property {n}" for n in self.properties] + [f"process {n}" for n in self.process]
        return (*names, *(f"known {n}" for n in names)) if names else ("nothing", "known nothing")

    def as_json(self) -> dict[str, Any]:
        """Plain lists and numbers."""
        return {name: list(value) for name, value in asdict(self).items()}

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> Self:
        """The inverse of `as_json`."""
        return cls(**{name: tuple(value) for name, value in told.items()})

    def _scales(self) -> dict[str, tuple[float, float]]:
        return dict(zip(self.properties, zip(self.centre, self.scale, strict=True), strict=False))


def carry_over(net: Net, columns: Columns, old: Net, old_columns: Columns) -> int:
    """Give a fresh net the parameters of an older one, elements and conditions by their names.

    An element that the older net never saw keeps a row of 0 and is treated as its features say.

    Returns:
        The number of elements that were carried over; 0 if the nets differ in their sizes and nothing was.
    """
    if (net.latent, net.code.in_features) != (old.latent, old.code.in_features):
        return 0
    pairs = _shared(columns.elements, old_columns.elements)
    conditions = _shared(columns.condition_names(), old_columns.condition_names())
    with torch.no_grad():
        state = {k: v for k, v in old.state_dict().items() if not k.endswith((".own", ".features"))}
        for name in ("encode_c.weight", "decode_c.weight"):
            state[name] = _columns_moved(net.state_dict()[name], state[name], conditions)
        net.load_state_dict(state, strict=False)
        for new_map, old_map in zip(_maps(net), _maps(old), strict=True):
            for new, earlier in pairs:
                new_map.own[new] = old_map.own[earlier]
    return len(pairs)


def _maps(net: Net) -> list[ElementMap]:
    return [part for part in net.modules() if isinstance(part, ElementMap)]


def _shared(new: tuple[str, ...], old: tuple[str, ...]) -> list[tuple[int, int]]:
    return [(k, old.index(name)) for k, name in enumerate(new) if name in old]


def _columns_moved(fresh: torch.Tensor, old: torch.Tensor, pairs: list[tuple[int, int]]) -> torch.Tensor:
    moved = fresh.clone()
    for new, earlier in pairs:
        moved[:, new] = old[:, earlier]
    return moved


def _moments(y: Array) -> tuple[float, float]:
    """Mean and standard deviation of what is known; 0 and 1 where that says nothing."""
    known = y[np.isfinite(y)]
    return (float(known.mean()), float(known.std()) or 1.0) if len(known) else (0.0, 1.0)
