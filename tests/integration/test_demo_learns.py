"""The demo waits for a generator's first training only where one can come, and says so."""

import numpy as np
import pytest

from benchmarks.keys import KEY
from filmloop_client import Client
from service.simulation.campaign import GENERATOR, fe_ga_pd_problem
from service.simulation.demo import learned
from service.simulation.progress import FilmRecord, Progress
from service.simulation.wafer import Wafer


@pytest.fixture
def campaign(api):
    """One whose generator nobody trains."""
    with Client(str(api.client.base_url), key=KEY) as client:
        yield client.campaigns.create("demo", fe_ga_pd_problem(devices=5, generator=GENERATOR))


def measured(*films):
    progress = Progress(Wafer.load())
    for number, made in enumerate(films, start=1):
        progress.films.append(FilmRecord(number, made[[0, -1]], made, np.ones(len(made)), "random", 0.0))
    return progress


def points(n):
    return np.random.default_rng(n).dirichlet(np.ones(3), n)


@pytest.mark.parametrize("films", [(), (points(8),), (points(5), points(5))], ids=["none", "few", "repeated"])
def test_nobody_waits_for_a_version_that_cannot_come(campaign, films):
    said = list[str]()
    told = learned(campaign, measured(*films), said.append, wait_s=5.0)
    assert (told.verdicts, told.starts, said) == ([], {}, [])


def test_a_wait_is_told_once(campaign):
    said = list[str]()
    assert learned(campaign, measured(points(5), points(4)), said.append, wait_s=3.0).verdicts == []
    (line,) = said
    assert "generator's first training" in line


def test_without_a_wait_nothing_is_said(campaign):
    said = list[str]()
    assert learned(campaign, measured(points(9)), said.append, wait_s=0.0).verdicts == []
    assert said == []
