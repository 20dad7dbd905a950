"""Readings of a campaign as trials of Ax, and Ax's next composition as a film of Filmloop.

In an environment of its own: `pip install ax-platform==1.3.1 ./client`, then, with `filmloop up` running,
`python benchmarks/bridges/in_ax.py`.
"""

from importlib.metadata import version

from ax.api.client import Client as AxClient
from ax.api.configs import RangeParameterConfig

from filmloop_client import Client, Reading, dumps
from filmloop_client.campaign import Campaign

HALL = {"property": "anomalous_hall", "unit": "uohm cm"}
PROBLEM = {
    "space": {"elements": ["Fe", "Co", "Ni"]},
    "objectives": [HALL],
    "film": {"devices": 5, "grading": "free", "span_min": 0.0, "span_max": 0.3},
    "policy": {"name": "space_filling"},
}
FREE = ("Fe", "Co")
"""Ax's parameters; nickel is the rest."""


def hall(composition: dict[str, float]) -> float:
    """Stands for a measurement."""
    return 4.0 - 9.0 * (composition["Co"] - 0.4) ** 2 - 5.0 * (composition["Ni"] - 0.2) ** 2


def make(campaign: Campaign) -> None:
    """One film, read."""
    claim = campaign.robot("sputter-1").claim(wait_s=60)
    assert claim is not None
    claim.start()
    film = claim.complete([device.composition for device in claim.film.devices])
    rows = [
        Reading(film_id=film.id, device=d.index, value=hall(d.composition), std_uncertainty=0.05, **HALL)
        for d in film.devices
    ]
    campaign.instrument("hall-1").measure(rows)


def asked(campaign: Campaign) -> dict[str, float]:
    """What Ax would measure next, knowing all readings of a campaign."""
    ax = AxClient(random_seed=1)
    shares = [RangeParameterConfig(name=e, parameter_type="float", bounds=(0.0, 1.0)) for e in FREE]
    ax.configure_experiment(shares, parameter_constraints=["Fe + Co <= 1"])
    ax.configure_optimization(HALL["property"])
    trials = dumps.ax_trials(campaign.latest.problem, campaign.dataset())
    for trial in trials:
        index = ax.attach_trial({e: trial["parameters"][e] for e in FREE})
        ax.complete_trial(index, trial["raw_data"])
    read = ax.summarize()[HALL["property"]].dropna()
    assert sorted(read) == sorted(trial["raw_data"][HALL["property"]][0] for trial in trials)
    (wanted,) = ax.get_next_trials(1).values()
    found = {e: min(max(float(wanted[e]), 0.0), 1.0) for e in FREE}
    return found | {"Ni": max(0.0, 1.0 - sum(found.values()))}


def main() -> None:
    """Run, look at what Filmloop has, print."""
    with Client() as client:
        campaign = client.campaigns.create("with Ax", PROBLEM)
        campaign.activate()
        for _ in range(3):
            make(campaign)
        wanted = asked(campaign)
        proposed = campaign.propose(wanted, wanted, reason="Ax wants it")
        make(campaign)
        best = max(row.value or 0.0 for row in campaign.dataset().rows)
        print(f"Ax {version('ax-platform')} knows 15 readings and wants {wanted}")
        print("made as", proposed, "; best now", round(best, 3), "of 4")
        assert len(asked(campaign)) == 3


if __name__ == "__main__":
    main()
