"""What workers call: one job per wish, fences that hold, a queue that never goes back, a sweep that forgets nothing."""

import threading
from datetime import UTC, datetime

import pytest
from sqlalchemy import func, select

from service.api.schemas.measurements import MeasurementCreate
from service.errors import LeaseLost
from service.operations import leases
from service.operations.campaigns import act
from service.operations.claims import claim
from service.operations.configurations import change
from service.operations.datasets import read as read_dataset
from service.operations.decisions import (
    ModelRecord,
    claim_decision,
    fail_decision,
    publish_decision,
    renew_decision,
    store_artifact,
    sweep,
)
from service.operations.measurements import record
from service.operations.refill import request_decision
from service.store import campaigns, jobs, proposals
from service.store.session import lock_campaign
from service.store.tables import (
    CampaignRow,
    EventRow,
    FilmRow,
    JobRow,
    ModelVersionRow,
    ProposalRow,
)

INSTANT = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Lab:
    """Makes and measures films through the operations."""

    def __init__(self, loop, campaign):
        self.loop, self.campaign, self.sessions = loop, campaign, loop.sessions

    def claim(self, robot="ada"):
        with self.sessions.begin() as session:
            return claim(session, self.campaign, robot, wait_for_decision=False)

    def start(self, robot="ada"):
        taken = self.claim(robot)
        with self.sessions.begin() as session:
            return taken, leases.start(session, taken.lease.id, taken.lease.token).film_id

    def make(self, robot="ada", compositions=None):
        taken, film = self.start(robot)
        with self.sessions.begin() as session:
            lease = taken.lease
            leases.complete(session, lease.id, lease.token, "ok", compositions=compositions, note=None)
        return film

    def measure(self, film, devices=(0, 1, 2)):
        when = {"measured_at": INSTANT, "property": "magnetisation", "unit": "emu/cm3"}
        rows = [MeasurementCreate.model_construct(film_id=film, device=k, value=float(k), **when) for k in devices]
        with self.sessions.begin() as session:
            return record(session, self.campaign, "squid", rows)

    def states(self):
        with self.sessions() as session:
            query = select(ProposalRow.state).where(ProposalRow.campaign_id == self.campaign)
            return list(session.scalars(query.order_by(ProposalRow.id)))

    def job_states(self):
        with self.sessions() as session:
            query = select(JobRow.state).where(JobRow.campaign_id == self.campaign)
            return sorted(session.scalars(query))

    def events(self):
        with self.sessions() as session:
            query = select(EventRow.type).where(EventRow.campaign_id == self.campaign)
            return list(session.scalars(query.order_by(EventRow.seq)))


@pytest.fixture
def lab(loop):
    return Lab(loop, loop.campaign())


def test_a_decision_reads_what_is_known_and_what_is_in_flight(loop, lab):
    first = loop.decide(lab.campaign)
    assert (first.revision, len(first.dataset), first.pending, first.films_known) == (0, 0, (), 0)
    assert (first.count, first.left, first.previous, first.config_revision) == (1, None, None, 1)
    made = [{"Fe": 0.6 - 0.1 * k, "Ga": 0.4 + 0.1 * k} for k in range(3)]
    film = lab.make(compositions=made)
    lab.measure(film, devices=[0])
    second = loop.take(lab.campaign)
    assert (second.revision, len(second.dataset), second.films_known) == (1, 1, 1)
    assert second.dataset.X.tolist() == [pytest.approx([0.6, 0.4, 0.0, 0.5, 1.0, 0.0])]
    (unread,) = second.pending
    assert unread.points()[:, :3].tolist() == [pytest.approx([0.5, 0.5, 0.0]), pytest.approx([0.4, 0.6, 0.0])]
    assert len(unread.s) == 2
    assert second.seed != first.seed
    with lab.sessions.begin() as session:
        assert read_dataset(session, lab.campaign, 1, limit=1).snapshot_hash == second.snapshot_hash


def test_a_film_in_flight_without_report_counts_as_proposed(loop, lab):
    loop.decide(lab.campaign)
    taken = lab.claim()
    (pending,) = loop.take(lab.campaign).pending
    proposed = [[d["composition"][e] for e in loop.ELEMENTS] for d in taken.proposal.film["devices"]]
    assert pending.compositions().tolist() == [pytest.approx(x) for x in proposed]
    assert pending.process.tolist() == pytest.approx([0.5, 1.0, 0.0])


@pytest.mark.parametrize(("outcome", "is_avoided"), [("infeasible", True), ("equipment", False)])
def test_a_film_that_cannot_be_made_is_not_asked_for_again(loop, lab, outcome, is_avoided):
    first = loop.decide(lab.campaign)
    taken, _ = lab.start()
    with lab.sessions.begin() as session:
        leases.fail(session, taken.lease.id, taken.lease.token, outcome, reason="peeled off")
    second = loop.take(lab.campaign)
    assert (len(second.pending), second.films_known) == (int(is_avoided), int(is_avoided))
    assert (second.seed != first.seed) is is_avoided


def test_wishes_that_wait_become_one_job(lab):
    def wish(revision):
        with lab.sessions.begin() as session:
            found.append(request_decision(session, lab.campaign, revision))

    found = []
    threads = [threading.Thread(target=wish, args=(k,)) for k in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 20
    assert len(set(found)) == 1
    assert lab.job_states() == ["pending"]
    with lab.sessions() as session:
        assert session.get(JobRow, found[0]).wanted_revision == 19


def test_one_worker_gets_the_job(loop, lab):
    with lab.sessions() as session:
        (job,) = jobs.live(session, lab.campaign)
    barrier, taken = threading.Barrier(8), []

    def work(name):
        barrier.wait()
        taken.append(claim_decision(lab.sessions, job.id, name))

    threads = [threading.Thread(target=work, args=(f"worker {k}",)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 8
    assert len([t for t in taken if t is not None]) == 1


def test_a_wish_during_a_decision_waits_for_its_end(loop, lab):
    running = loop.take(lab.campaign)
    with lab.sessions.begin() as session:
        waiting = request_decision(session, lab.campaign, 0)
    assert waiting != running.job_id
    assert claim_decision(lab.sessions, waiting, "another") is None
    assert publish_decision(lab.sessions, running, None, loop.advice(1))
    assert claim_decision(lab.sessions, waiting, "another") is not None


def test_a_silent_worker_loses_its_job_and_may_not_publish(loop, lab):
    slow = loop.take(lab.campaign)
    renew_decision(lab.sessions, slow.job_id, slow.fence)
    loop.let_pass(JobRow, slow.job_id, "lease_until")
    quick = claim_decision(lab.sessions, slow.job_id, "another")
    assert (quick.fence, quick.attempt) == (slow.fence + 1, 2)
    with pytest.raises(LeaseLost):
        renew_decision(lab.sessions, slow.job_id, slow.fence)
    assert not publish_decision(lab.sessions, slow, None, loop.advice(1))
    assert not fail_decision(lab.sessions, slow, "late", retry=True)
    assert lab.states() == []
    assert publish_decision(lab.sessions, quick, None, loop.advice(1))
    assert not publish_decision(lab.sessions, quick, None, loop.advice(1))
    assert lab.states() == ["ready"]


def test_a_lapsed_lease_cannot_be_renewed_even_if_nobody_took_the_job(loop, lab):
    slow = loop.take(lab.campaign)
    loop.let_pass(JobRow, slow.job_id, "lease_until")
    with pytest.raises(LeaseLost):
        renew_decision(lab.sessions, slow.job_id, slow.fence)


def test_an_older_decision_never_replaces_a_newer_one(loop, lab):
    old = loop.take(lab.campaign)
    with lab.sessions.begin() as session:  # a newer one came into force meanwhile
        session.get(CampaignRow, lab.campaign).revision = 2
        assert campaigns.advance_decision(session, lab.campaign, 2)
    assert not publish_decision(lab.sessions, old, None, loop.advice(1))
    assert lab.states() == []
    assert lab.events()[-1] == "decision.overtaken"
    assert loop.row(CampaignRow, lab.campaign).decided_revision == 2


def test_a_new_decision_supersedes_what_is_ready_only(loop):
    lab = Lab(loop, loop.campaign(queue_depth=2))
    loop.decide(lab.campaign)
    film = lab.make()
    assert sorted(lab.states()) == ["made", "ready"]
    lab.measure(film)
    loop.decide(lab.campaign)
    assert sorted(lab.states()) == ["measured", "ready", "ready", "superseded"]


def test_the_queue_is_served_newest_decision_first_then_by_rank(loop):
    lab = Lab(loop, loop.campaign(queue_depth=3))
    loop.decide(lab.campaign)
    with lab.sessions() as session:
        ranks = dict(session.execute(select(ProposalRow.id, ProposalRow.rank)).all())
    assert [ranks[lab.claim(f"robot {k}").proposal.id] for k in range(3)] == [0, 1, 2]


def test_a_model_version_is_stored_once_with_its_artifact(loop, lab, tmp_path):
    artifact = store_artifact(tmp_path, b"weights")
    metrics = {"calibration": float("nan"), "evidence": [1.5, float("inf")]}
    model = ModelRecord("film_gp", 5, metrics, {"torch": "2"}, {"points": []}, artifact)
    assert publish_decision(lab.sessions, loop.take(lab.campaign), model, loop.advice(1))
    lab.claim()
    assert publish_decision(lab.sessions, loop.take(lab.campaign), model, loop.advice(1))
    with lab.sessions() as session:
        (version,) = session.scalars(select(ModelVersionRow)).all()
        linked = set(session.scalars(select(ProposalRow.model_version_id)))
    assert linked == {version.id}
    assert (version.artifact_sha256, version.revision, version.name) == (artifact.sha256, 0, "film_gp")
    assert version.metrics == {"calibration": None, "evidence": [1.5, None]}
    following = loop.take(lab.campaign) or _again(lab)
    assert (following.previous.id, following.previous.sha256) == (version.id, artifact.sha256)


def _again(lab):
    with lab.sessions.begin() as session:
        job_id = request_decision(session, lab.campaign, 0)
    return claim_decision(lab.sessions, job_id, "worker")


def test_a_failed_job_is_tried_again_later_and_dies_at_last(loop, lab):
    for attempt in range(1, jobs.MAX_ATTEMPTS + 1):
        decision = loop.take(lab.campaign)
        assert decision.attempt == attempt
        assert fail_decision(lab.sessions, decision, "singular", retry=True)
        assert loop.take(lab.campaign) is None
        with lab.sessions() as session:
            delay = session.execute(
                select(JobRow.run_after - func.now()).where(JobRow.id == decision.job_id)
            ).scalar_one()
        if attempt < jobs.MAX_ATTEMPTS:
            assert 0 < delay.total_seconds() <= 2.0**attempt
        loop.let_pass(JobRow, decision.job_id, "run_after")
    job = loop.row(JobRow, decision.job_id)
    assert (job.state, job.error) == ("dead", "singular")
    assert lab.events()[-5:] == ["decision.failed"] * 4 + ["decision.dead"]
    assert sweep(lab.sessions) == []
    with lab.sessions.begin() as session:  # news wake the campaign at once
        assert request_decision(session, lab.campaign, 1) is not None


def test_a_failed_job_hands_its_attempts_to_the_one_that_waits(loop, lab):
    failed = loop.take(lab.campaign)
    with lab.sessions.begin() as session:
        waiting = request_decision(session, lab.campaign, 0)
    assert fail_decision(lab.sessions, failed, "singular", retry=True)
    assert loop.row(JobRow, failed.job_id).state == "failed"
    row = loop.row(JobRow, waiting)
    assert (row.state, row.attempt) == ("pending", 1)


def test_the_budget_is_never_exceeded_and_said_once(loop):
    lab = Lab(loop, loop.campaign(queue_depth=3, films=4))
    first = loop.decide(lab.campaign)
    assert (first.count, first.left) == (3, 4)
    films = [lab.make(f"robot {k}") for k in range(2)]
    decision = loop.take(lab.campaign)
    assert (decision.count, decision.left) == (2, 2)
    assert publish_decision(lab.sessions, decision, None, loop.advice(9))
    assert sorted(lab.states()) == ["made", "made", "ready", "ready", "superseded"]
    films += [lab.make(f"robot {k}") for k in range(2)]
    for film in films:
        lab.measure(film)
        last = loop.decide(lab.campaign)
        assert (last.count, last.left) == (0, 0)
    assert lab.states().count("measured") == 4
    assert lab.events().count("budget.reached") == 1
    assert sweep(lab.sessions) == []
    assert loop.row(CampaignRow, lab.campaign).decided_revision == 4


def test_the_budget_in_force_bounds_what_a_decision_taken_before_it_offers(loop):
    campaign = loop.campaign(queue_depth=3)
    decision = loop.take(campaign)
    with loop.sessions.begin() as session:
        change(session, campaign, None, {}, {"budget_films": 1})
    assert publish_decision(loop.sessions, decision, None, loop.advice(3))
    with loop.sessions() as session:
        assert proposals.count(session, campaign, ["ready"]) == 1


def test_a_failed_film_gives_its_place_in_the_budget_back(loop):
    lab = Lab(loop, loop.campaign(films=1))
    loop.decide(lab.campaign)
    taken, _ = lab.start()
    assert sweep(lab.sessions) == []
    with lab.sessions.begin() as session:
        leases.fail(session, taken.lease.id, taken.lease.token, "equipment", reason="power cut")
    assert loop.decide(lab.campaign).count == 1


def test_a_decision_passes_over_a_row_that_somebody_else_keeps(loop, lab):
    loop.decide(lab.campaign)
    with lab.sessions.begin() as session:
        request_decision(session, lab.campaign, 0)
    decision = loop.take(lab.campaign)
    with lab.sessions.begin() as session:
        ready = proposals.first_ready(session, lab.campaign, lock=True)
        publishing = threading.Thread(
            target=publish_decision, args=(lab.sessions, decision, None, loop.advice(1)), daemon=True
        )
        publishing.start()
        publishing.join(timeout=20)
        assert not publishing.is_alive()
        assert proposals.move(session, ready.id, ["ready"], "leased", raise_fence=True) is not None
    assert sorted(lab.states()) == ["leased", "ready"]


def test_the_sweep_rings_for_what_no_message_announced(loop, lab):
    first = sweep(lab.sessions)
    assert len(first) == 1
    assert claim_decision(lab.sessions, first[0], "worker") is not None
    assert sweep(lab.sessions) == []
    loop.let_pass(JobRow, first[0], "lease_until")
    assert sweep(lab.sessions) == first
    assert publish_decision(lab.sessions, loop.take(lab.campaign), None, loop.advice(1))
    assert sweep(lab.sessions) == []


def test_the_sweep_does_not_wait_for_a_campaign_that_is_busy(loop):
    campaigns_behind = [loop.campaign() for _ in range(2)]
    for campaign in campaigns_behind:
        loop.let_pass(JobRow, loop.take(campaign).job_id, "lease_until")
    busy, free = campaigns_behind
    with loop.sessions.begin() as session:
        lock_campaign(session, busy)
        (rung,) = sweep(loop.sessions)
        assert loop.row(JobRow, rung).campaign_id == free
    assert len(sweep(loop.sessions)) == 2


def test_the_sweep_finds_a_campaign_behind_its_data(loop, lab):
    loop.decide(lab.campaign)
    film = lab.make()
    loop.decide(lab.campaign)
    lab.measure(film)
    with lab.sessions.begin() as session:
        for job in jobs.live(session, lab.campaign):
            session.delete(job)  # as if the wish had been lost
    (job_id,) = sweep(lab.sessions)
    assert claim_decision(lab.sessions, job_id, "worker").revision == 1


def test_a_paused_campaign_decides_again_when_it_goes_on(loop, lab):
    with lab.sessions() as session:
        (job,) = jobs.live(session, lab.campaign)
    with lab.sessions.begin() as session:
        act(session, lab.campaign, "pause")
    assert claim_decision(lab.sessions, job.id, "worker") is None
    assert sweep(lab.sessions) == []
    with lab.sessions.begin() as session:
        _, again = act(session, lab.campaign, "resume")
    assert claim_decision(lab.sessions, again, "worker") is not None


def test_as_made_compositions_that_come_after_readings_are_a_change_of_the_data(loop, lab):
    loop.decide(lab.campaign)
    taken, film = lab.start()
    lab.measure(film)
    before = loop.decide(lab.campaign)
    with lab.sessions.begin() as session:
        leases.complete(session, taken.lease.id, taken.lease.token, "ok", compositions=[{"Fe": 1.0}] * 3, note=None)
    after = loop.take(lab.campaign)
    assert (before.revision, after.revision) == (1, 2)
    assert after.snapshot_hash != before.snapshot_hash
    assert after.dataset.X[:, 0].tolist() == [1.0, 1.0, 1.0]
    assert loop.row(FilmRow, film).state == "measured"
