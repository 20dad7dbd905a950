"""What researchers ask of a trained model, as it is stored and served: readable without torch."""

from typing import Any

from models.dataset import Dataset
from models.problem import Problem
from models.recommendation import recommend
from models.surrogates.base import ModelBundle
from models.trade_offs import trade_offs


def served_insights(problem: Problem, bundle: ModelBundle, dataset: Dataset, *, seed: int) -> dict[str, Any]:
    """The best composition of one objective, the best trade-offs of several; and what the model shows of itself."""
    shown = {"portrait": _portrait(problem, bundle, dataset)}
    if len(problem.objectives) == 1:
        return {"recommendation": recommend(problem, bundle, dataset, seed=seed).model_dump(mode="json"), **shown}
    return {"pareto": trade_offs(problem, bundle, dataset, seed=seed).model_dump(mode="json"), **shown}


def _portrait(problem: Problem, bundle: ModelBundle, dataset: Dataset) -> dict[str, Any]:
    """By property, as JSON."""
    drawn = bundle.surrogate.portrait(problem, dataset)
    return {"properties": [each.model_dump(mode="json") for each in drawn]}
