"""Campaigns with rules drawn at random, most of them around a composition that obeys them all."""

import numpy as np
from pydantic import ValidationError

from models.composition import (
    CategoricalVariable,
    ContinuousVariable,
    ElementBounds,
    GroupRule,
    LinearRule,
    SearchSpace,
)
from models.deposition import DepositionGrid, Source
from models.film import FilmGeometry
from tests.oracles import film_lab

LETTERS = "ABCDEFGH"


def random_problem(rng, policy):
    """A campaign, or None if its rules were refused."""
    elements = tuple(LETTERS[: rng.integers(2, 9)])
    inside = rng.dirichlet(np.full(len(elements), 1.5))
    try:
        space = SearchSpace(
            elements=elements,
            bounds=_bounds(rng, elements, inside),
            groups=_groups(rng, elements, inside),
            linear=_facets(rng, elements, inside),
            process=_process(rng),
        )
        return film_lab.problem_of(space, _geometry(rng, elements), policy)
    except ValidationError:
        return None


def _bounds(rng, elements, inside):
    made = []
    for e, x in zip(elements, inside, strict=True):
        if rng.random() < 2.0 / len(elements):
            lower, upper = max(0.0, x - 0.3 * rng.random()), min(1.0, x + 0.5 * rng.random())
            kinds = ({"lower": lower, "upper": upper}, {"upper": upper}, {"absent_or_at_least": x * rng.random()})
            made.append(ElementBounds(element=e, **kinds[rng.integers(3 if len(elements) < 7 else 2)]))
    return tuple(made)


def _groups(rng, elements, inside):
    made = []
    for k in range(rng.integers(0, 3)):
        members = rng.random(len(elements)) < 0.5
        if not members.any():
            continue
        total = float(inside[members].sum())
        few = rng.random() < (0.5 if len(elements) < 7 else 0.2)
        most = int(rng.integers(1, members.sum() + 1)) if few else None
        low = 0.0 if most else max(0.0, total - 0.3 * rng.random())
        named = tuple(e for e, m in zip(elements, members, strict=True) if m)
        made.append(GroupRule(name=f"g{k}", elements=named, lower=low, upper=min(1.0, total + 0.3), max_present=most))
    return tuple(made)


def _facets(rng, elements, inside):
    made = []
    for k in range(rng.integers(0, 3)):
        unit = float(rng.choice([1.0, 1e-3, 1e6]))
        slope = unit * rng.integers(-5, 6, len(elements))
        if not slope.any():
            continue
        reach = float(slope @ inside)
        upper = reach + unit * rng.random()
        lower = reach - unit * (0.2 + rng.random()) if rng.random() < 0.3 else None
        named = dict(zip(elements, slope.tolist(), strict=True))
        made.append(LinearRule(name=f"f{k}", coefficients=named, lower=lower, upper=upper))
    return tuple(made)


def _process(rng):
    kinds = (
        ContinuousVariable(name="anneal", unit="degC", lower=200.0, upper=700.0),
        ContinuousVariable(name="pressure", unit="Pa", lower=0.2, upper=1.5, step=0.1),
        CategoricalVariable(name="substrate", choices=("Si", "MgO", "glass")),
    )
    return tuple(kind for kind in kinds if rng.random() < 0.3)


def _geometry(rng, elements):
    least = float(rng.choice([0.0, 0.02, 0.1, 0.2]))
    devices = int(rng.integers(1, 14))
    grid = _grid(rng, elements) if rng.random() < 0.4 else None
    inner = tuple(sorted(rng.random(devices).tolist())) if rng.random() < 0.3 else None
    grading = "pair" if rng.random() < 0.5 else "free"
    ratios = [1.0] if grid and grading == "pair" else [1.0, 1.0, 0.5, 2.5]  # sources that keep their command keep both
    return FilmGeometry(
        devices=devices,
        positions=inner,
        grading=grading,
        span_min=least,
        span_max=float(rng.choice([0.3, 1.0] if grid else [least, 0.3, 1.0])),
        flux_ratio=float(rng.choice(ratios)),
        grid=grid,
    )


def _grid(rng, elements):
    whole = rng.random() < 0.3  # rates whose steps are multiples of each other
    rates = rng.integers(1, 4, len(elements)) if whole else np.exp(rng.normal(0.0, 0.4, len(elements)))
    # Sources that are off or on make a choice of every element: of 7 and 8 too many to build for a test.
    lower = float(rng.choice([0.0, 10.0])) if len(elements) < 6 else 0.0
    sources = (
        Source(element=e, rate=q, step=1.0, lower=lower, upper=200.0) for e, q in zip(elements, rates, strict=True)
    )
    return DepositionGrid(unit="W", sources=tuple(sources), constant_within=0.0 if whole else 0.005)
