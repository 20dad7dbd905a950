"""What the record tells in pictures: how far a campaign has come, what was read where, one film device by device."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from models.objective import Objective, Property
from models.problem import Problem
from service.store import campaigns, charts, datasets
from service.store.charts import DevicePair, FilmBest, Standing

Array = NDArray[np.float64]

MOST_DEVICES = 800
"""Devices that a picture shows at most; extremes come first."""
MOST_READINGS = 20
"""Readings of one property at one device of a film that are shown at most."""


@dataclass(frozen=True)
class FilmRead:
    """One film as a point of the history."""

    film_id: str
    best: float
    """Its best reading."""
    best_so_far: float


@dataclass(frozen=True)
class Progress:
    """How far a campaign has come, film by film."""

    property: str
    """The objective's; of several objectives empty."""
    unit: str
    sought: Objective | None
    """None with several objectives."""
    standings: tuple[Standing, ...]
    """What a model expected at the best composition (of several objectives: the hypervolume) after so many films."""
    films: tuple[FilmRead, ...]
    """In the order in which they were read; empty for several objectives."""
    budget: int | None


@dataclass(frozen=True)
class Cloud:
    """Devices that were read, or some of very many."""

    property: str
    unit: str
    film: tuple[str, ...]
    device: tuple[int, ...]
    composition: Array
    """`j x d`, as well as it is known, in the order of the campaign's elements."""
    value: Array
    """`j` mean readings."""
    of: int
    """Devices that there are."""


@dataclass(frozen=True)
class Reading:
    """One reading of a film."""

    device: int
    property: str
    value: float | None
    status: str
    std_uncertainty: float | None
    measured_at: datetime


def progress(session: Session, campaign_id: str) -> Progress:
    """How far a campaign has come.

    Raises:
        NotFound: If there is no such campaign.
    """
    campaign = campaigns.get(session, campaign_id)
    problem = datasets.head(session, campaign_id).problem
    budget = campaigns.config(session, campaign_id, campaign.config_revision).budget_films
    stood = tuple(charts.standings(session, campaign_id))
    if len(problem.objectives) > 1:
        unit = " x ".join(o.unit for o in problem.objectives)
        return Progress("", unit, None, stood, (), budget)
    sought = problem.objectives[0]
    films = _history(session, campaign_id, campaign.revision, sought)
    return Progress(sought.property, sought.unit, sought, stood, films, budget)


def _history(session: Session, campaign_id: str, revision: int, sought: Objective) -> tuple[FilmRead, ...]:
    found = sorted(_bests(session, campaign_id, revision, sought), key=lambda f: (f.first_revision, f.film_id))
    so_far = accumulate((f.value for f in found), lambda before, own: sought.best((before, own)))
    return tuple(FilmRead(f.film_id, f.value, until) for f, until in zip(found, so_far, strict=True))


_BESTS: dict[tuple[str, Objective], tuple[int, dict[str, FilmBest]]] = {}
"""By campaign and objective: the revision up to which readings were looked at, and what was found by film."""
_CLOUDS: dict[tuple[str, str, int, int, tuple[str, ...]], Cloud] = {}
"""By campaign, property, revision, size and elements: what counts at a revision never changes."""
_MOST_KEPT = 64


def _bests(session: Session, campaign_id: str, revision: int, sought: Objective) -> list[FilmBest]:
    """Every film's best reading at a revision. While readings are only added, only new ones are looked at."""
    known, films = _BESTS.get((campaign_id, sought), (-1, {}))
    if known > revision or charts.took_back(session, campaign_id, known, revision):
        known, films = -1, {}
    if known < revision:
        films = dict(films)
        for new in charts.film_bests(session, campaign_id, sought, known, revision):
            old = films.get(new.film_id, new)
            films[new.film_id] = FilmBest(new.film_id, old.first_revision, sought.best((old.value, new.value)))
        _keep(_BESTS, (campaign_id, sought), (revision, films))
    return list(films.values())


def _keep(kept: dict[Any, Any], key: object, value: object) -> None:
    """Remember something, and forget what was remembered first if that is too much."""
    if len(kept) >= _MOST_KEPT:
        kept.pop(next(iter(kept)), None)
    kept[key] = value


def cloud(session: Session, campaign_id: str, problem: Problem, sought: Property, most: int = MOST_DEVICES) -> Cloud:
    """Devices with a reading of a property, at most `most`: the extremes and an even share of the others."""
    key = campaign_id, sought.property, campaigns.get(session, campaign_id).revision, most, problem.space.elements
    known = _CLOUDS.get(key)
    if known is None:
        known = _cloud(session, campaign_id, problem, sought, most)
        _keep(_CLOUDS, key, known)
    return known


def _cloud(session: Session, campaign_id: str, problem: Problem, sought: Property, most: int) -> Cloud:
    found, of = charts.device_values(session, campaign_id, sought.property, most)
    made_of = charts.made_of(session, [(f.film_id, f.device) for f in found])
    points = [made_of[f.film_id, f.device] for f in found]
    fractions = [[x.get(e, 0.0) for e in problem.space.elements] for x in points]
    return Cloud(
        sought.property,
        sought.unit,
        tuple(f.film_id for f in found),
        tuple(f.device for f in found),
        np.array(fractions, dtype=np.float64).reshape(-1, problem.space.dimension),
        np.array([f.value for f in found], dtype=np.float64),
        of,
    )


def pairs(
    session: Session, campaign_id: str, names: tuple[str, str], most: int = MOST_DEVICES
) -> tuple[Sequence[DevicePair], int]:
    """Devices that were read in both of two properties, or some of very many; and how many there are."""
    return charts.device_pairs(session, campaign_id, names, most)


def film_readings(session: Session, film_id: str) -> list[Reading]:
    """Readings of a film that count; of very many at one device the extremes and an even share."""
    return [Reading(*row) for row in charts.film_readings(session, film_id, MOST_READINGS)]


def film_numbers(session: Session, campaign_id: str, film_ids: Sequence[str]) -> dict[str, int]:
    """The how manieth film of the campaign each one is."""
    return charts.film_numbers(session, campaign_id, film_ids)


def problem_of(session: Session, campaign_id: str) -> Problem:
    """What a campaign seeks, by the configuration in force.

    Raises:
        NotFound: If there is no such campaign.
    """
    return datasets.head(session, campaign_id).problem
