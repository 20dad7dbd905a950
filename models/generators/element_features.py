"""What an element is like, as numbers: what lets an element that was seen rarely borrow from its neighbours."""

from functools import cache

import numpy as np
from numpy.typing import NDArray
from pymatgen.core.periodic_table import Element

Array = NDArray[np.float64]

PROPERTIES = (
    "group",
    "row",
    "X",
    "atomic_radius",
    "melting_point",
    "molar_volume",
    "ionization_energy",
    "mendeleev_no",
)
"""Known for every element that is sputtered, and alike for elements that replace each other in alloys."""
HEAVIEST = 83
"""Features are centred and scaled over the elements up to bismuth, whatever the campaign's own elements are."""


def element_features(elements: tuple[str, ...]) -> Array:
    """Standardised properties of elements, `d x F`.

    A name that is no chemical element (an alloy target, a test) has features of 0, those of a typical element: what is
    particular about it has to be learned from data alone.
    """
    centre, scale = _typical()
    known = [
        (_properties(name) - centre) / scale if Element.is_valid_symbol(name) else np.zeros(len(PROPERTIES))
        for name in elements
    ]
    return np.where(np.isfinite(known), known, 0.0)


@cache
def _properties(symbol: str) -> Array:
    element = Element(symbol)
    # From the table itself: the attributes of the class warn where a value is absent.
    own = {"group": element.group, "row": element.row, "ionization_energy": element.ionization_energy}
    looked_up = {
        "X": element.data.get("X"),
        "atomic_radius": element.data.get("Atomic radius"),
        "melting_point": element.data.get("Melting point"),
        "molar_volume": element.data.get("Molar volume"),
        "mendeleev_no": element.data.get("Mendeleev no"),
    }
    return np.array([_number((own | looked_up)[name]) for name in PROPERTIES])


def _number(value: object) -> float:
    """A table entry as a number: some carry a unit."""
    text = str(value).split(" ", maxsplit=1)[0]
    return float(text) if text.replace(".", "", 1).replace("-", "", 1).isdigit() else np.nan


@cache
def _typical() -> tuple[Array, Array]:
    """Mean and standard deviation of each property over the elements up to `HEAVIEST`."""
    table = np.array([_properties(Element.from_Z(z).symbol) for z in range(1, HEAVIEST + 1)])
    return np.nanmean(table, axis=0), np.nanstd(table, axis=0)
