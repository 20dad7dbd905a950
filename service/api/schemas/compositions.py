"""Composition maps on the wire."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from service.api.schemas.fields import Identifier, Incoming, InstantIn, Label, Outgoing
from service.api.schemas.measurements import A_PLACE, MAX_ROWS, DecisionRead, Device, PlaceMm, Position

PERCENT = 100.0
Element = Annotated[str, Field(min_length=1, max_length=64)]
Share = Annotated[float, Field(strict=True, ge=0.0, le=1.02 * PERCENT, allow_inf_nan=False)]
Spread = Annotated[float, Field(strict=True, gt=0.0, le=PERCENT, allow_inf_nan=False)]


class CompositionCreate(Incoming):
    """What one device of a film is made of."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra=A_PLACE)

    film_id: Identifier
    device: Device | None = None
    """Index of the device, from 0. Either this or one of the two positions."""
    position: Position | None = None
    position_mm: PlaceMm | None = None
    fractions: Annotated[dict[Element, Share], Field(min_length=1, max_length=118)]
    """By element; those that are left out are 0. They sum to 1 (or 100 at.%) within 2 %."""
    std_uncertainty: Annotated[dict[Element, Spread], Field(min_length=1, max_length=118)] | None = None
    """Of the fractions, by element; null if it is not known."""
    measured_at: InstantIn


class CompositionMapCreate(Incoming):
    """What an instrument sends at once; all of it or nothing is stored."""

    instrument: Label
    """Its name; it is registered when it first reports."""
    unit: Literal["1", "at.%"] = "1"
    """Of all fractions and uncertainties: atomic fractions or atomic percent."""
    compositions: Annotated[list[CompositionCreate], Field(min_length=1, max_length=MAX_ROWS)]


class CompositionMapRead(Outgoing):
    """Receipt: the compositions are stored and count from this revision on."""

    id: str
    campaign_id: str
    instrument: str
    revision: int
    accepted: int
    duplicates: int
    """Devices of which the same was said before, at the same time."""
    decision: DecisionRead | None
