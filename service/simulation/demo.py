"""One campaign on the wafer from the first film to the summary, against a Filmloop that runs somewhere."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from filmloop_client import Campaign, Client
from models.generators.base import FEWEST, held_back
from service.simulation.campaign import GENERATOR, fe_ga_pd_problem, newest_belief
from service.simulation.lab import Lab
from service.simulation.players import PATIENCE_S, Order, play
from service.simulation.progress import GOAL, HEADER, Belief, Progress, formula, percent

TRAINING_S = 120.0
"""How long a campaign that is over waits for its first generator: trainings give way to everything else."""
START = {
    "systematic": "by rule",
    "uniform": "from an even draw",
    "jitter": "near a reading",
    "generator": "from a composition that it drew",
}
"""What laid the film from which a search came to its end, in words."""


@dataclass(frozen=True)
class Learned:
    """What came of a generator in a campaign."""

    verdicts: list[str]
    """Health of each version."""
    starts: dict[str, int]
    """Films made, by what laid the film from which the search came to each."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a campaign found."""

    campaign_id: str
    policy: str
    seed: int
    progress: Progress
    belief: Belief | None
    seconds: float
    learned: Learned | None = None

    @property
    def recommended_true(self) -> float | None:
        """True value of the composition that the last model recommends."""
        return None if self.belief is None else float(self.progress.wafer.truth(self.belief.best)[0])

    def figures(self) -> dict[str, object]:
        """The outcome as JSON."""
        progress, top = self.progress, self.progress.wafer.best_value
        recommended = self.recommended_true
        return {
            "films": len(progress.films),
            "best_true": round(progress.fraction_of_best() * top, 4),
            "fraction_of_best": round(progress.fraction_of_best(), 5),
            "seconds": round(self.seconds, 1),
            "seed": self.seed,
            "policy": self.policy,
            "readings": progress.readings(),
            "recommended_true": None if recommended is None else round(recommended, 4),
            "recommended_fraction": None if recommended is None else round(recommended / top, 5),
            "films_to_95": progress.films_to(),
            "best_true_by_film": [round(float(v), 4) for v in progress.best_true()],
            "decision_seconds": [round(f.decision_s, 2) for f in progress.films],
            "campaign_id": self.campaign_id,
            "generators": None if self.learned is None else self.learned.verdicts,
            "starts": None if self.learned is None else self.learned.starts,
        }


def explore(
    url: str,
    lab: Lab,
    *,
    films: int,
    devices: int,
    policy: str,
    say: Callable[[str], None],
    finish: bool = True,
    generator: bool = False,
    key: str | None = None,
) -> Outcome:
    """Create a campaign, let one robot and one instrument work it off, ask what was learned.

    Args:
        url: Where Filmloop runs.
        lab: The simulated lab; its seed is also the campaign's.
        films: How many to make.
        devices: Measurable spots per film.
        policy: Name of a policy in the catalogue.
        say: Is told the head line and one line per film.
        finish: Whether to complete the campaign at the end.
        generator: Whether a generator learns beside the surrogate, and films are sought from its draws as well.
        key: To ask with; the client finds one if none is given.

    Raises:
        FilmloopError: If the service refuses or cannot be reached for ten minutes.
    """
    began = time.monotonic()
    progress = Progress(lab.wafer)
    with Client(url, key=key, patience=PATIENCE_S) as client:
        learning = GENERATOR if generator else None
        problem = fe_ga_pd_problem(lab.wafer, devices=devices, policy=policy, seed=lab.seed, generator=learning)
        campaign = client.campaigns.create(f"Fe-Ga-Pd demo, seed {lab.seed}, {policy}", problem)
        campaign.activate()
        say(HEADER)
        play(Order(url, campaign.id, films, lab, key=key), progress, say)
        belief = newest_belief(campaign)
        came_of_it = learned(campaign, progress, say, wait_s=TRAINING_S if finish else 0.0) if generator else None
        if finish:
            campaign.act("complete")
    return Outcome(campaign.id, policy, lab.seed, progress, belief, time.monotonic() - began, came_of_it)


def learned(campaign: Campaign, progress: Progress, say: Callable[[str], None], *, wait_s: float) -> Learned:
    """What the campaign's generator came to, and which starts won.

    Args:
        campaign: Any campaign with a generator.
        progress: Its films.
        say: Is told before a wait.
        wait_s: How long to wait for a first version, where enough was measured for one.
    """
    deadline, told = time.monotonic() + (wait_s if _enough(progress) else 0.0), False
    while not (versions := [m for m in campaign.model_versions() if m.kind == "generator"]):
        if time.monotonic() >= deadline:
            break
        if not told:
            say(f"  Waiting for the generator's first training, {wait_s:.0f} s at most ...")
            told = True
        time.sleep(0.2)
    made = [p for p in campaign.proposals() if p.film_id is not None]
    starts = Counter(str(p.provenance["start"]) for p in made if p.provenance.get("start"))
    return Learned([str(m.metrics["health"]["verdict"]) for m in versions], dict(starts))


def _enough(progress: Progress) -> bool:
    """Whether a generator has enough to learn from once some of it is held back."""
    distinct = len(np.unique(np.vstack([np.empty((0, 3)), *(film.as_made for film in progress.films)]), axis=0))
    return distinct - held_back(distinct) >= FEWEST


def introduction(lab: Lab) -> str:
    """What is going to happen, for somebody who has never seen it."""
    return (
        "Wanted: the most magnetic composition of a real Fe-Ga-Pd wafer, of which 278 points were measured.\n"
        "Magnetisation is a scanning-SQUID voltage (V), a proxy of remanent magnetisation. A simulated robot\n"
        "makes films on the wafer, a simulated instrument reads them with "
        f"{lab.noise_v:g} V noise, {lab.film_offset_v:g} V film offset and\n{percent(lab.dead_share, 0)} dead devices. "
        "Filmloop knows none of the wafer’s values: it sees the readings only.\n"
    )


def summary(outcome: Outcome) -> str:
    """What was found, for a person."""
    progress, top = outcome.progress, outcome.progress.wafer.best_value
    reached = progress.films_to()
    when = f"{percent(GOAL, 0)} reached with film {reached}" if reached else f"{percent(GOAL, 0)} not reached"
    found = progress.fraction_of_best()
    lines = [
        f"\n{len(progress.films)} films, {progress.readings()} readings, {outcome.seconds:.0f} s",
        f"  best found     {found * top:5.2f} V true = {percent(found)} of the wafer’s best ({top:.2f} V); {when}",
    ]
    if outcome.belief is not None and outcome.recommended_true is not None:
        belief, true = outcome.belief, outcome.recommended_true
        expected = f"model expects {belief.best_mean:.2f} ± {belief.best_sd:.2f} V"
        expected += "" if belief.knows_all else " (it has not seen the last readings)"
        lines.append(
            f"  recommended    {true:5.2f} V true = {percent(true / top)} at {formula(belief.best)}; {expected}"
        )
    if (device := progress.best_device()) is not None:
        composition, reading = device
        true = float(progress.wafer.truth(composition)[0])
        lines.append(f"  highest read   {reading:5.2f} V at {formula(composition)}; true {true:.2f} V")
    if outcome.learned is not None:
        lines.append(_of_generator(outcome.learned))
    return "\n".join(lines)


def _of_generator(learned: Learned) -> str:
    """What came of the generator, in a line."""
    trained = ", ".join(f"{n} {verdict}" for verdict, n in Counter(learned.verdicts).most_common()) or "none yet"
    began = ", ".join(f"{n} {START.get(start, start)}" for start, n in Counter(learned.starts).most_common())
    return f"  generator      trained versions: {trained}; films found from starts laid: {began or 'none'}"
