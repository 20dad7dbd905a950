"""A handle for one campaign."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from filmloop_client.answers import (
    BestComposition,
    Calibration,
    CampaignState,
    Composition,
    Dataset,
    Event,
    Film,
    ModelVersion,
    Pareto,
    Posterior,
    Predictions,
    Proposal,
    Recommendation,
    StopAdvice,
)
from filmloop_client.exports import Exports
from filmloop_client.following import follow
from filmloop_client.generations import Generations
from filmloop_client.history import History
from filmloop_client.instrument import Instrument
from filmloop_client.paging import Item, pages
from filmloop_client.prior_data import PriorDataOf
from filmloop_client.record import Record
from filmloop_client.robot import Robot
from filmloop_client.transport import Transport

_COMPUTING_S = 60.0
"""How long the service may compute an answer: thousands of points with a large model take seconds."""


class Campaign:
    """One campaign: what is sought, where, and everything measured for it."""

    def __init__(self, transport: Transport, state: CampaignState, etag: str | None = None) -> None:
        """Wrap a campaign that was read."""
        self._transport = transport
        self._etag = etag
        self.latest = state
        self.record = Record(transport, state.id)
        """Its retractions, instruments and calibration samples."""
        self.prior_data = PriorDataOf(transport, state.id)
        """What it learns from that was read elsewhere."""
        self.history = History(transport, state.id)
        """What its films come from, and computing it again."""
        self.generations = Generations(transport, state.id)
        """Compositions for wanted values."""
        self.exports = Exports(transport, state.id)
        """What can be taken away of it as files."""

    @property
    def id(self) -> str:
        """The campaign's id."""
        return self.latest.id

    @property
    def state(self) -> str:
        """The state when last read: draft, active, paused, draining, completed or aborted. `refresh()` asks again."""
        return self.latest.state

    def refresh(self) -> CampaignState:
        """Read the campaign again."""
        answer = self._transport.get(f"/v1/campaigns/{self.id}")
        self.latest, self._etag = CampaignState.model_validate(answer.json()), answer.headers.get("ETag")
        return self.latest

    def change(
        self,
        *,
        problem: Mapping[str, Any] | None = None,
        queue_depth: int | None = None,
        budget: Mapping[str, float | None] | None = None,
        lease: Mapping[str, int] | None = None,
    ) -> CampaignState:
        """Put a new configuration in force, unless somebody else did since this handle last read the campaign.

        Args:
            problem: Members of the problem that change, e.g. `{"policy": {"name": "mapping"}}`; each replaces the old
                one whole, the others stay.
            queue_depth: How many films are kept decided ahead.
            budget: `films`, `devices`, `hours`; replaces the old budget whole.
            lease: `ttl_s`, `overdue_s`.

        Raises:
            Stale: If another configuration is in force by now: `refresh()`, look, and decide anew.
            Invalid: If the new problem is none, or would take the meaning from what was measured.
            Conflict: If the campaign is over.
        """
        if self._etag is None:
            self.refresh()
        given = {"problem": problem, "queue_depth": queue_depth, "budget": budget, "lease": lease}
        body = {name: value for name, value in given.items() if value is not None}
        answer = self._transport.patch(f"/v1/campaigns/{self.id}", body, headers={"If-Match": self._etag or "*"})
        self.latest, self._etag = CampaignState.model_validate(answer.json()), answer.headers.get("ETag")
        return self.latest

    def act(self, action: str) -> CampaignState:
        """Move the campaign: activate, pause, resume, drain, complete or abort.

        Raises:
            Conflict: If the action is not allowed in the present state.
        """
        answer = self._transport.post(f"/v1/campaigns/{self.id}/actions", {"action": action})
        self.latest = CampaignState.model_validate(answer.json())
        return self.latest

    def activate(self) -> CampaignState:
        """Open the campaign to robots; the first film is being decided from now on."""
        return self.act("activate")

    def robot(self, name: str) -> Robot:
        """A robot of this campaign."""
        return Robot(self._transport, self.id, name)

    def instrument(self, name: str) -> Instrument:
        """An instrument of this campaign."""
        return Instrument(self._transport, self.id, name)

    def next_proposal(self, robot: str | None = None) -> Proposal | None:
        """What the next claim would give; looking changes nothing."""
        answer = self._transport.get(f"/v1/campaigns/{self.id}/proposals/next", {"robot": robot})
        return Proposal.model_validate(answer.json()) if answer.content else None

    def proposals(self, state: str | None = None) -> Iterator[Proposal]:
        """Every proposal, oldest first, perhaps of one state only."""
        return self._pages("proposals", Proposal, state=state)

    def proposal(self, proposal_id: str) -> Proposal:
        """One proposal with its provenance."""
        return Proposal.model_validate(self._transport.get(f"/v1/proposals/{proposal_id}").json())

    def propose(
        self,
        a: Composition | None = None,
        b: Composition | None = None,
        *,
        reason: str,
        process: Mapping[str, float | str] | None = None,
        commands: tuple[Mapping[str, float], Mapping[str, float]] | None = None,
    ) -> Proposal:
        """Put a film of your own at the head of the queue: from composition `a` to `b`, or by commands at both ends.

        Raises:
            Invalid: If it breaks a rule of the campaign.
            Conflict: If the campaign is over or its budget spent.
        """
        body: dict[str, Any] = {"reason": reason, "process": dict(process or {})}
        if a is not None and b is not None:
            body |= {"a": dict(a), "b": dict(b)}
        if commands is not None:
            body["commands"] = {"a": dict(commands[0]), "b": dict(commands[1])}
        return Proposal.model_validate(self._transport.post(f"/v1/campaigns/{self.id}/proposals", body).json())

    def cancel(self, proposal_id: str) -> Proposal:
        """Take a film off the queue, or from a robot that has not begun it."""
        return self._act_on(proposal_id, {"action": "cancel"})

    def prioritise(self, proposal_id: str) -> Proposal:
        """Let a film that waits be the next one."""
        return self._act_on(proposal_id, {"action": "prioritise"})

    def resolve(
        self,
        proposal_id: str,
        outcome: str,
        *,
        compositions: Sequence[Composition] | None = None,
        note: str | None = None,
    ) -> Proposal:
        """Say what came of an overdue film: ok, partial, infeasible, equipment, operator; or that it is `running`."""
        made = None if compositions is None else [dict(c) for c in compositions]
        body = {"action": "resolve", "outcome": outcome, "compositions": made, "note": note}
        return self._act_on(proposal_id, body)

    def films(self, state: str | None = None) -> Iterator[Film]:
        """Every film, perhaps of one state only: running, made, measured, failed or overdue."""
        return self._pages("films", Film, state=state)

    def film(self, film_id: str) -> Film:
        """One film, proposed and as made side by side."""
        return Film.model_validate(self._transport.get(f"/v1/films/{film_id}").json())

    def dataset(self, revision: int | None = None) -> Dataset:
        """Every active reading, now or at an earlier revision; oldest first."""
        path = f"/v1/campaigns/{self.id}/dataset"
        pages = [self._transport.get(path, {"revision": revision}).json()]
        while pages[-1].get("next"):
            # Of the revision that the first page is of: another one may have begun since.
            more = {"revision": pages[0]["revision"], "after": pages[-1]["next"]}
            pages.append(self._transport.get(path, more).json())
        return Dataset.model_validate(pages[0] | {"rows": [row for page in pages for row in page["rows"]]})

    def model_versions(self) -> Iterator[ModelVersion]:
        """Every trained model: what predicts (kind `surrogate`), and what draws compositions (kind `generator`)."""
        return self._pages("model-versions", ModelVersion)

    def newest_model(self) -> ModelVersion | None:
        """The predicting model that knows the most data; None while there is none."""
        predicting = (m for m in self.model_versions() if m.kind != "generator")
        return max(predicting, key=lambda m: (m.revision, m.id), default=None)

    def posterior(self, model_version_id: str) -> Posterior:
        """What a model believes: mean and standard deviation over the search space, and where it expects the best."""
        return Posterior.model_validate(self._transport.get(f"/v1/model-versions/{model_version_id}/posterior").json())

    def best(self) -> BestComposition | None:
        """Where the newest model expects the best value: not the luckiest reading. None while there is no model."""
        newest = self.newest_model()
        return None if newest is None else self.posterior(newest.id).best

    def predict(
        self,
        compositions: Sequence[Composition] | None = None,
        *,
        grid: int | None = None,
        line: tuple[Composition, Composition, int] | None = None,
        process: Mapping[str, float | str] | None = None,
        model_version_id: str | None = None,
    ) -> Predictions:
        """What a model believes at compositions, with three kinds of uncertainty apart.

        Args:
            compositions: At most 5,000; or else
            grid: every feasible composition whose fractions are multiples of 1 / grid; or else
            line: from one composition to another in so many points.
            process: Every process variable in its unit; mid range and first choices if left out.
            model_version_id: Which model; the newest if left out.

        Raises:
            Invalid: If a composition is none, or none or too many of them were asked.
            NotFound: If there is no model yet.
        """
        body: dict[str, Any] = {"process": None if process is None else dict(process)}
        if compositions is not None:
            body["compositions"] = [dict(c) for c in compositions]
        if grid is not None:
            body["grid"] = {"divisions": grid}
        if line is not None:
            body["line"] = {"a": dict(line[0]), "b": dict(line[1]), "points": line[2]}
        of = f"campaigns/{self.id}" if model_version_id is None else f"model-versions/{model_version_id}"
        answer = self._transport.post(f"/v1/{of}/predictions", body, wait_s=_COMPUTING_S)
        return Predictions.model_validate(answer.json())

    def recommendation(self) -> Recommendation:
        """Where the newest model expects the best value, its chance of being the best, and its rivals.

        Raises:
            NotFound: If there is no model yet.
        """
        return Recommendation.model_validate(self._transport.get(f"/v1/campaigns/{self.id}/recommendation").json())

    def pareto(self) -> Pareto:
        """The best trade-offs between several objectives, with their uncertainty.

        Raises:
            NotFound: If there is no model yet, or the campaign has one objective only.
        """
        return Pareto.model_validate(self._transport.get(f"/v1/campaigns/{self.id}/pareto").json())

    def calibration(self) -> Iterator[Calibration]:
        """How well each model version predicted every film from all the others, oldest version first."""
        return self._pages("calibration", Calibration)

    def stop_advice(
        self,
        *,
        patience: int | None = None,
        horizon: int | None = None,
        resolution: float | None = None,
        worth: float | None = None,
    ) -> StopAdvice:
        """Whether another film is worth making, and why.

        Args:
            patience: Film counts in a row with little to expect; 3 if left out.
            horizon: Films that are looked ahead; 10 if left out.
            resolution: Smallest difference that matters, in the objective's unit; one reading's noise if left out.
            worth: Gain that pays for a film of cost 1; cost plays no part if left out.
        """
        given = {"patience": patience, "horizon": horizon, "resolution": resolution, "worth": worth}
        return StopAdvice.model_validate(self._transport.get(f"/v1/campaigns/{self.id}/stop-advice", given).json())

    def events(self, after: int = 0) -> Iterator[Event]:
        """Everything that happened since event number `after`."""
        while True:
            page = self._transport.get(f"/v1/campaigns/{self.id}/events", {"after": after}).json()
            yield from (Event.model_validate(item) for item in page["items"])
            if not page["items"] or page["next"] in (None, after):
                return
            after = page["next"]

    def follow(self, after: int | None = None, *, give_up_s: float | None = None) -> Iterator[Event]:
        """Events as they happen, each once and in order, across restarts of the service; it does not end.

        Args:
            after: Number of the last event that is known, 0 for all from the beginning; only new ones if left out.
            give_up_s: How long to try again while nobody answers; None for ever.

        Raises:
            Unreachable: If nobody answered for `give_up_s`.
        """
        if after is None:
            after = max((event.seq for event in self.events()), default=0)
        return follow(self._transport, self.id, after, give_up_s)

    def _act_on(self, proposal_id: str, body: Mapping[str, Any]) -> Proposal:
        return Proposal.model_validate(self._transport.post(f"/v1/proposals/{proposal_id}/actions", body).json())

    def _pages(self, noun: str, kind: type[Item], **params: str | None) -> Iterator[Item]:
        return pages(self._transport, f"/v1/campaigns/{self.id}/{noun}", kind, **params)
