"""Three films by Bluesky's own RunEngine and bluesky-adaptive's own plan, with a running Filmloop as the optimiser.

In an environment of its own: `pip install bluesky-adaptive==1.0.0 ./client`, then, with `filmloop up` running,
`python benchmarks/bridges/in_bluesky.py`.
"""

from collections.abc import Generator, Mapping, Sequence
from importlib.metadata import version
from typing import Any

from bluesky import RunEngine
from bluesky.plan_stubs import null
from bluesky_adaptive.plans import optimize
from bluesky_adaptive.protocols import (
    OptimizationProblem,
    Optimizer,
    SupportsStoppingCriteria,
    TrialFaultAware,
)

from filmloop_client import Client
from filmloop_client.agents import FilmOptimizer

HALL = {"property": "anomalous_hall", "unit": "uohm cm"}
PROBLEM = {
    "space": {"elements": ["Fe", "Co", "Ni"]},
    "objectives": [HALL],
    "film": {"devices": 5},
    "initial_films": 2,
}


def sputter(suggestions: Sequence[Mapping[str, Any]], *_: object, **__: object) -> Generator[Any, Any, list[str]]:
    """Stands for a lab's plan: it moves nothing and says which films it made."""
    yield from null()
    return [s["_id"] for s in suggestions]


def hall(made: list[str], suggestions: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Stands for a lab's analysis: an invented Hall effect at each device."""
    found = []
    for s in suggestions:
        assert s["_id"] in made
        found.append({"_id": s["_id"], HALL["property"]: [4.0 - 9.0 * (co - 0.4) ** 2 for co in s["Co"]]})
    return found


def cracked(*_: object, **__: object) -> Generator[Any, Any, list[str]]:
    """A plan that fails."""
    yield from null()
    raise RuntimeError("the target cracked")


def main() -> None:
    """Run, look at what Filmloop has, print."""
    with Client() as client:
        campaign = client.campaigns.create("in Bluesky", PROBLEM)
        campaign.activate()
        optimizer = FilmOptimizer(campaign)
        for protocol in (Optimizer, SupportsStoppingCriteria, TrialFaultAware):
            assert isinstance(optimizer, protocol), protocol
        events: list[Mapping[str, Any]] = []
        engine = RunEngine()
        engine.subscribe(lambda _, event: events.append(event), "event")
        engine(optimize(OptimizationProblem(optimizer, [], [], hall, sputter), iterations=3))
        try:
            engine(optimize(OptimizationProblem(optimizer, [], [], hall, cracked), iterations=1))
        except RuntimeError as error:
            print("a plan that failed:", error)
        films = list(campaign.films())
        assert [film.state for film in films] == ["measured"] * 3 + ["failed"], films
        assert len(campaign.dataset().rows) == 15
        seen = [(event["data"][HALL["property"]], event["data"]["Co"]) for event in events]
        assert len(seen) == 3
        best = optimizer.get_best_points()
        print(f"bluesky {version('bluesky')}, bluesky-adaptive {version('bluesky-adaptive')}")
        print(f"films {[film.state for film in films]}, readings {len(campaign.dataset().rows)}, events {len(seen)}")
        print("best", best, "stop", optimizer.should_stop())


if __name__ == "__main__":
    main()
