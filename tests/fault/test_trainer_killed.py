"""The worker that trains generators, killed in the middle of a training: one model version, and the loop unaffected."""

import pytest

from benchmarks.faults.served import wait_for
from service.simulation.demo import explore
from service.simulation.lab import Lab
from service.simulation.wafer import Wafer
from tests.fault.conftest import Stack

FILMS = 4
SEED = 6

pytestmark = pytest.mark.fault


def test_a_killed_trainer_costs_a_training_anew_and_nothing_else(stack: Stack) -> None:
    lab = Lab(Wafer.load(), seed=SEED, deposition_s=0.0)
    found = explore(
        stack.url,
        lab,
        films=FILMS,
        devices=13,
        policy="expected_improvement",
        say=lambda _line: None,
        finish=False,
        generator=True,
        key=stack.key,
    )
    assert len(found.progress.films) == FILMS
    leased: list[str] = []

    def under_way() -> bool:
        leased[:] = running(stack)
        return bool(leased)

    # A worker of this kind is started once a training waits; the one of the last film is still to come, or under way.
    wait_for(under_way, within_s=60)
    pid = stack.kill("trainer")
    interrupted = stack.query("select 1 from job where id = :id and state = 'leased'", id=leased[0])
    stack.await_restart("trainer", pid)
    wait_for(lambda: not stack.query("select 1 from job where state in ('pending', 'leased')"), within_s=90)
    if interrupted:  # else it was done a moment before the kill
        assert stack.query("select 1 from event where type = 'training.failed'")
        # Done again, or carried on by the job of newer readings that waited.
        (job,) = stack.query("select state, attempt from job where id = :id", id=leased[0])
        assert (job.state == "succeeded" and job.attempt > 1) or job.state == "failed"
    versions = [row.revision for row in stack.query("select revision from model_version where kind = 'generator'")]
    assert len(set(versions)) == len(versions), "one version of a revision"
    (campaign,) = stack.query("select revision from campaign")
    assert max(versions) == campaign.revision, "the last readings were learned from"
    assert not stack.query("select 1 from event where type in ('decision.failed', 'decision.dead', 'training.dead')")


def running(stack: Stack) -> list[str]:
    """Ids of trainings under way."""
    return [row.id for row in stack.query("select id from job where kind = 'train' and state = 'leased'")]
