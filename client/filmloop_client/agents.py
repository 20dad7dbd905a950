"""A campaign as an agent that is asked and told, for a lab that runs on Bluesky.

`FilmAgent` has the methods of an agent of bluesky-adaptive that belong to the decision: `ask`, `tell` and `report`.
Those that belong to the experiment, `measurement_plan` and `unpack_run`, are the lab's own: write a class that derives
from this one and from `bluesky_adaptive.agents.base.Agent`. Bluesky is not needed to use it alone.

Source: the documentation of bluesky-adaptive 0.3, agents.
"""

from collections.abc import Iterable, Mapping, Sequence
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
