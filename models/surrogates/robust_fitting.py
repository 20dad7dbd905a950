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
"""Least change of what a reading counts, as `Settled.change` has it; where fits are dear, of the mean inflation, which
is about the share by which wild readings swell the noise."""
CHEAP = 300
"""Readings up to which every tale is told and a refit starts from the prior's mean too. Among more, a wild reading has
neighbours that contradict it, and leads no fit astray."""
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
        best = self._settled(self._varying(even.settled, 1, carried, even.fit), even.settled)
        held = int(even.settled.held().sum())
        if held > (0 if self._cheap else 2.0 * SHARE * len(self.raw.y)):
            best = max(best, self._other_tale(first, carried, even.settled), key=self._score)
        return best._replace(fit=replace(best.fit, starts=starts, warm=first.warm))

    @property
    def _cheap(self) -> bool:
        return len(self.raw.y) <= CHEAP

    def _worth_a_refit(self, now: Settled, before: Settled) -> bool:
        """Whether readings count so differently that the hyperparameters would."""
        if self._cheap:
            return now.change(before) >= WORTH_A_REFIT
        swollen = abs(float(np.mean(now.inflation) - np.mean(before.inflation)))
        sites = replace(now, inflation=before.inflation).change(before)
        return max(swollen, sites) >= WORTH_A_REFIT

    def _even(self, settled: Settled, starts: int, previous: Hyperparameters | None) -> Fit:
        """Fit noise that is the same everywhere."""
        data = settled.applied(replace(self.raw, features=None))
        return fit(data, layout=self.layout, seed=self.seed, starts=starts, previous=previous, progress=self.progress)

    def _varying(self, settled: Settled, starts: int, previous: Hyperparameters | None, even: Fit | None = None) -> Fit:
        """Fit noise that may vary, where the readings have features; `even` if that of even noise is made already."""
        data = settled.applied(self.raw)
        if even is not None:
            even = replace(even, log_evidence=Evidence(data, self.layout)(even.hyperparameters.theta())[0])
        return fit_noise(
            data,
            layout=self.layout,
            seed=self.seed,
            starts=starts,
            previous=previous,
            progress=self.progress,
            plain=even,
        )

    def _weighed(self, found: Fit, settled: Settled) -> SettledFit:
        """Weigh the readings and fit even noise again, until nothing changes."""
        for _ in range(REFITS):
            before = settled
            settled = self._settled(found, settled).settled
            if not self._worth_a_refit(settled, before):
                break
            again = self._even(settled, 1 + self._cheap, found.hyperparameters)
            found = replace(
                again, evaluations=again.evaluations + found.evaluations, starts=found.starts, warm=found.warm
            )
        return SettledFit(found, settled)

    def _smoother_tale(self, first: Fit, even: SettledFit, believed: Settled) -> SettledFit:
        """The better of a fit and those in which the property is smoother and more readings are wild.

        A few readings around a wild one are also explained by a property that jumps: from there no reading looks wild.
        It is asked for with longer lengthscales, and with those that are expected before any reading.
        """
        if not (self.robust and self._cheap):
            return even
        h = first.hyperparameters
        expected = self.layout.hyperparameters(np.array([prior.mean for prior in self.layout.priors()]))
        best = even
        for smooth in (replace(h, lengthscales=SMOOTHER * h.lengthscales), expected):
            doubted = settle(self.raw, self.side, smooth, believed, robust=True)
            if (doubted.held() & ~best.settled.held()).any():
                again = self._weighed(self._even(doubted, 1, smooth), doubted)
                best = max(best, again, key=self._score)
        return best

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
        elements, totals = self.layout.elements, self.layout.totals
        value = Evidence(data, h.layout(elements, totals))(h.theta())[0]
        share = held.sum() * np.log(SHARE) + (~held).sum() * np.log(1.0 - SHARE)
        return log_posterior(data, replace(tale.fit, log_evidence=value), elements, totals) + float(share)
