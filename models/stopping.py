"""Whether another film is worth making: advice from how the expected gain of the best film went down.

    g     expected gain of the next film, as the acquisition counts it
    r     the smallest difference that matters: as stated, else the standard deviation of one reading
    R     films that are looked ahead: `horizon`, or what the budget leaves if that is less
    c, w  cost of the next film, and what a unit of cost has to gain

Expected gains shrink on the average as films are made, so the next R films gain at most about R g. Advice is

    stop               R g < r, or g < w c, at `patience` film counts in a row; or the budget is spent
    consider stopping  g < r at `patience` film counts in a row, or g < w c at the last
    go on              else

Several decisions at one number of films read count as the last of them. Advice is for people: nothing acts on it.

Source: stopping once what is left to gain is below what a measurement can tell is the rule of Makarova et al. 2022,
Automatic termination for hyperparameter optimization (AutoML-Conf), here with the film's own expected gain.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

IMPROVING = frozenset(
    {
        "expected_improvement",
        "hypervolume_improvement",
        "knowledge_gradient",
        "thompson_sampling",
        "upper_confidence_bound",
    }
)
"""Policies whose gain says by how much a film is expected to raise the best value; that of others is of another kind:
of the mean over devices, or of what is known."""

Word = Literal["go on", "consider stopping", "stop"]


@dataclass(frozen=True)
class Standing:
    """Where a campaign stood at one decision; gains and deviations in the unit of what is sought."""

    films: int
    """Films with a reading."""
    policy: str | None
    expected_gain: float | None
    """Of the first film that was proposed; None if no model chose it."""
    noise_sd: float | None
    """Standard deviation of a typical reading."""
    best_sd: float | None = None
    """Standard deviation of the property at the recommended composition."""
    cost: float | None = None
    """Of the first film that was proposed; None counts as 1."""


class Stopping(BaseModel):
    """What a lab thinks of when it thinks of stopping."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    patience: int = Field(default=3, ge=1, le=100)
    """Film counts in a row for which little has to be expected."""
    horizon: int = Field(default=10, ge=1, le=1000)
    """Films that are looked ahead."""
    resolution: float | None = Field(default=None, gt=0.0, allow_inf_nan=False)
    """Smallest difference that matters, in the unit of what is sought; one reading's noise if not given."""
    worth: float | None = Field(default=None, gt=0.0, allow_inf_nan=False)
    """Gain that pays for a film of cost 1, in the unit of what is sought; cost plays no part if not given."""


@dataclass(frozen=True)
class Advice:
    """What follows, and why."""

    advice: Word
    why: str
    """One sentence or two with the numbers."""
    resolution: float | None
    """The r that was used."""
    quiet_films: int
    """Film counts in a row, up to the newest, at which the next film was expected to gain less than r."""


def advise(
    history: Sequence[Standing], options: Stopping, *, unit: str, left: int | None = None, smallest: float | None = None
) -> Advice:
    """Judge a campaign by its decisions.

    Args:
        history: Its decisions, oldest first.
        options: What the lab holds to be small.
        unit: Of what is sought, for the sentence.
        left: Films that the budget leaves; None if it has no bound.
        smallest: Difference that matters if none was stated; None means one reading's noise.

    Returns:
        The advice with its reason.
    """
    if left == 0:
        return Advice("stop", "The budget of films is spent.", None, 0)
    counted = _by_films(history)
    if not counted:
        return Advice("go on", _why_nothing_is_known(history), None, 0)
    resolution = options.resolution or smallest or counted[-1].noise_sd
    ahead = options.horizon if left is None else min(options.horizon, left)
    case = _Case(counted, options, unit, resolution, ahead)
    word, why = case.verdict()
    return Advice(word, why, resolution, case.small)


def _by_films(history: Sequence[Standing]) -> list[Standing]:
    """The last decision at each number of films read, of those whose gain can be compared."""
    known = {s.films: s for s in history if s.expected_gain is not None and s.policy in IMPROVING}
    return [known[films] for films in sorted(known)]


def _why_nothing_is_known(history: Sequence[Standing]) -> str:
    if not history or history[-1].expected_gain is None:
        return "No model has chosen a film yet, so nothing is known of what the next one would gain."
    return f"The gain of the policy {history[-1].policy!r} is not a gain in the best value, so there is none to judge."


@dataclass(frozen=True)
class _Case:
    """A campaign with a gain to judge: how long which gain was small, and the reason in words."""

    counted: Sequence[Standing]
    """One decision per film count, oldest first."""
    options: Stopping
    unit: str
    resolution: float | None
    """r."""
    ahead: int
    """R."""

    @property
    def small(self) -> int:
        """Film counts in a row with g < r."""
        return 0 if self.resolution is None else self._in_a_row([self.resolution] * len(self.counted))

    @property
    def futile(self) -> int:
        """Film counts in a row with R g < r."""
        return 0 if self.resolution is None else self._in_a_row([self.resolution / self.ahead] * len(self.counted))

    @property
    def unpaid(self) -> int:
        """Film counts in a row with g < w c."""
        return 0 if self.options.worth is None else self._in_a_row([self._price(s) for s in self.counted])

    def verdict(self) -> tuple[Word, str]:
        """The advice and why."""
        patience = self.options.patience
        if self.unpaid >= patience:
            return "stop", self._why_unpaid()
        if self.futile >= patience:
            together = f"the next {self.ahead} together less than {self._what_matters()}"
            return "stop", f"{self._gain()}, and for {_films(self.futile)} in a row {together}.{self._caution()}"
        if self.small >= patience:
            together = f"for {_films(self.small)} in a row less than {self._what_matters()}"
            return "consider stopping", f"{self._gain()}, and {together}.{self._caution()}"
        if self.unpaid:
            return "consider stopping", self._why_unpaid()
        return "go on", f"{self._gain()}{self._why_on()}."

    def _in_a_row(self, bounds: Sequence[float]) -> int:
        """How many of the newest gains in a row lie below their bound."""
        pairs = zip(reversed(self.counted), reversed(bounds), strict=True)
        return sum(1 for _ in takewhile(lambda pair: (pair[0].expected_gain or 0.0) < pair[1], pairs))

    def _price(self, standing: Standing) -> float:
        return (self.options.worth or 0.0) * (1.0 if standing.cost is None else standing.cost)

    def _gain(self) -> str:
        return f"The next film is expected to gain {self.counted[-1].expected_gain:.3g} {self.unit}"

    def _what_matters(self) -> str:
        noise = self.options.resolution is None and self.resolution == self.counted[-1].noise_sd
        what = "by which one reading scatters" if noise else "that matters"
        return f"the {self.resolution:.3g} {self.unit} {what}"

    def _why_on(self) -> str:
        if self.resolution is None:
            return "; what a reading can tell is not known"
        if self.small:
            return f", less than {self._what_matters()}, but only for {_films(self.small)} so far"
        return f", more than {self._what_matters()}"

    def _why_unpaid(self) -> str:
        price = f"the {self._price(self.counted[-1]):.3g} {self.unit} that would pay for it"
        return f"{self._gain()}, for {_films(self.unpaid)} in a row less than {price}."

    def _caution(self) -> str:
        sd = self.counted[-1].best_sd
        if sd is None or self.resolution is None or sd <= self.resolution:
            return ""
        known = f"is known to ± {sd:.3g} {self.unit} only"
        return f" The recommended composition itself {known}: make it again before you trust it."


def _films(number: int) -> str:
    return "1 film" if number == 1 else f"{number} films"
