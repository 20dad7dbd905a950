"""A machine that lives many lives of a campaign through HTTP, and through a hundred lines that say what must happen.

After every step everything that can be seen is compared: states, fences, priorities, films, what is next, and of each
refusal the status and the actions that it names as allowed. Time passes by moving the deadlines of leases.
"""

import itertools
from collections import Counter
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import func, update

from benchmarks.faults.loop import Advice
from models.film import Film
from service.operations.decisions import claim_decision, publish_decision, sweep
from service.operations.refill import request_decision
from service.store.tables import LeaseRow
from tests.property.life import CAMPAIGN, DEVICES, PERSON, ROBOT, Life, Refused

PROBLEM = {
    "space": {"elements": ["Fe", "Ga", "Pd"]},
    "objectives": [{"property": "magnetisation", "unit": "emu/cm3"}],
    "film": {"devices": DEVICES},
}
BUDGETS = [None, None, None, 1, 2, 4]
OUTCOMES = ["ok", "ok", "partial", "infeasible", "equipment", "operator"]
LATELY = 6
"""Most actions are on one of so many newest things; older ones are over."""
PICK = st.integers(0, 2 * LATELY)


class Lives(RuleBasedStateMachine):
    """One campaign, its proposals, its robots; subclasses say which service it is lived in."""

    client: Any
    """Of the API."""
    sessions: Any
    hits: Counter[str]
    """How often each rule was followed, and each status answered."""
    _keys = itertools.count()

    @initialize(
        budget=st.sampled_from(BUDGETS), as_draft=st.sampled_from([False] * 7 + [True]), films=st.integers(0, 3)
    )
    def begin(self, budget, as_draft, films):
        made = self.sent("/v1/campaigns", {"name": "c", "problem": PROBLEM, "budget": {"films": budget}}).json()
        self.at = f"/v1/campaigns/{made['id']}"
        self.campaign = made["id"]
        self.life = Life(state="draft", budget=budget, config=1, problem=1, revision=0, decided=0)
        self.life.proposals, self.life.leases = {}, {}
        self.tokens, self.films, self.taken, self.last = {}, {}, None, None
        if not as_draft:
            self.act_on_campaign("activate")
            self.take_a_decision()
            self.publish_a_decision(4)
        for robot in "abc"[:films]:
            self.claim(robot)
            if self.under_way("leased"):
                self.start(0)

    # What is done, to both

    def sent(self, path, body, method="POST", **headers):
        headers = {"Idempotency-Key": f"life-{next(self._keys)}"} | headers
        self.last = (method, path, body, headers)
        return self.client.request(method, path, json=body, headers=headers)

    def both(self, name, response, predicted):
        """Compare an answer with what `predicted()` returns or refuses; whether it was a good one."""
        status, allowed = 200, None
        try:
            status = predicted() or 200
        except Refused as refused:
            status, *allowed = refused.args
        self.life.settle()
        self.hits.update([name, f"{name}: {status}"])
        assert response.status_code == status, (name, status, response.text)
        if allowed:
            told = response.json()["detail"].rpartition("allowed actions: ")[2]
            assert told == (", ".join(allowed[0]) or "none"), name
        self.last = self.last if status < 300 and status != 204 else None
        return status < 300

    def some(self, things, pick):
        """One of the newest few, or now and then any."""
        there = list(things)
        return there[-1 - pick % min(LATELY, len(there))] if pick <= LATELY else there[pick % len(there)]

    @rule(action=st.sampled_from(sorted(CAMPAIGN)))
    def act_on_campaign(self, action):
        if action in {"complete", "abort", "drain"} and not self.films and self.life.state != "draft":
            action = "pause" if self.life.state == "active" else "resume"  # lives shall not end before they begin
        response = self.sent(f"{self.at}/actions", {"action": action})
        self.both(f"campaign {action}", response, lambda: self.life.act(action))

    @precondition(lambda self: self.life.config < LATELY)
    @rule(budget=st.sampled_from(BUDGETS), seed=st.booleans(), tag=st.sampled_from(["now", "now", "any", "old"]))
    def change(self, budget, seed, tag):
        tags = {"now": self.client.get(self.at).headers["ETag"], "any": "*", "old": '"0.' + 32 * "0" + '"'}
        problem = self.life.problem + seed
        body = {"budget": {"films": budget}} | ({"problem": {"seed": problem}} if seed else {})
        response = self.sent(self.at, body, "PATCH", **{"If-Match": tags[tag]})
        self.both("change", response, lambda: self.life.change(budget, problem, current=tag != "old"))

    @rule(robot=st.sampled_from("abcd"))
    def claim(self, robot):
        response = self.sent(f"{self.at}/claims", {"robot": robot})

        def predicted():
            status, proposal = self.life.claim(robot)
            if proposal is not None:
                told = response.json()
                assert told["proposal"]["id"] == proposal
                lease = told["lease"]
                self.tokens[lease["id"]] = lease["token"]
                new = SimpleNamespace(proposal=proposal, robot=robot, live=True, lapsed=False)
                assert (self.life.leases.setdefault(lease["id"], new) is new) == (status == 201)
            return status

        self.both("claim", response, predicted)

    @precondition(lambda self: self.life.leases)
    @rule(pick=PICK, action=st.sampled_from([*ROBOT, "start", "complete"]), outcome=st.sampled_from(OUTCOMES))
    def act_under_lease(self, pick, action, outcome):
        self.under_lease(self.some(self.life.leases, pick), action, outcome)

    @precondition(lambda self: self.under_way("leased"))
    @rule(pick=PICK)
    def start(self, pick):
        self.under_lease(self.some(self.under_way("leased"), pick), "start", "ok")

    @precondition(lambda self: self.under_way("running", "overdue"))
    @rule(
        pick=PICK, action=st.sampled_from(["complete", "complete", "fail", "renew"]), outcome=st.sampled_from(OUTCOMES)
    )
    def end(self, pick, action, outcome):
        self.under_lease(self.some(self.under_way("running", "overdue"), pick), action, outcome)

    def under_way(self, *states):
        """Live leases of proposals in these states."""
        found = self.life.leases.items()
        return [k for k, lease in found if lease.live and self.life.proposals[lease.proposal].state in states]

    def under_lease(self, lease_id, action, outcome):
        lease = self.life.leases[lease_id]
        outcome = outcome if action != "fail" or outcome not in {"ok", "partial"} else "operator"
        body = {"complete": {"outcome": outcome}, "fail": {"outcome": outcome, "reason": "r"}}.get(action)
        response = self.sent(f"/v1/leases/{lease_id}/{action}", body, **{"Lease-Token": self.tokens[lease_id]})
        good = self.both(f"{action} a film", response, lambda: self.life.under(lease, action, outcome))
        if good and action == "start":
            self.films[lease.proposal] = response.json()["film_id"]

    @precondition(lambda self: self.life.leases)
    @rule(pick=PICK, action=st.sampled_from(["start", "renew", "release"]))
    def act_with_a_wrong_token(self, pick, action):
        path = f"/v1/leases/{self.some(self.life.leases, pick)}/{action}"

        def refused():
            raise Refused(403)

        self.both("wrong token", self.sent(path, None, **{"Lease-Token": "none"}), refused)

    @precondition(lambda self: self.under_way("leased", "running"))
    @rule(pick=PICK)
    def let_a_lease_lapse(self, pick):
        lease_id = self.some(self.under_way("leased", "running"), pick)
        with self.sessions.begin() as session:
            past = func.now() - timedelta(seconds=1)
            session.execute(update(LeaseRow).where(LeaseRow.id == lease_id).values(expires_at=past))
        self.life.leases[lease_id].lapsed = True
        self.hits.update(["time passes"])

    @rule()
    def sweep(self):
        sweep(self.sessions)
        self.life.expire()
        self.life.settle()
        self.hits.update(["sweep"])

    @precondition(lambda self: len(self.life.among("ready")) < LATELY)
    @rule()
    def propose(self):
        ends = {"a": {"Fe": 1.0}, "b": {"Ga": 1.0}}
        response = self.sent(f"{self.at}/proposals", ends | {"reason": "r"})

        def predicted():
            self.life.inject(self.new(response.json().get("id"), self.life.revision, 0))
            return 201

        self.both("propose", response, predicted)

    @precondition(lambda self: self.life.among("overdue"))
    @rule(outcome=st.sampled_from([*OUTCOMES, "running"]))
    def resolve(self, outcome):
        (proposal, *_) = self.life.among("overdue")
        response = self.sent(f"/v1/proposals/{proposal.id}/actions", {"action": "resolve", "outcome": outcome})
        self.both("resolve a proposal", response, lambda: self.life.do(proposal, PERSON, "resolve", outcome))

    @precondition(lambda self: self.life.proposals)
    @rule(pick=PICK, action=st.sampled_from([*PERSON]), outcome=st.sampled_from([*OUTCOMES, "running"]))
    def act_on_proposal(self, pick, action, outcome):
        proposal = self.some(self.life.proposals.values(), pick)
        body = {"action": action} | ({"outcome": outcome} if action == "resolve" else {})
        response = self.sent(f"/v1/proposals/{proposal.id}/actions", body)
        self.both(f"{action} a proposal", response, lambda: self.life.do(proposal, PERSON, action, outcome))

    @precondition(lambda self: self.films)
    @rule(pick=PICK, again=st.booleans())
    def measure(self, pick, again):
        proposal = self.life.proposals[self.some(self.films, pick)]
        device = 0 if again else min(len(proposal.read), DEVICES - 1)
        row = {"film_id": self.films[proposal.id], "device": device, "property": "magnetisation", "unit": "emu/cm3"}
        row |= {"value": 1.0, "measured_at": "2026-03-01T12:00:00Z"}
        response = self.sent(f"{self.at}/measurement-batches", {"instrument": "squid", "measurements": [row]})

        def predicted():
            self.life.revision += 1
            proposal.read.add(device)
            return 201

        self.both("measure", response, predicted)

    @precondition(lambda self: self.taken is None)
    @rule()
    def take_a_decision(self):
        with self.sessions.begin() as session:
            job = request_decision(session, self.campaign, self.life.revision)
        assert (job is not None) == (self.life.state in {"active", "draining", "completed"})
        if job is not None:
            self.taken = claim_decision(self.sessions, job, "worker")
            self.taken_from = SimpleNamespace(revision=self.life.revision, problem=self.life.problem)
            assert self.taken is not None
        self.hits.update(["take a decision"])

    @precondition(lambda self: self.taken is not None)
    @rule(count=st.integers(0, 4))
    def publish_a_decision(self, count):
        ends, s = np.eye(3), np.linspace(0.0, 1.0, DEVICES)
        advice = [Advice(Film(ends[k % 3], ends[(k + 1) % 3], np.array([]), s)) for k in range(count)]
        before = set(self.life.proposals)
        published = publish_decision(self.sessions, self.taken, None, advice)
        seen = [p for p in self.seen_proposals() if p["id"] not in before]
        new = [self.new(p["id"], self.taken_from.revision, p["rank"]) for p in seen]
        offered = [*new, *(self.new(f"beyond {k}", 0, k) for k in range(count - len(new)))]
        assert self.life.publish(self.taken_from, offered) == published
        self.taken = None
        self.hits.update(["publish a decision", f"publish a decision: {published}"])

    @precondition(lambda self: self.last is not None)
    @rule()
    def repeat_the_last_request(self):
        method, path, body, headers = self.last
        again = self.client.request(method, path, json=body, headers=headers)
        assert again.headers["Idempotency-Replayed"] == "true"
        self.last = None
        self.hits.update(["repeat a request"])

    def new(self, proposal_id, revision, rank):
        """A proposal as it enters the queue: newer decisions before older ones, then by rank."""
        told = {"state": "ready", "fence": 0, "priority": 0, "read": set()}
        return SimpleNamespace(id=proposal_id, order=(-revision, rank), **told)

    # What is seen

    def seen_proposals(self):
        found = self.client.get(f"{self.at}/proposals", params={"limit": 1000}).json()
        assert found["next"] is None
        return found["items"]

    @invariant()
    def campaign_is_as_it_must_be(self):
        seen, life = self.client.get(self.at).json(), self.life
        told = (seen["state"], seen["config_revision"], seen["revision"], seen["films_made"])
        assert told == (life.state, life.config, life.revision, len(life.among("made", "measured")))

    @invariant()
    def proposals_are_as_they_must_be(self):
        seen = {p["id"]: (p["state"], p["fence"], p["priority"], p["film_id"]) for p in self.seen_proposals()}
        told = self.life.proposals.values()
        assert seen == {p.id: (p.state, p.fence, p.priority, self.films.get(p.id)) for p in told}

    @invariant()
    def films_are_as_they_must_be(self):
        seen = {f["id"]: f["state"] for f in self.client.get(f"{self.at}/films").json()["items"]}
        assert seen == {film: self.life.proposals[p].state for p, film in self.films.items()}

    @invariant()
    def next_is_what_must_be_next(self):
        response = self.client.get(f"{self.at}/proposals/next")
        head = self.life.head()
        assert (response.json()["id"] if response.status_code == 200 else None) == (head and head.id)
