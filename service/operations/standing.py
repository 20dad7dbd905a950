"""Where a campaign stands at a decision, as one line of its history: what a stop is judged by."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from models.problem import Problem
from service.operations.decision_inputs import DecisionInput
from service.operations.recommendations import Recommendation


class Known(Protocol):
    """A trained model, as far as it says where the campaign stands."""

    @property
    def metrics(self) -> Mapping[str, Any]:
        """What the fit said of noise and film effect."""

    @property
    def posterior(self) -> Mapping[str, Any] | None:
        """Map with its best composition."""


def standing(
    decision: DecisionInput, model: Known | None, model_id: str | None, offered: Sequence[Recommendation]
) -> dict[str, Any]:
    """One row of the history, but for what is best (`best`).

    Args:
        decision: What was known.
        model: The model that decided; None if there was none.
        model_id: Its version.
        offered: The films that were proposed, the most wanted first.
    """
    first = offered[0] if offered else None
    data = decision.dataset.of_films()
    read = ~np.isnan(data.Y).all(axis=1)
    noise_sd, film_effect_sd = (None, None) if model is None else _scatter(decision, model)
    gain = first.gain if first is not None and first.source == "model" else None
    return {
        "job_id": decision.job_id,
        "campaign_id": decision.campaign_id,
        "model_version_id": model_id,
        "revision": decision.revision,
        "films": len(set(data.films[read].tolist())),
        "readings": int(read.sum()),
        "pending": len(decision.pending),
        "policy": None if first is None else first.policy,
        "source": None if first is None else first.source,
        "expected_gain": None if gain is None else float(gain),
        "cost": None if first is None else first.cost,
        "noise_sd": noise_sd,
        "film_effect_sd": film_effect_sd,
    }


def _scatter(decision: DecisionInput, model: Known) -> tuple[float | None, float | None]:
    """Deviation of a typical reading and of a film's offset; of several objectives there is no one such number."""
    fitted = model.metrics.get("objectives") or [{}]
    if len(decision.problem.objectives) > 1:
        return None, None
    inferred = fitted[0].get("noise_sd")
    data = decision.dataset.of_films()
    variance = data.Yvar[~np.isnan(data.Y[:, 0]), 0]
    if len(variance) == 0 or np.isnan(variance).mean() > 0.5:
        return inferred, fitted[0].get("film_effect_sd")
    return float(np.sqrt(np.nanmedian(variance))), fitted[0].get("film_effect_sd")


def best(problem: Problem, model: Known | None, insights: Mapping[str, Any] | None) -> dict[str, Any]:
    """What is expected at the best composition; of several objectives the hypervolume of what was measured.

    Before a model is explained, its map says it for one objective, at mid process.
    """
    known = insights or {}
    if len(problem.objectives) > 1:
        found = (known.get("pareto") or {}).get("hypervolume_measured") or {}
    else:
        of_map = ((None if model is None else model.posterior) or {}).get("best")
        found = known.get("recommendation") or of_map or {}
    return {"best_mean": found.get("mean"), "best_sd": found.get("sd")}
