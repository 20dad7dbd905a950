"""A campaign as an agent that is asked and told, for a lab that runs on Bluesky.

`FilmOptimizer` is an `Optimizer` of bluesky-adaptive 1.0: `suggest` and `ingest` are called by its plans. `FilmAgent`
has the methods of an agent of bluesky-adaptive 0.3 that belong to the decision: `ask`, `tell` and `report`; those that
belong to the experiment, `measurement_plan` and `unpack_run`, are the lab's own: write a class that derives from this
one and from `bluesky_adaptive.agents.base.Agent`. Bluesky is not needed to use either alone.

Source: the documentation of bluesky-adaptive 0.3, agents, and 1.0, protocols.
"""

import math
from collections.abc import Iterable, KeysView, Mapping, Sequence
from typing import Any

from filmloop_client.answers import Film
from filmloop_client.campaign import Campaign
from filmloop_client.errors import FilmloopError
from filmloop_client.instrument import Reading
from filmloop_client.robot import Claim


class FilmAgent:
    """Asked for films, told what was read of them. A film is claimed when it is asked for, and made when it is told."""

    def __init__(self, campaign: Campaign, name: str = "bluesky", *, wait_s: float = 60.0) -> None:
        """Prepare.

        Args:
            campaign: An active one.
            name: Of the robot and of the instrument that Filmloop sees; films asked for at once have a robot each.
            wait_s: How long `ask` waits for a decision that knows what was told last.
        """
        self._campaign, self._name, self._wait_s = campaign, name, wait_s
        self._held: dict[str, Claim] = {}

    @property
    def name(self) -> str:
        """Short name."""
        return self._name

    def ask(self, batch_size: int = 1) -> tuple[dict[str, list[Any]], list[list[dict[str, float]]]]:
        """Claim films that nobody makes yet.

        Args:
            batch_size: How many; the campaign's `queue_depth` should be as large.

        Returns:
            What is known of each film by name, lists of one length; and the films, each the compositions of its
            devices. Fewer than were asked for, if no more were decided in time.
        """
        claims: list[Claim] = []
        for number in range(batch_size):
            robot = self._campaign.robot(self._name if number == 0 else f"{self._name}-{number + 1}")
            if (claim := robot.claim(self._wait_s)) is None:
                break
            self._held[claim.start()] = claim
            claims.append(claim)
        doc: dict[str, list[Any]] = {
            "film_id": [claim.film_id for claim in claims],
            "proposal_id": [claim.proposal.id for claim in claims],
            "process": [dict(claim.film.process) for claim in claims],
            "gain": [claim.proposal.gain for claim in claims],
            "reason": [claim.proposal.reason for claim in claims],
        }
        return doc, [[dict(device.composition) for device in claim.film.devices] for claim in claims]

    def tell(
        self,
        x: Mapping[str, Any] | str,
        y: Sequence[float | None] | Mapping[str, Sequence[float | None]],
        *,
        sd: float | None = None,
    ) -> dict[str, list[Any]]:
        """Report what was read of a film.

        Args:
            x: The film's id; or a mapping with `film_id` and, if they are known, the `compositions` as made.
            y: A value per device, None for a dead one; of several properties, by name. In the campaign's units.
            sd: Standard uncertainty of the values.

        Returns:
            What was stored, for the agent's own record.

        Raises:
            FilmloopError: If the film is not of this campaign, or the values are refused.
        """
        said: dict[str, Any] = {"film_id": x} if isinstance(x, str) else dict(x)
        film_id = str(said["film_id"])
        if (claim := self._held.pop(film_id, None) or self._found_again(film_id)) is not None:
            claim.complete(said.get("compositions"))
        values = y if isinstance(y, Mapping) else {self._properties()[0]["property"]: y}
        rows = [row for name, read in values.items() for row in self._readings(film_id, name, read, sd)]
        batch = self._campaign.instrument(self._name).measure(rows)
        return {"film_id": [film_id], "revision": [batch.revision], "accepted": [batch.accepted]}

    def tell_many(
        self, xs: Iterable[Mapping[str, Any] | str], ys: Iterable[Sequence[float | None]]
    ) -> list[dict[str, list[Any]]]:
        """Report several films."""
        return [self.tell(x, y) for x, y in zip(xs, ys, strict=True)]

    def report(self, **_: object) -> dict[str, list[Any]]:
        """Where the best is expected by now; empty while there is no model."""
        try:
            best = self._campaign.recommendation()
        except FilmloopError as error:
            if error.status != 404:
                raise
            return {}
        return {
            "best": [best.composition],
            "mean": [best.mean],
            "sd": [best.sd],
            "probability_best": [best.probability_best],
        }

    def fail(self, film_id: str, reason: str) -> None:
        """Say that no film came of one that was asked for; nothing happens if it was told of already."""
        if (claim := self._held.pop(film_id, None)) is not None:
            claim.fail(reason)

    def held(self) -> list[Film]:
        """Films that were asked for and not told of yet."""
        return [self._campaign.film(film_id) for film_id in self._held]

    def _found_again(self, film_id: str) -> Claim | None:
        """The claim of a film in the making that an agent before this one asked for: its robot gets its own film."""
        film = self._campaign.film(film_id)
        if film.state not in {"running", "overdue"} or film.robot is None:
            return None
        claim = self._campaign.robot(film.robot).claim(0)
        if claim is None or claim.film_id != film_id:
            return None
        claim.start()
        return claim

    def _readings(self, film_id: str, name: str, values: Sequence[float | None], sd: float | None) -> Iterable[Reading]:
        unit = next((p["unit"] for p in self._properties() if p["property"] == name), None)
        if unit is None:
            raise FilmloopError(f"the campaign has no property {name!r}")
        for device, value in enumerate(values):
            dead = value is None
            yield Reading(
                film_id=film_id,
                device=device,
                property=name,
                unit=unit,
                value=value,
                status="dead" if dead else "ok",
                std_uncertainty=None if dead else sd,
            )

    def _properties(self) -> list[dict[str, Any]]:
        problem = self._campaign.latest.problem
        return [*problem["objectives"], *(problem.get("outcomes") or ())]


class FilmOptimizer:
    """Suggests films and takes in what was read of them: an `Optimizer` of bluesky-adaptive 1.0.

    A suggestion is a film: by element the fractions of its devices, and its process conditions. Films that fail are
    said to have failed (`TrialFaultAware`), and a plan without a number of iterations ends when Filmloop advises it
    (`SupportsStoppingCriteria`).
    """

    def __init__(self, campaign: Campaign, name: str = "bluesky", *, wait_s: float = 60.0) -> None:
        """Prepare; as `FilmAgent`."""
        self._campaign = campaign
        self._agent = FilmAgent(campaign, name, wait_s=wait_s)

    def suggest(self, num_points: int | None = None) -> list[dict[str, Any]]:
        """Claim films that nobody makes yet.

        Args:
            num_points: How many, 1 if not given; the campaign's `queue_depth` should be as large.

        Returns:
            Of each film its id as `_id`, by element a list with the fraction of each device, and process conditions.
        """
        doc, films = self._agent.ask(num_points or 1)
        return [
            {"_id": film_id, **process, **{e: [device.get(e, 0.0) for device in film] for e in self._elements()}}
            for film_id, process, film in zip(doc["film_id"], doc["process"], films, strict=True)
        ]

    def ingest(self, points: Sequence[Mapping[str, Any]]) -> None:
        """Report what was read.

        Args:
            points: Of each film its `_id`, by property a value per device in the campaign's unit (NaN or None for a
                dead one), and by element the fractions as made, if they were measured. Process conditions may stay in.

        Raises:
            FilmloopError: If a film is not of this campaign, or the values are refused.
        """
        for point in points:
            film: dict[str, Any] = {"film_id": point["_id"]}
            if self._elements() <= point.keys():
                shares = zip(*(point[element] for element in self._elements()), strict=True)
                film["compositions"] = [dict(zip(self._elements(), map(float, made), strict=True)) for made in shares]
            rest = point.keys() - self._elements() - self._process() - {"_id"}
            self._agent.tell(film, {name: _listed(point[name]) for name in sorted(rest)})

    def get_best_points(self) -> list[tuple[None, dict[str, float], dict[str, float]]]:
        """Where the model expects the best, and what: no film's id, as it need not have been made."""
        found = self._agent.report()
        if not found:
            return []
        name = self._campaign.latest.problem["objectives"][0]["property"]
        return [(None, dict(found["best"][0]), {name: found["mean"][0]})]

    def should_stop(self) -> tuple[bool, str | None]:
        """Whether Filmloop advises to stop, and why."""
        advice = self._campaign.stop_advice()
        return advice.advice == "stop", advice.why

    def register_failures(self, suggestions: Sequence[Mapping[str, Any]]) -> None:
        """Say that no films came of suggestions."""
        for suggestion in suggestions:
            self._agent.fail(str(suggestion["_id"]), "the plan failed")

    def _elements(self) -> KeysView[str]:
        return dict.fromkeys(self._campaign.latest.problem["space"]["elements"]).keys()

    def _process(self) -> set[str]:
        return {variable["name"] for variable in self._campaign.latest.problem["space"].get("process") or ()}


def _listed(values: Any) -> list[float | None]:  # noqa: ANN401 - a number, or an array of whatever library
    """Values as a list; None for what is no number."""
    several = values if isinstance(values, Iterable) else [values]
    return [None if v is None or math.isnan(v) else float(v) for v in several]
