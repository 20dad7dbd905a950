# ruff: noqa: PLC0415  (each peer is loaded only when it is asked)
"""Ax, BayBE and Optuna behind JSON lines, one point at a time; runs in the peers' environment only.

A question: `peer`, `campaign` (its name), `elements`, `process`, `low`, `high` (elements, then process columns),
`objectives` (name, minimise, reference), `X` and `Y` of all readings so far, `fixed` (values of process columns that
are already decided, or null), `pending` (points asked for but not read), `seed`. The answer: `point` and
`cpu_seconds`.

Each is used as its tutorials say, with its defaults: Ax's `Client` (free parameters are all but the last element,
whose bounds become linear constraints; the reference point is given as outcome constraints; every device is a trial, a
point that is not read yet a running one; Ax passes over points outside its rules by as little as a rounding error, so
all that it is told is moved `INSIDE`),
BayBE's `Campaign` with a `ParetoObjective` (its elements sum to 1 by a linear constraint; a process value that is
decided is one more), Optuna's `GPSampler` (free parameters as for Ax; it knows no linear rules, so a point outside
them is brought back by whoever asks; a process value that is decided is fixed by `PartialFixedSampler`; a point that
is not read yet is a running trial). For two
objectives Ax and BayBE choose by the logarithm of the noisy expected hypervolume improvement, Optuna by that of the
expected one.
"""

import json
import logging
import sys
import time
import warnings
from typing import Any

import numpy as np

Question = dict[str, Any]

INSIDE = 1e-6
"""How far from the bounds of the last element Ax is told a point that lies on them."""


class AxPeer:
    """One campaign of Ax."""

    def __init__(self, question: Question) -> None:
        from ax.api.client import Client
        from ax.api.configs import RangeParameterConfig

        d = len(question["elements"])
        self._free = question["elements"][:-1]
        names = [*self._free, *question["process"]]
        columns = [*range(d - 1), *range(d, len(question["low"]))]
        total = " + ".join(self._free)
        low, high = question["low"], question["high"]
        self._low, self._high = (np.array([v[k] for k in columns]) for v in (low, high))
        self._least, self._most = 1.0 - high[d - 1], 1.0 - low[d - 1]
        self._names = names
        self._client = Client(random_seed=question["seed"])
        self._client.configure_experiment(
            parameters=[
                RangeParameterConfig(name=n, parameter_type="float", bounds=(float(a), float(b)))
                for n, a, b in zip(names, self._low, self._high, strict=True)
            ],
            parameter_constraints=[f"{total} <= {self._most}", f"{total} >= {self._least}"],
        )
        objectives = question["objectives"]
        self._client.configure_optimization(
            objective=", ".join(("-" if o["minimise"] else "") + o["name"] for o in objectives),
            outcome_constraints=[f"{o['name']} {'<=' if o['minimise'] else '>='} {o['reference']}" for o in objectives],
        )
        self._client.configure_generation_strategy(method="fast", initialization_budget=5, initialize_with_center=False)
        self._known = 0

    def propose(self, question: Question) -> list[float]:
        """The next point, after the new readings were told."""
        for x, y in zip(question["X"][self._known :], question["Y"][self._known :], strict=True):
            named = zip((o["name"] for o in question["objectives"]), y, strict=True)
            self._client.complete_trial(self._told(x), raw_data={name: float(value) for name, value in named})
        self._known = len(question["X"])
        fixed = dict(zip(question["process"], question["fixed"], strict=True)) if question["fixed"] else None
        awaited = [self._told(x) for x in question["pending"]]
        ((number, chosen),) = self._client.get_next_trials(max_trials=1, fixed_parameters=fixed).items()
        for passed in (number, *awaited):
            self._client.mark_trial_failed(passed)  # its readings come as trials of their own
        free = [float(chosen[n]) for n in self._free]
        return [*free, 1.0 - sum(free), *(float(chosen[n]) for n in question["process"])]

    def _told(self, x: list[float]) -> int:
        """Number of a running trial at a point, all elements and the process."""
        d = len(self._free)
        values = np.clip([*x[:d], *x[d + 1 :]], self._low, self._high)
        for goal, ends in ((self._most - INSIDE, self._low), (self._least + INSIDE, self._high)):
            total, end = values[:d].sum(), ends[:d].sum()
            if (total - goal) * (end - goal) < 0.0:
                values[:d] += (ends[:d] - values[:d]) * (goal - total) / (end - total)
        return int(self._client.attach_trial(parameters=dict(zip(self._names, values.tolist(), strict=True))))


class BayBEPeer:
    """BayBE; it remembers nothing between questions."""

    def __init__(self, question: Question) -> None:
        del question

    def propose(self, question: Question) -> list[float]:
        """The next point."""
        import pandas as pd
        from baybe import Campaign
        from baybe.constraints import ContinuousLinearConstraint
        from baybe.objectives import ParetoObjective
        from baybe.parameters import NumericalContinuousParameter
        from baybe.searchspace import SearchSpace
        from baybe.targets import NumericalTarget

        names = [*question["elements"], *question["process"]]
        ones = [1.0] * len(question["elements"])
        rules = [ContinuousLinearConstraint(parameters=question["elements"], operator="=", coefficients=ones, rhs=1.0)]
        rules += [
            ContinuousLinearConstraint(parameters=[name], operator="=", coefficients=[1.0], rhs=value)
            for name, value in zip(question["process"], question["fixed"] or [], strict=False)
        ]
        low, high = np.array(question["low"]), np.array(question["high"])
        space = SearchSpace.from_product(
            parameters=[
                NumericalContinuousParameter(name=n, bounds=(a, b)) for n, a, b in zip(names, low, high, strict=True)
            ],
            constraints=rules,
        )
        targets = [NumericalTarget(name=o["name"], minimize=o["minimise"]) for o in question["objectives"]]
        campaign = Campaign(searchspace=space, objective=ParetoObjective(targets=targets))
        read = pd.DataFrame(np.clip(np.array(question["X"]), low, high), columns=names)
        outcome = pd.DataFrame(question["Y"], columns=[t.name for t in targets])
        campaign.add_measurements(pd.concat([read, outcome], axis=1))
        pending = pd.DataFrame(question["pending"], columns=names) if question["pending"] else None
        chosen = campaign.recommend(batch_size=1, pending_experiments=pending)
        return [float(v) for v in chosen[names].to_numpy()[0]]


class OptunaPeer:
    """Optuna; it remembers nothing between questions."""

    def __init__(self, question: Question) -> None:
        del question

    def propose(self, question: Question) -> list[float]:
        """The next point."""
        import optuna

        d = len(question["elements"])
        names = [*question["elements"][:-1], *question["process"]]
        columns = [*range(d - 1), *range(d, len(question["low"]))]
        low, high = (np.array([question[side][k] for k in columns]) for side in ("low", "high"))
        space = {
            n: optuna.distributions.FloatDistribution(float(a), float(b))
            for n, a, b in zip(names, low, high, strict=True)
        }
        sampler = optuna.samplers.GPSampler(seed=question["seed"], n_startup_trials=5)
        if question["fixed"]:
            fixed = dict(zip(question["process"], question["fixed"], strict=True))
            sampler = optuna.samplers.PartialFixedSampler(fixed, sampler)
        ways = ["minimize" if o["minimise"] else "maximize" for o in question["objectives"]]
        study = optuna.create_study(directions=ways, sampler=sampler)
        for x, y in zip(question["X"], question["Y"], strict=True):
            params = dict(zip(names, np.clip(np.array(x)[columns], low, high).tolist(), strict=True))
            study.add_trial(optuna.trial.create_trial(params=params, distributions=space, values=y))
        for x in question["pending"]:
            params = dict(zip(names, np.clip(np.array(x)[columns], low, high).tolist(), strict=True))
            state = optuna.trial.TrialState.RUNNING
            study.add_trial(optuna.trial.create_trial(state=state, params=params, distributions=space))
        chosen = study.ask(space).params
        free = [float(chosen[n]) for n in names[: d - 1]]
        return [*free, 1.0 - sum(free), *(float(chosen[n]) for n in question["process"])]


PEERS: dict[str, type[AxPeer] | type[BayBEPeer] | type[OptunaPeer]] = {
    "ax": AxPeer,
    "baybe": BayBEPeer,
    "optuna": OptunaPeer,
}


def main() -> None:
    """Answer until the questions end."""
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    answers, sys.stdout = sys.stdout, sys.stderr
    campaign: str | None = None
    asked: AxPeer | BayBEPeer | OptunaPeer | None = None
    for line in sys.stdin:
        question = json.loads(line)
        began = time.process_time()
        if asked is None or question["campaign"] != campaign:
            campaign, asked = question["campaign"], PEERS[question["peer"]](question)
        point = asked.propose(question)
        answers.write(json.dumps({"point": point, "cpu_seconds": time.process_time() - began}) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
