"""What is sought: properties that should be large or small, and properties that have to keep within limits."""

from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator
from scipy.special import ndtr

PropertyName = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
Unit = Annotated[str, Field(min_length=1, max_length=32)]
Value = Annotated[float, Field(strict=True, allow_inf_nan=False)]


class Objective(BaseModel):
    """One property to be optimised. Inside `models` every objective is maximised; the sign is applied here, once."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    property: PropertyName
    """Name under which instruments report it, e.g. `magnetisation`."""
    unit: Unit
    """Unit of every reading of this property in the campaign."""
    direction: Literal["maximise", "minimise"] = "maximise"
    """Whether larger or smaller readings are better."""
    reference: Value | None = None
    """Of several objectives: a film that is no better than this in one of them is worth nothing. In this property's own
    unit; inferred from the readings if not given (`models/pareto.py`)."""

    def sign(self) -> float:
        """+1 where larger is better, -1 where smaller is."""
        return 1.0 if self.direction == "maximise" else -1.0

    def to_maximised(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Turn physical values into values to be maximised (and back: the map is its own inverse)."""
        return self.sign() * values

    def improvement(self, mean: NDArray[np.float64], sd: NDArray[np.float64], over: float) -> NDArray[np.float64]:
        """Expected improvement of normal values over a bound, in the objective's own unit and direction.

        E[max(0, z)] = sd (u Phi(u) + phi(u)), u = mean(z) / sd, with z how much better than `over` a value is; where sd
        is 0, what the mean says.
        """
        better = self.sign() * (mean - over)
        spread = np.maximum(sd, np.finfo(np.float64).tiny)
        with np.errstate(over="ignore"):
            u = better / spread
            return np.where(
                sd > 0.0, better * ndtr(u) + sd * np.exp(-0.5 * u * u) / np.sqrt(2.0 * np.pi), np.maximum(better, 0.0)
            )


class OutcomeConstraint(BaseModel):
    """A measured property that has to keep within limits. What it is where nothing was read has to be learned.

    It is modelled like an objective, as it stands: larger is neither better nor worse.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={
            "anyOf": [{"required": [limit], "properties": {limit: {"type": "number"}}} for limit in ("lower", "upper")]
        },
    )

    property: PropertyName
    """Name under which instruments report it, e.g. `resistivity`."""
    unit: Unit
    """Unit of every reading of this property, and of the limits."""
    lower: Value | None = None
    """Least value that is allowed."""
    upper: Value | None = None
    """Largest value that is allowed."""

    @model_validator(mode="after")
    def _some_limit(self) -> Self:
        if self.lower is None and self.upper is None:
            raise ValueError(f"outcome {self.property!r} has neither a lower nor an upper limit")
        if self.lower is not None and self.upper is not None and self.lower >= self.upper:
            raise ValueError(f"outcome {self.property!r}: lower {self.lower:g} is not below upper {self.upper:g}")
        return self

    def sign(self) -> float:
        """+1: an outcome is modelled as it is read."""
        return 1.0

    def to_maximised(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The values as they are."""
        return values

    def limits(self) -> tuple[float, float]:
        """Lower and upper limit, infinite where there is none."""
        return -np.inf if self.lower is None else self.lower, np.inf if self.upper is None else self.upper

    def is_met(self, values: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether each value is within the limits; NaN is not."""
        lower, upper = self.limits()
        within: NDArray[np.bool_] = (values >= lower) & (values <= upper)
        return within

    def chance(self, mean: NDArray[np.float64], sd: NDArray[np.float64]) -> NDArray[np.float64]:
        """Probability that a normal value lies within the limits; where sd is 0, whether the mean does."""
        lower, upper = self.limits()
        spread = np.maximum(sd, np.finfo(np.float64).tiny)
        with np.errstate(over="ignore"):
            return np.asarray(ndtr((upper - mean) / spread) - ndtr((lower - mean) / spread))


Property = Objective | OutcomeConstraint
"""Anything that is measured in a campaign and modelled."""
