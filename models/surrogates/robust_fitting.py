"""The fit of hyperparameters to readings of which some are wild or only say "at least": in turn with what they count.

Several tales can explain the same readings: a few wild ones, a property that jumps, or noise that is large in some
region. Each is fitted, and with z the readings held for outliers the one is taken whose

    log p(y | z, theta) + log p(theta) + |z| log eps + (n - |z|) log(1 - eps)                              (1)

is larger. Where no tale holds a reading for an outlier there is only one, and nothing is fitted twice.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.surrogates.evidence import Evidence, Readings
from models.surrogates.fitting import Fit, fit
from models.surrogates.hyperparameters import Hyperparameters, Layout
from models.surrogates.noise_fitting import fit_noise, log_posterior
from models.surrogates.outliers import SHARE
from models.surrogates.settling import Settled, settle

REFITS = 5
"""Most refits after readings were weighed anew; each starts at the last one's end."""
WORTH_A_REFIT = 0.1
"""Least change of what a reading counts, as `Settled.change` has it."""

CHEAP = 300
"""Readings up to which a refit starts from the prior's mean too."""
SMOOTHER = 2.0
"""Factor of the lengthscales at which readings are asked whether they are wild or the property jumps."""


class SettledFit(NamedTuple):
    """Hyperparameters, and how the readings entered."""

    fit: Fit
    settled: Settled


@dataclass(frozen=True)
class RobustFit:
    """What every step of one fit has in common."""

    raw: Readings
    """As they were taken."""
    side: NDArray[np.int8]
    """`n`: +1 where the true value is at least the reading, -1 where it is at most, 0 elsewhere."""
    robust: bool
    """Whether readings may be wild."""
    layout: Layout
    """Which parameters are fitted; its noise is the same everywhere."""
    seed: int
    progress: Callable[[str], None]

    def __call__(self, starts: int, previous: Hyperparameters | None) -> SettledFit:
        """Fit the hyperparameters and weigh the readings.

        Args:
            starts: How many climbs the first fit makes; all later ones start where the last one ended.
            previous: Where the first climb starts.

        Raises:
            FitFailed: If no climb ends at a finite value.
        """
        believed = Settled.unsettled(self.raw, self.side)
        if not self.robust and not self.side.any():
            return SettledFit(self._varying(believed, starts, previous), believed)
        first = self._even(believed, starts, previous)
        even = self._smoother_tale(first, self._weighed(first, believed), believed)
        if self.raw.features is None:
            return even
        carried = previous if previous is not None and previous.noise_spread > 0.0 else even.fit.hyperparameters
        best = self._settled(self._varying(even.settled, 1, carried), even.settled)
        if even.settled.held().any():
            best = max(best, self._other_tale(first, carried, even.settled), key=self._score)
        evaluations = best.fit.evaluations + even.fit.evaluations
        return best._replace(fit=replace(best.fit, evaluations=evaluations, starts=starts, warm=first.warm))

    def _refit_starts(self) -> int:
        """Where a fit is cheap, also from the prior's mean: a wild reading may have led the first fit astray."""
        return 2 if len(self.raw.y) <= CHEAP else 1

    def _even(self, settled: Settled, starts: int, previous: Hyperparameters | None) -> Fit:
        """Fit noise that is the same everywhere."""
        data = settled.applied(replace(self.raw, features=None))
        return fit(data, layout=self.layout, seed=self.seed, starts=starts, previous=previous, progress=self.progress)

    def _varying(self, settled: Settled, starts: int, previous: Hyperparameters | None) -> Fit:
        """Fit noise that may vary, where the readings have features."""
        data = settled.applied(self.raw)
        return fit_noise(
            data, layout=self.layout, seed=self.seed, starts=starts, previous=previous, progress=self.progress
        )

    def _weighed(self, found: Fit, settled: Settled) -> SettledFit:
        """Weigh the readings and fit even noise again, until nothing changes."""
        for _ in range(REFITS):
            before = settled
            settled = self._settled(found, settled).settled
            if settled.change(before) < WORTH_A_REFIT:
                break
            again = self._even(settled, self._refit_starts(), found.hyperparameters)
            found = replace(
                again, evaluations=again.evaluations + found.evaluations, starts=found.starts, warm=found.warm
            )
        return SettledFit(found, settled)

    def _smoother_tale(self, first: Fit, even: SettledFit, believed: Settled) -> SettledFit:
        """The better of a fit and one in which the property is smoother and more readings are wild.

        A few readings around a wild one are also explained by a property that jumps: from there no reading looks wild.
        """
        h = first.hyperparameters
        smooth = replace(first, hyperparameters=replace(h, lengthscales=SMOOTHER * h.lengthscales))
        doubted = self._settled(smooth, believed).settled
        if not self.robust or not (doubted.held() & ~even.settled.held()).any():
            return even
        again = self._weighed(self._even(doubted, 1, smooth.hyperparameters), doubted)
        return max(even, again, key=self._score)

    def _settled(self, found: Fit, start: Settled) -> SettledFit:
        settled = settle(self.raw, self.side, found.hyperparameters, start, robust=self.robust)
        return SettledFit(found, settled)

    def _other_tale(self, first: Fit, previous: Hyperparameters, settled: Settled) -> SettledFit:
        """The fit in which noise that varies explains what it can before any reading is held for an outlier."""
        believed = replace(settled, inflation=np.ones_like(settled.inflation))
        start = previous if previous.noise_spread > 0.0 else first.hyperparameters
        varying = self._settled(self._varying(believed, 1, start), believed)
        again = self._varying(varying.settled, 1, varying.fit.hyperparameters)
        return self._settled(again, varying.settled)

    def _score(self, tale: SettledFit) -> float:
        """Eq. (1)."""
        held = tale.settled.held()
        data = replace(tale.settled, inflation=np.where(held, tale.settled.inflation, 1.0)).applied(self.raw)
        h = tale.fit.hyperparameters
        value = Evidence(data, h.layout(self.layout.elements))(h.theta())[0]
        share = held.sum() * np.log(SHARE) + (~held).sum() * np.log(1.0 - SHARE)
        return log_posterior(data, replace(tale.fit, log_evidence=value), self.layout.elements) + float(share)
