"""A model version as it can be looked at: how far it is right, what it found out, where it comes from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from models.composition import ContinuousVariable, SearchSpace
from models.problem import Problem
from models.surrogates.scaling import group_totals, space_ranges, total_ranges
from service.operations import models
from service.operations.models import ModelVersion
from service.store import charts, datasets
from service.store import models as stored
from service.store.charts import VersionFigures

HISTORY = 120
"""Versions in the history of the calibration."""


@dataclass(frozen=True)
class Influence:
    """What one element or process variable does to a property."""

    name: str
    unit: str
    """Of `over` and of one step."""
    over: float
    """How far it has to change until the property is another one: a lengthscale, in `unit`."""
    reach: float
    """How far the campaign lets it change, in `unit`."""
    change: float | None
    """Mean change of the property with one step; None where it is not known."""
    change_sd: float | None
    rises_at: float | None
    """Share of the compositions where the property surely rises."""
    falls_at: float | None


@dataclass(frozen=True)
class ModelStory:
    """A model version with all that is known of it."""

    version: ModelVersion
    newest: bool
    problem: Problem
    portraits: Sequence[Mapping[str, Any]] | None
    """By property; None while the worker has not told them."""
    influences: dict[str, list[Influence]]
    """By property, in the order of elements and process variables."""
    history: Sequence[VersionFigures]
    generator: ModelVersion | None


def newest(session: Session, campaign_id: str) -> str | None:
    """Id of the campaign's newest surrogate; None if there is none yet.

    Raises:
        NotFound: If there is no such campaign.
    """
    datasets.head(session, campaign_id)
    row = stored.newest(session, campaign_id)
    return None if row is None else row.id


def model_story(session: Session, model_version_id: str) -> ModelStory:
    """Read a model version.

    Raises:
        NotFound: If there is none of this id.
    """
    version = models.read(session, model_version_id)
    problem = datasets.problem(session, version.campaign_id, version.config_revision)
    told = stored.insights(session, model_version_id)
    generator = stored.newest(session, version.campaign_id, stored.GENERATOR)
    last = newest(session, version.campaign_id)
    return ModelStory(
        version=version,
        newest=last == model_version_id,
        problem=problem,
        portraits=None if told is None else (told.get("portrait") or {}).get("properties", ()),
        influences=_influences(version, problem) if version.kind == "surrogate" else {},
        history=charts.versions(session, version.campaign_id, HISTORY),
        generator=None if generator is None else models.read(session, generator.id),
    )


def _influences(version: ModelVersion, problem: Problem) -> dict[str, list[Influence]]:
    """Lengthscales in units of the lab, with what was found out about each element and process variable."""
    _, width = space_ranges(problem.space)
    reach = {e: (100.0 * float(w), "at.%") for e, w in zip(problem.space.elements, width, strict=False)}
    continuous = [v for v in problem.space.process if isinstance(v, ContinuousVariable)]
    reach |= {v.name: (v.upper - v.lower, v.unit) for v in continuous}
    columns = (*problem.space.elements, *problem.space.process_columns)
    reports = version.metrics.get("objectives") or []
    known = version.metrics.get("sensitivities") or {}
    found = {}
    for p, report in zip(problem.properties, reports, strict=False):
        told = {s["variable"]: s for s in known.get(p.property, ())}
        found[p.property] = [
            _influence(name, *reach[name], float(scale), told.get(name, {}))
            for name, scale in zip(
                columns, effective_lengthscales(problem.space, report.get("lengthscales") or ()), strict=False
            )
            if name in reach
        ]
    return found


def effective_lengthscales(space: SearchSpace, lengthscales: Sequence[float]) -> list[float]:
    """Over how much of its range each element and process column changes a property, alone and through its groups.

    With l_k and w_k lengthscale and range of an element, l_g and w_g those of the total of a group that it belongs to,
    a step t w_k is the squared distance t^2 (1 / l_k^2 + sum_g (w_k / (w_g l_g))^2) in lengthscales.

    Args:
        space: Whose columns they are.
        lengthscales: Of fractions and process columns, then of totals; versions before there were totals have none.
    """
    count, totals = space.dimension + len(space.process_columns), group_totals(space)
    own, of_groups = np.array(lengthscales[:count]), np.array(lengthscales[count:])
    if not of_groups.size or len(of_groups) != len(totals):
        return [float(scale) for scale in own]
    width = space_ranges(space)[1][: space.dimension]
    through = totals * width / (total_ranges(space)[1] * of_groups)[:, None]
    own[: space.dimension] = (own[: space.dimension] ** -2.0 + (through**2).sum(0)) ** -0.5
    return [float(scale) for scale in own]


def _influence(name: str, reach: float, unit: str, scale: float, told: Mapping[str, Any]) -> Influence:
    return Influence(
        name=name,
        unit=unit,
        over=scale * reach,
        reach=reach,
        change=told.get("change"),
        change_sd=told.get("change_sd"),
        rises_at=told.get("rises_at"),
        falls_at=told.get("falls_at"),
    )
