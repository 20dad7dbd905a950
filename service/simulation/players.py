"""The lab's people and machines: robots that make films and instruments that read them, speaking only HTTP.

Each player has a connection of its own and knows only what the service tells it: an instrument finds its films by
asking for those that are made. What they share in this process is the order for films and the word to stop.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from filmloop_client import Campaign, Claim, Client, Conflict, Film, Reading, Robot
from service.simulation.lab import Lab
from service.simulation.progress import FilmRecord, Progress, fractions
from service.simulation.wafer import ELEMENTS, PROPERTY, UNIT, Array

PATIENCE_S = 600.0
"""How long a player keeps calling a service that does not answer, for instance while it is restarted."""
LOOK_S = 0.1
"""Pause between two looks at a list."""


@dataclass
class Order:
    """What this lab is to do, and with whom."""

    url: str
    campaign_id: str
    films: int
    lab: Lab
    robots: int = 1
    instruments: int = 1
    report_uncertainty: bool = False
    """Whether instruments state the noise of a reading, or leave it to the model to infer."""
    overlap: bool = False
    """Whether a robot asks for its next film before its last one was measured. Faster, but decided on less."""
    key: str | None = None
    """To ask with; the client finds one if none is given."""
    stop: threading.Event = field(default_factory=threading.Event)
    robots_done: threading.Event = field(default_factory=threading.Event)
    waits: dict[str, float] = field(default_factory=dict)
    """Seconds that the robot waited for a film, by film id; for the person who watches, not for the players."""
    _substrates: threading.Semaphore = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._substrates = threading.Semaphore(self.films)

    def take_substrate(self) -> bool:
        """Take one blank substrate from the box; False if it is empty."""
        return self._substrates.acquire(blocking=False)


class RobotPlayer:
    """Claims, deposits, reports what was made; until the substrates are used up."""

    def __init__(self, order: Order, number: int, say: Callable[[str], None]) -> None:
        """Hire a robot; it starts with `run`.

        Args:
            order: What the lab is to do.
            number: 1, 2, …
            say: Is told when no film is offered for long.
        """
        self.order = order
        self.name = f"robot-{number}"
        self._say = say

    def run(self) -> None:
        """Make films until the order is done, the campaign ends, or somebody says stop."""
        with Client(self.order.url, key=self.order.key, patience=PATIENCE_S) as client:
            campaign = client.campaigns.get(self.order.campaign_id)
            robot = campaign.robot(self.name)
            while not self.order.stop.is_set() and self.order.take_substrate():
                asked = time.monotonic()
                claim = self._claim(campaign, robot)
                if claim is None:
                    return
                self._make(campaign, claim, waited_s=time.monotonic() - asked)

    def _claim(self, campaign: Campaign, robot: Robot) -> Claim | None:
        """The next film, however long it takes; None when the campaign is over."""
        asked = time.monotonic()
        while not self.order.stop.is_set():
            try:
                if claim := robot.claim():
                    return claim
                waited_s = time.monotonic() - asked
                self._say(
                    f"  {self.name} has waited {waited_s:.0f} s for a film; `filmloop doctor` and the log say why"
                )
            except Conflict as refusal:
                if refusal.type.endswith("budget-spent") or campaign.refresh().state not in ("active", "paused"):
                    return None
                self.order.stop.wait(1.0)
        return None

    def _make(self, campaign: Campaign, claim: Claim, *, waited_s: float) -> None:
        film_id = claim.start()
        self.order.waits[film_id] = waited_s
        proposed = np.array([fractions(d.composition) for d in claim.film.devices])
        made = self.order.lab.make(film_number(campaign, film_id), proposed)
        self.order.stop.wait(self.order.lab.deposition_s)
        claim.complete([dict(zip(ELEMENTS, row.tolist(), strict=True)) for row in made])
        while not self.order.overlap and not self.order.stop.wait(LOOK_S):
            if campaign.film(film_id).state not in ("running", "made"):
                return


class InstrumentPlayer:
    """Looks for films that are made, reads every device, posts one batch per film."""

    def __init__(self, order: Order, number: int, progress: Progress, say: Callable[[str], None]) -> None:
        """Set up an instrument; it starts with `run`.

        Args:
            order: What the lab is to do.
            number: 1, 2, …; each instrument reads its share of the film numbers, so two never read the same film.
            progress: Where each measured film is added.
            say: Is told one line per film.
        """
        self.order = order
        self.name = f"squid-{number}"
        self._share = number - 1
        self._progress = progress
        self._say = say

    def run(self) -> None:
        """Read films until the robots are done and none is left, or somebody says stop."""
        with Client(self.order.url, key=self.order.key, patience=PATIENCE_S) as client:
            campaign = client.campaigns.get(self.order.campaign_id)
            while not self.order.stop.is_set():
                nothing_more_comes = self.order.robots_done.is_set()  # asked before looking, so that no film slips by
                mine = [(n, film) for n, film in made_films(campaign) if n % self.order.instruments == self._share]
                for number, film in mine:
                    self._read(campaign, number, film)
                if not mine and nothing_more_comes:
                    return
                self.order.stop.wait(LOOK_S)

    def _read(self, campaign: Campaign, number: int, film: Film) -> None:
        as_made = np.array([fractions(d.composition) for d in film.devices])
        values = self.order.lab.read(number, as_made)
        rows = [self._reading(film, d.index, float(v)) for d, v in zip(film.devices, values, strict=True)]
        campaign.instrument(self.name).measure(rows)
        self._say(self._progress.add(self._record(campaign, number, film, as_made, values)))

    def _reading(self, film: Film, device: int, value: float) -> Reading:
        dead = bool(np.isnan(value))
        return Reading(
            film_id=film.id,
            device=device,
            property=PROPERTY,
            unit=UNIT,
            value=None if dead else value,
            status="dead" if dead else "ok",
            std_uncertainty=self.order.lab.noise_v if self.order.report_uncertainty and not dead else None,
            uid=f"{film.id}/{device}",
        )

    def _record(self, campaign: Campaign, number: int, film: Film, as_made: Array, values: Array) -> FilmRecord:
        if film.proposal_id is None:
            ends, source = as_made[[0, -1]], "person"
        else:
            proposal = campaign.proposal(film.proposal_id)
            ends, source = np.array([fractions(proposal.film.a), fractions(proposal.film.b)]), proposal.source
        return FilmRecord(number, ends, as_made, values, source, self.order.waits.get(film.id, 0.0))


def film_number(campaign: Campaign, film_id: str) -> int:
    """Number of a film in its campaign, from 1, in the order in which they were started."""
    return 1 + [film.id for film in _in_order(campaign)].index(film_id)


def made_films(campaign: Campaign) -> list[tuple[int, Film]]:
    """Films that are made and wait to be measured, each with its number in the campaign."""
    waiting = list(campaign.films(state="made"))
    if not waiting:
        return []
    numbers = {film.id: number for number, film in enumerate(_in_order(campaign), start=1)}
    return sorted(((numbers[film.id], film) for film in waiting), key=lambda pair: pair[0])


def play(order: Order, progress: Progress, say: Callable[[str], None]) -> None:
    """Run the whole lab until the order is done.

    Raises:
        FilmloopError: The first error that a player could not get over; the others are stopped then.
    """
    failures: list[Exception] = []

    def employ(player: RobotPlayer | InstrumentPlayer) -> threading.Thread:
        def work() -> None:
            try:
                player.run()
            except Exception as error:  # noqa: BLE001  (handed over to the thread that waits)
                failures.append(error)
                order.stop.set()

        # Daemons: whoever interrupts the lab need not wait for a claim that the service holds open.
        thread = threading.Thread(target=work, name=player.name, daemon=True)
        thread.start()
        return thread

    instruments = [employ(InstrumentPlayer(order, n, progress, say)) for n in range(1, order.instruments + 1)]
    robots = [employ(RobotPlayer(order, n, say)) for n in range(1, order.robots + 1)]
    try:
        for thread in robots:
            thread.join()
        order.robots_done.set()
        for thread in instruments:
            thread.join()
    finally:
        order.stop.set()
    if failures:
        raise failures[0]


def _in_order(campaign: Campaign) -> list[Film]:
    films = [film for film in campaign.films() if film.started_at is not None]
    return sorted(films, key=lambda film: (film.started_at, film.id))
