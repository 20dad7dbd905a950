"""Whatever people, robots, instruments and workers do, the service does what a hundred lines say it must do."""

from collections import Counter

import hypothesis
import pytest
from hypothesis.stateful import run_state_machine_as_test

from service.app import create_app
from service.settings import DatabaseSettings, Settings
from tests.integration.conftest import serving
from tests.property.broken import BROKEN, EASY
from tests.property.lives import Lives

STEPS = 40
"""Of one life, at most."""


@pytest.fixture
def machine(database_url, sessions, tmp_path):
    settings = Settings(database=DatabaseSettings(url=database_url), data_dir=tmp_path)
    with serving(create_app(settings)) as client:
        yield type("LivesHere", (Lives,), {"client": client, "sessions": sessions, "hits": Counter()})


def live(machine, lives):
    settings = hypothesis.settings(
        max_examples=lives,
        stateful_step_count=STEPS,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[hypothesis.Phase.generate],
        report_multiple_bugs=False,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    run_state_machine_as_test(machine, settings=settings)


def test_no_life_goes_another_way(machine):
    live(machine, 7)
    assert sum(n for name, n in machine.hits.items() if ":" not in name) >= 200


def test_what_is_broken_is_noticed(machine, monkeypatch):
    """The others of `BROKEN` take longer; `benchmarks/lives.py` tries them."""
    BROKEN[EASY](monkeypatch)
    with pytest.raises(AssertionError):
        live(machine, 40)
