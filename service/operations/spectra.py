"""Curves of a film: spectra and patterns with one axis, thinned to what a page can show."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from service.operations import attachments

Array = NDArray[np.float64]

MOST_CURVES = 40
"""Curves that are drawn, the first ones by device."""


@dataclass(frozen=True)
class Curve:
    """One spectrum or pattern."""

    id: str
    device: int | None
    x: Array
    y: Array


@dataclass(frozen=True)
class Curves:
    """Curves of one kind that share their axes' names."""

    kind: str
    label: str
    unit: str
    axis: str
    axis_unit: str
    curves: tuple[Curve, ...]


def of_film(session: Session, campaign_id: str, film_id: str, most: int = MOST_CURVES) -> list[Curves]:
    """The curves of a film, kind by kind, devices in order; what has more than one axis is left out.

    Raises:
        NotFound: If there is no such campaign.
        ArtifactDamaged: If an array is not what it was.
    """
    listed = attachments.page(session, campaign_id, film_id=film_id, kind=None, after=None, limit=1000)
    rows = [s.row for s in listed if len(s.row.axes) == 1]
    rows.sort(key=lambda row: (row.kind, row.label, -1 if row.device is None else row.device, row.id))
    found: dict[tuple[str, str, str, str, str], list[Curve]] = {}
    for row in rows[:most]:
        whole = attachments.get(session, row.id)
        axis = row.axes[0]
        curve = Curve(
            row.id,
            row.device,
            whole.arrays[axis["sha256"]].astype(np.float64),
            whole.arrays[row.array_sha256].astype(np.float64),
        )
        found.setdefault((row.kind, row.label, row.unit, axis["name"], axis["unit"]), []).append(curve)
    return [Curves(*names, tuple(curves)) for names, curves in found.items()]
