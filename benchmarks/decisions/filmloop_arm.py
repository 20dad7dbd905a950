"""Filmloop itself as an arm: `train` and `propose` in process, as its worker calls them."""

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.decisions.campaign import Asked, Choice
from benchmarks.decisions.figures import CALIBRATION
from models.catalog import FilmGP
from models.propose import propose
from models.surrogates.base import ModelBundle
from models.train import train

Array = NDArray[np.float64]


@dataclass
class Filmloop:
    """Filmloop with options that replace those of the task's problem, within one campaign."""

    options: dict[str, Any] = field(default_factory=dict)
    """Fields of `Problem`: policy, surrogate."""
    previous: ModelBundle | None = None

    def decide(self, asked: Asked) -> Choice:
        """Train on what is known, warm from the last time, then choose."""
        began = time.process_time()
        problem = asked.problem.model_copy(update=self.options)
        bundle = train(problem, asked.dataset, seed=asked.seed, previous=self.previous)
        self.previous = bundle
        chosen = propose(problem, bundle, asked.dataset, pending=[], count=1, seed=asked.seed)[0]
        seconds = time.process_time() - began
        return Choice(chosen.film, _recommended(asked, bundle), calibration(asked, bundle), seconds)


def _recommended(asked: Asked, bundle: ModelBundle) -> Array | None:
    """The point of the pool with the best posterior mean; None where there is no single best."""
    if len(asked.problem.objectives) > 1:
        return None
    pool = asked.task.pool()
    values = asked.problem.objectives[0].to_maximised(bundle.predict(asked.problem, pool).mean[:, 0])
    best: Array = pool[int(np.argmax(values))]
    return best


@dataclass
class WithoutFilmEffect(Filmloop):
    """The same model without its film effect: what the film effect is worth."""

    options: dict[str, Any] = field(default_factory=lambda: {"surrogate": FilmGP(film_effect=False)})


def calibration(asked: Asked, bundle: ModelBundle) -> dict[str, float]:
    """Coverage and mean log density of each film predicted from the others, in units of the property's sd."""
    report = bundle.metrics["objectives"][0]["leave_film_out"]
    if report is None:
        return {}
    figures = {name: report[name] for name in CALIBRATION}
    return figures | {"log_density": report["log_density"] + float(np.log(asked.task.sd[0]))}
