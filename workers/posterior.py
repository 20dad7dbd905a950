"""The posterior map of a model as it is stored and served: readable without torch."""

from typing import Any

from models.problem import Problem
from models.surrogates.base import ModelBundle


def served_posterior(problem: Problem, bundle: ModelBundle) -> dict[str, Any]:
    """Feasible compositions with posterior mean and sd in physical units, and the best of the first objective."""
    elements = problem.space.elements
    drawn = bundle.posterior_map(problem)
    return {
        "points": [dict(zip(elements, point, strict=True)) for point in drawn.points],
        "mean": drawn.mean,
        "sd": drawn.sd,
        "properties": {name: each.model_dump() for name, each in drawn.properties.items()},
        "best": {
            "composition": dict(zip(elements, drawn.best_composition, strict=True)),
            "mean": drawn.best_mean,
            "sd": drawn.best_sd,
        },
    }
