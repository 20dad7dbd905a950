"""Every arm by its name, with the version under which its campaigns are kept."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path

from pydantic import TypeAdapter

from benchmarks.decisions.baselines import MeanImprovement, Random
from benchmarks.decisions.campaign import Chooser
from benchmarks.decisions.filmloop_arm import Filmloop, WithoutFilmEffect
from benchmarks.decisions.peers.combi import Combi
from benchmarks.decisions.peers.points import TwoPoints
from models.catalog import PolicyChoice, policies_for


@dataclass(frozen=True)
class Arm:
    """How to make a fresh chooser for one campaign, and what it depends on."""

    make: Callable[[], Chooser]
    version: Callable[[], str]


@cache
def science_version() -> str:
    """Name of the state of `models` that this process runs: a hash over its source files, committed or not."""
    root = Path(__file__).parents[2]
    digest = hashlib.sha256()
    for path in sorted((root / "models").rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return f"models {digest.hexdigest()[:12]}"


def default_gp_version() -> str:
    """Of the library whose default model `mean-ei-all-films` takes."""
    return f"botorch {version('botorch')}"


def _policy(name: str) -> PolicyChoice:
    policy: PolicyChoice = TypeAdapter(PolicyChoice).validate_python({"name": name})
    return policy


NIMO = "nimo 2.1.8, physbo 3.2.1"

ARMS: dict[str, Arm] = {
    "filmloop": Arm(Filmloop, science_version),
    "filmloop-no-film-effect": Arm(WithoutFilmEffect, science_version),
    "random": Arm(Random, lambda: "1"),
    "nimo-combi": Arm(partial(Combi, all_pairs=False), lambda: NIMO),
    "nimo-combi-all-pairs": Arm(partial(Combi, all_pairs=True), lambda: NIMO),
    "ax": Arm(partial(TwoPoints, "ax"), lambda: "ax-platform 1.3.1, pending told"),
    "baybe": Arm(partial(TwoPoints, "baybe"), lambda: "baybe 0.15.0"),
    "optuna": Arm(partial(TwoPoints, "optuna"), lambda: "optuna 5.0.0, pending told"),
    "mean-ei-all-films": Arm(MeanImprovement, default_gp_version),
    **{
        f"filmloop-{name}": Arm(partial(Filmloop, {"policy": _policy(name)}), science_version)
        for name in policies_for(1)
    },
}
"""`filmloop` has a campaign's defaults, `filmloop-<policy>` another policy of the catalogue."""
