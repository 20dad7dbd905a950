"""The life of a campaign, its proposals and their leases, as the documentation tells it, in a hundred lines."""

import copy
from types import SimpleNamespace

CAMPAIGN = {
    "activate": (["draft"], "active"),
    "pause": (["active"], "paused"),
    "resume": (["paused"], "active"),
    "drain": (["active", "paused"], "draining"),
    "complete": (["active", "paused", "draining"], "completed"),
    "abort": (["draft", "active", "paused", "draining", "completed"], "aborted"),
}
MAKING = ["running", "overdue"]
ROBOT = {"renew": ["leased", *MAKING], "start": ["leased"], "complete": ["running"], "fail": MAKING}
ROBOT |= {"release": ["leased"]}
PERSON = {"cancel": ["ready", "leased"], "prioritise": ["ready"], "resolve": ["overdue"]}
OUTSTANDING, OVER, DEVICES = ("leased", *MAKING, "made"), ("draining", "completed", "aborted"), 2


class Refused(Exception):
    """A status, and the actions that must be named as allowed."""


class Life(SimpleNamespace):
    def among(self, *states):
        return [p for p in self.proposals.values() if p.state in states]

    def head(self):
        ready = self.among("ready") if self.state == "active" else []
        return min(ready, key=lambda p: (-p.priority, p.order, p.id), default=None)

    def left(self, *, promised=False):
        wanted = [p for p in self.among("ready") if p.priority > 0] if promised else []
        return 99 if self.budget is None else max(0, self.budget - len(self.among(*OUTSTANDING, "measured") + wanted))

    def guard(self, *states, left=1):
        if self.state not in states:
            raise Refused(409, [a for a, (allowed, _) in CAMPAIGN.items() if self.state in allowed])
        if left == 0:
            raise Refused(409)

    def act(self, action):
        allowed, to = CAMPAIGN[action]
        self.guard(*allowed)
        self.state = to
        for p in self.among("ready", *["leased"] * (to == "aborted")) if to in OVER else ():
            self.end(p, "cancelled", raised=p.state == "leased")

    def end(self, p, state, *, raised=True):
        p.state, p.fence = state, p.fence + raised
        for lease in self.leases.values():
            lease.live &= lease.proposal != p.id

    def settle(self):
        for p in self.among("made"):
            p.state = "measured" if len(p.read) == DEVICES else "made"
        if self.state == "draining" and not self.among(*OUTSTANDING):
            self.state = "completed"

    def change(self, budget, problem, *, current):
        if not current:
            raise Refused(412)
        self.guard("draft", "active", "paused", "draining")
        for p in self.among("ready") if problem != self.problem else ():
            p.state = "ready" if p.priority else "superseded"
        self.config += (budget, problem) != (self.budget, self.problem)
        self.budget, self.problem = budget, problem

    def expire(self):
        for lease in [x for x in self.leases.values() if x.live and x.lapsed]:
            if (p := self.proposals[lease.proposal]).state == "leased":
                self.end(p, "cancelled" if self.state in OVER else "ready")
            p.state = "overdue" if p.state == "running" else p.state

    def claim(self, robot):
        then = copy.deepcopy(self)  # a claim that gives nothing does not even note what has lapsed
        then.expire()
        for own in [x for x in then.leases.values() if x.live and x.robot == robot]:
            self.__dict__.update(then.__dict__)
            return 200, own.proposal
        self.guard("active", left=then.left())
        if (head := then.head()) is None:
            return 204, None
        self.__dict__.update(then.__dict__)
        head.state, head.fence = "leased", head.fence + 1
        return 201, head.id

    def under(self, lease, action, outcome):
        p = self.proposals[lease.proposal]
        if not lease.live or (p.state == "leased" and lease.lapsed):
            raise Refused(409, [])
        self.do(p, ROBOT, "fail" if action == "complete" and outcome not in {"ok", "partial"} else action)

    def do(self, p, table, action, outcome=None):
        if p.state not in table[action]:
            raise Refused(409, [a for a in table if p.state in table[a]])
        if action == "resolve":
            action = {"running": "renew", "ok": "complete", "partial": "complete"}.get(outcome, "fail")
        if action in {"renew", "start"}:
            p.state = "leased" if action == "renew" and p.state == "leased" else "running"
            for lease in self.leases.values():
                lease.lapsed &= lease.proposal != p.id
        elif action == "prioritise":
            p.priority = max(q.priority for q in self.among("ready")) + 1
        else:
            p.priority = -1 if action == "cancel" else p.priority
            back = "cancelled" if action == "cancel" or self.state in OVER else "ready"
            self.end(p, {"complete": "made", "fail": "failed"}.get(action, back), raised=action != "complete")

    def inject(self, new):
        self.guard("draft", "active", "paused", left=self.left(promised=True))
        new.priority = max([1, *(p.priority for p in self.among("ready"))])
        self.proposals[new.id] = new

    def publish(self, taken, new):
        if taken.problem != self.problem or taken.revision < self.decided:
            return False
        self.decided = taken.revision
        for p in self.among("ready"):
            p.state = "ready" if p.priority else "superseded"
        self.proposals |= {p.id: p for p in new[: 0 if self.state in OVER else self.left(promised=True)]}
        return True
