# ruff: noqa: PLC0415  (each peer is loaded only when it is asked)
"""How long a peer takes to propose one single point from n readings, through its own public interface.

Run by the peers' Python (see `peers.txt`): `python single_point.py ax < readings.json`. The readings are compositions
of six elements (`X`, n x 6), values (`y`, n, to be maximised) and `elements`. All but the last element are free
parameters; rules on the last one and on the total of the three heavy ones become linear constraints where the peer
knows such. The rule "two of three heavy elements" is left out: no peer can state it. Printed: CPU seconds of the
proposal alone, without loading the library and handing over the readings.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

LOW, HIGH = [0.1, 0.1, 0.1, 0.0, 0.0], [0.7, 0.7, 0.7, 0.3, 0.3]
CANDIDATES = 10_000
"""Points of the list from which NIMO chooses."""


def ask_ax(X: np.ndarray, y: np.ndarray, names: list[str]) -> float:
    """Ax's client with its default Bayesian generator."""
    from ax.api.client import Client
    from ax.api.configs import RangeParameterConfig

    free = names[:5]
    client = Client(random_seed=0)
    client.configure_experiment(
        parameters=[
            RangeParameterConfig(name=e, parameter_type="float", bounds=(low, high))
            for e, low, high in zip(free, LOW, HIGH, strict=True)
        ],
        parameter_constraints=[" + ".join(free) + " <= 1", " + ".join(free[:3]) + " >= 0.7"],
    )
    client.configure_optimization(objective="y")
    client.configure_generation_strategy(method="fast", initialization_budget=5, initialize_with_center=False)
    for x, value in zip(X, y, strict=True):
        inside = np.clip(x[:5], LOW, HIGH)
        number = client.attach_trial(parameters=dict(zip(free, inside.tolist(), strict=True)))
        client.complete_trial(number, raw_data={"y": float(value)})
    start = time.process_time()
    client.get_next_trials(max_trials=1)
    return time.process_time() - start


def ask_baybe(X: np.ndarray, y: np.ndarray, names: list[str]) -> float:
    """BayBE's campaign with its default recommender over a continuous space."""
    import pandas as pd
    from baybe import Campaign
    from baybe.constraints import ContinuousLinearConstraint
    from baybe.objectives import SingleTargetObjective
    from baybe.parameters import NumericalContinuousParameter
    from baybe.recommenders import BotorchRecommender
    from baybe.searchspace import SearchSpace
    from baybe.targets import NumericalTarget

    low, high = [*LOW, 0.0], [*HIGH, 0.3]
    space = SearchSpace.from_product(
        parameters=[
            NumericalContinuousParameter(name=e, bounds=(a, b)) for e, a, b in zip(names, low, high, strict=True)
        ],
        constraints=[
            ContinuousLinearConstraint(parameters=names, operator="=", coefficients=[1.0] * 6, rhs=1.0),
            ContinuousLinearConstraint(parameters=names[3:], operator="<=", coefficients=[1.0] * 3, rhs=0.3),
        ],
    )
    objective = SingleTargetObjective(target=NumericalTarget(name="y"))
    campaign = Campaign(searchspace=space, objective=objective, recommender=BotorchRecommender())
    frame = pd.DataFrame(np.clip(X, low, high), columns=names)
    campaign.add_measurements(frame.assign(y=y))
    start = time.process_time()
    campaign.recommend(batch_size=1)
    return time.process_time() - start


def ask_optuna(X: np.ndarray, y: np.ndarray, names: list[str]) -> float:
    """Optuna's Gaussian process sampler; it knows no linear rules, so it searches the box."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    free = names[:5]
    space = {e: optuna.distributions.FloatDistribution(low, high) for e, low, high in zip(free, LOW, HIGH, strict=True)}
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.GPSampler(seed=0, n_startup_trials=5))
    for x, value in zip(X, y, strict=True):
        inside = dict(zip(free, np.clip(x[:5], LOW, HIGH).tolist(), strict=True))
        study.add_trial(optuna.trial.create_trial(params=inside, distributions=space, value=float(value)))
    start = time.process_time()
    study.ask(space)
    return time.process_time() - start


def ask_nimo(X: np.ndarray, y: np.ndarray, names: list[str]) -> float:
    """NIMO's PHYSBO selection from a list of candidates that holds the readings."""
    import nimo

    random = np.random.default_rng(0)
    other = random.dirichlet(np.ones(6), CANDIDATES)
    values = [f"{value:.6f}" for value in y] + [""] * len(other)
    lines = [",".join([*names, "y"])]
    lines += [
        ",".join([*(f"{c:.6f}" for c in x), value]) for x, value in zip(np.vstack([X, other]), values, strict=True)
    ]
    with tempfile.TemporaryDirectory() as folder:
        candidates, proposals = Path(folder) / "candidates.csv", Path(folder) / "proposals.csv"
        candidates.write_text("\n".join(lines) + "\n")
        start = time.process_time()
        nimo.selection(
            method="PHYSBO",
            input_file=str(candidates),
            output_file=str(proposals),
            num_objectives=1,
            num_proposals=1,
            re_seed=0,
        )
        return time.process_time() - start


ASK = {"ax": ask_ax, "baybe": ask_baybe, "optuna": ask_optuna, "nimo": ask_nimo}

if __name__ == "__main__":
    asked = json.load(sys.stdin)
    seconds = ASK[sys.argv[1]](np.array(asked["X"]), np.array(asked["y"]), list(asked["elements"]))
    print(json.dumps({"cpu_seconds": seconds}))
