"""The campaign that the demo runs: the most magnetic composition of the Fe-Ga-Pd wafer."""

import time

import numpy as np

from filmloop_client import Campaign
from models.catalog import ConditionalVAE, GeneratorChoice
from models.composition import SearchSpace
from models.film import FilmGeometry
from models.objective import Objective
from models.problem import Problem
from service.simulation.progress import Belief, fractions
from service.simulation.wafer import ELEMENTS, PROPERTY, UNIT, Wafer

GENERATOR = ConditionalVAE(steps=400, width=64, latent=4, batch=64)
"""Small enough for three elements and a few films: a training takes seconds."""
NOT_SEARCHING = ("inverse_design", "random", "space_filling")
"""Policies that do not search all films: they have no starts to choose."""


def fe_ga_pd_problem(
    wafer: Wafer | None = None,
    *,
    devices: int = 13,
    policy: str = "expected_improvement",
    seed: int = 0,
    generator: GeneratorChoice | None = None,
) -> Problem:
    """Films with a free gradient of 5 to 40 at.% inside the wafer's measured region.

    Args:
        wafer: Whose region limits the films; loaded if not given.
        devices: Measurable spots per film, K.
        policy: Name of a policy in the catalogue, with its default options.
        seed: Of the campaign.
        generator: What learns beside the surrogate; if given, films are sought from its draws as well.
    """
    wafer = wafer or Wafer.load()
    starts = {} if generator is None or policy in NOT_SEARCHING else {"starts": "merged"}
    return Problem(
        space=SearchSpace(elements=ELEMENTS, bounds=wafer.bounds(), linear=wafer.rules()),
        objectives=(Objective(property=PROPERTY, unit=UNIT),),
        film=FilmGeometry(devices=devices, grading="free", span_min=0.05, span_max=0.4),
        policy={"name": policy, **starts},
        generator=generator,
        seed=seed,
    )


def newest_belief(campaign: Campaign, *, wait_s: float = 60.0) -> Belief | None:
    """What the campaign's newest model believes.

    Args:
        campaign: Any campaign on the wafer's elements.
        wait_s: How long to wait for a model that knows all data; then the newest there is has to do.

    Returns:
        None if no model was trained.
    """
    revision = campaign.refresh().revision
    deadline = time.monotonic() + wait_s
    while (newest := campaign.newest_model()) is None or newest.revision < revision:
        if time.monotonic() > deadline:
            break
        time.sleep(0.2)
    if newest is None:
        return None
    posterior = campaign.posterior(newest.id)
    return Belief(
        points=np.array([fractions(p) for p in posterior.points]),
        mean=np.array(posterior.mean),
        sd=np.array(posterior.sd),
        best=fractions(posterior.best.composition),
        best_mean=posterior.best.mean,
        best_sd=posterior.best.sd,
        knows_all=newest.revision >= revision,
    )
