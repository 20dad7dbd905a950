"""What is sought: a property, its unit and the direction in which it is better."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field


class Objective(BaseModel):
    """One property to be optimised. Inside `models` every objective is maximised; the sign is applied here, once."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    property: str = Field(min_length=1, max_length=64, pattern=r"^[A-Za-z][A-Za-z0-9_]*$")
    """Name under which instruments report it, e.g. `magnetisation`."""
    unit: str = Field(min_length=1, max_length=32)
    """Unit of every reading of this property in the campaign."""
    direction: Literal["maximise", "minimise"] = "maximise"
    """Whether larger or smaller readings are better."""

    def sign(self) -> float:
        """+1 where larger is better, -1 where smaller is."""
        return 1.0 if self.direction == "maximise" else -1.0

    def to_maximised(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Turn physical values into values to be maximised (and back: the map is its own inverse)."""
        return self.sign() * values
