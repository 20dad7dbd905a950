"""What is sought: properties that should be large, small or near a target, and others that keep within limits."""

from collections.abc import Iterable
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from models.utility import LARGER, Nearer, Utility, chance_between

PropertyName = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
Unit = Annotated[str, Field(min_length=1, max_length=32)]
Value = Annotated[float, Field(strict=True, allow_inf_nan=False)]


class Objective(BaseModel):
    """One property to be optimised. Inside `models` every objective is maximised: what is maximised is said here, once.

    A property is modelled as it is read, with the sign under which the larger is the better if there is one. What its
    values are worth is made of the model's, after it (`models/utility.py`).
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        json_schema_extra={
            "if": {"required": ["direction"], "properties": {"direction": {"const": "match"}}},
            "then": {"required": ["target"], "properties": {"target": {"type": "number"}}},
            "else": {"properties": {"target": {"type": "null"}, "tolerance": {"const": 0}}},
        },
    )

    property: PropertyName
    """Name under which instruments report it, e.g. `magnetisation`."""
    unit: Unit
    """Unit of every reading of this property in the campaign."""
    direction: Literal["maximise", "minimise", "match"] = "maximise"
    """Whether larger or smaller readings are better, or those nearer to the `target`."""
    reference: Value | None = None
    """Of several objectives: a film that is no better than this in one of them is worth nothing. In this property's own
    unit; inferred from the readings if not given (`models/pareto.py`)."""
    target: Annotated[float, Field(strict=True, ge=-1e12, le=1e12, allow_inf_nan=False)] | None = None
    """With `match`, and only then: the value that is wanted, in this property's own unit."""
    tolerance: Annotated[float, Field(strict=True, ge=0.0, le=1e12, allow_inf_nan=False)] = 0.0
    """With `match`: how far from the target is as good as the target, in the same unit. A difference: no offset of a
    unit counts."""

    @model_validator(mode="after")
    def _target_where_matched(self) -> Self:
        if self.direction != "match":
            for name, value in (("target", self.target), ("tolerance", self.tolerance or None)):
                if value is not None:
                    raise ValueError(
                        f"objective {self.property!r}: {name} {value:.12g} is for direction 'match', "
                        f"the direction is {self.direction!r}"
                    )
        elif self.target is None:
            raise ValueError(f"objective {self.property!r}: direction 'match' needs a target")
        elif self.reference is not None and abs(self.reference - self.target) <= self.tolerance:
            raise ValueError(
                f"objective {self.property!r}: reference {self.reference:.12g} lies within the tolerance "
                f"{self.tolerance:.12g} of target {self.target:.12g}, so nothing could be better"
            )
        return self

    def utility(self) -> Utility:
        """What modelled values are worth."""
        return self.matched() or LARGER

    def matched(self) -> Nearer | None:
        """What a target makes of modelled values; None without a target."""
        return None if self.target is None else Nearer(self.target, self.tolerance)

    def named_target(self) -> str:
        """The target as a person writes it: `2 ± 0.5 ppm/K`; nothing without one."""
        if self.target is None:
            return ""
        return f"{self.target:.12g}" + (f" ± {self.tolerance:.12g}" if self.tolerance else "") + f" {self.unit}"

    def sign(self) -> float:
        """The sign with which the property is modelled: -1 where smaller is better, else +1."""
        return -1.0 if self.direction == "minimise" else 1.0

    def to_modelled(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Turn physical values into values as they are modelled (and back: the map is its own inverse)."""
        return self.sign() * values

    def to_maximised(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Turn physical values into what is maximised: modelled values, or how near they are to the target."""
        return self.sign() * values if self.target is None else self.utility().of(np.asarray(values))

    def from_maximised(self, worth: float) -> float:
        """The physical value that is worth so much; of the two beside a target the larger."""
        return self.sign() * worth if self.target is None else self.target + self.tolerance - worth

    def best(self, values: Iterable[float]) -> float:
        """The best of some values; of those within a tolerance, too, the one nearest to the target, of two the less."""
        if self.target is None:
            return max(values) if self.sign() > 0 else min(values)
        target = self.target
        return min(values, key=lambda value: (abs(value - target), value))

    def improvement(self, mean: NDArray[np.float64], sd: NDArray[np.float64], over: float) -> NDArray[np.float64]:
        """Expected improvement of normal values over the value `over`, in the objective's own unit and direction."""
        modelled = self.to_modelled(np.asarray(mean))
        return self.utility().improvement(modelled, sd, float(self.to_maximised(np.asarray(over))))


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

    def to_modelled(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
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
        return chance_between(mean, sd, *self.limits())


Property = Objective | OutcomeConstraint
"""Anything that is measured in a campaign and modelled."""
