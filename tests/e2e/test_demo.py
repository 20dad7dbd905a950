"""The documents' own commands and code, run as a newcomer runs them: real processes, real HTTP."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from filmloop_client import Client
from service.settings import Settings
from service.simulation.campaign import fe_ga_pd_problem
from service.simulation.wafer import Wafer
from service.supervisor import running

ROOT = Path(__file__).parents[2]
FILMS = 4


def filmloop(*arguments, cwd):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "client")])}
    command = [sys.executable, "-W", "error", "-m", "service.cli", *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=240, check=False)


def demo(data_dir, *arguments, cwd):
    done = filmloop("demo", "--data-dir", str(data_dir), "--films", str(FILMS), "--json", *arguments, cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return done.stdout.splitlines(), json.loads(done.stdout.splitlines()[-1])


def blocks(document):
    """The Python blocks of a Markdown file, in order."""
    return re.findall(
        r"^```python\n(.*?)^```$", (ROOT / document).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )


@pytest.fixture(scope="module")
def url(tmp_path_factory) -> Iterator[str]:
    """A whole Filmloop of this module's own."""
    data_dir = tmp_path_factory.mktemp("up")
    with running(Settings(data_dir=data_dir)) as filmloop, pytest.MonkeyPatch.context() as environment:
        environment.setenv("FILMLOOP_DATA_DIR", str(data_dir))  # where clients and commands find the key
        yield filmloop.url


def test_the_demo_twice_in_one_directory(tmp_path):
    lines, figures = demo(tmp_path / "data", cwd=tmp_path)
    assert figures["films"] == FILMS
    assert figures["seconds"] > 0
    assert figures["fraction_of_best"] == pytest.approx(figures["best_true"] / Wafer.load().best_value, abs=1e-4)
    assert 0.5 < figures["fraction_of_best"] <= 1.0
    assert FILMS * 13 * 0.6 < figures["readings"] <= FILMS * 13
    assert [line.split()[0] for line in lines if re.match(r"^ +\d+  Fe", line)] == [str(n + 1) for n in range(FILMS)]
    assert (tmp_path / "demo.png").read_bytes().startswith(b"\x89PNG")
    again, repeated = demo(tmp_path / "data", "--no-plot", cwd=tmp_path)
    assert not any("picture" in line for line in again)
    assert repeated["campaign_id"] != figures["campaign_id"]
    # One robot, same seed: the same lab and the same decisions.
    np.testing.assert_allclose(repeated["best_true_by_film"], figures["best_true_by_film"], atol=1e-6)


def test_the_demo_with_a_generator_shows_a_trained_version(tmp_path):
    short = ("--films", "3", "--devices", "6", "--generator", "--no-plot")
    lines, figures = demo(tmp_path / "data", *short, cwd=tmp_path)
    assert figures["films"] == 3
    assert figures["generators"]
    assert set(figures["generators"]) <= {"healthy", "collapsed", "memorising"}
    # The first two films fill space; the third is the first that is searched for.
    assert sum(figures["starts"].values()) == 1
    assert set(figures["starts"]) <= {"systematic", "uniform", "jitter", "generator"}
    (line,) = [line for line in lines if line.startswith("  generator ")]
    assert "trained versions: none" not in line


def test_a_data_directory_that_cannot_be_is_told_in_a_sentence(tmp_path):
    (tmp_path / "file").write_text("in the way")
    done = filmloop("demo", "--data-dir", str(tmp_path / "file" / "below"), "--no-plot", cwd=tmp_path)
    assert done.returncode != 0
    assert "Error: " in done.stderr
    assert "Traceback" not in done.stderr


def test_a_picture_that_cannot_be_written_is_told_before_anything_starts(tmp_path):
    data = tmp_path / "data"
    done = filmloop("demo", "--data-dir", str(data), "--plot-file", "nowhere/demo.png", cwd=tmp_path)
    assert done.returncode != 0
    assert "cannot write nowhere/demo.png" in done.stderr
    assert not data.exists()


@pytest.mark.parametrize(
    "document", ["README.md", "docs/tutorial.md", "docs/researcher.md", "docs/record.md", "docs/files.md"]
)
def test_the_documents_code_runs_as_it_stands(url, monkeypatch, capsys, document):
    monkeypatch.setenv("FILMLOOP_URL", url)
    code = blocks(document)
    assert code
    names: dict[str, object] = {"__name__": "__main__"}
    for block in code:
        exec(compile(block, document, "exec"), names)  # noqa: S102  (our own document)
    assert capsys.readouterr().out


def test_two_robots_and_two_instruments_play_by_http_alone(url, tmp_path):
    with Client(url) as client:
        campaign = client.campaigns.create("two of each", fe_ga_pd_problem(devices=4, seed=3), queue_depth=2)
        campaign.activate()
        options = ["--robots", "2", "--instruments", "2", "--films", "4", "--deposition", "0", "--overlap"]
        done = filmloop("simulate", "--url", url, "--campaign", campaign.id, *options, cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        films = list(campaign.films())
        assert [film.state for film in films] == ["measured"] * 4
        assert {film.robot for film in films} == {"robot-1", "robot-2"}
        rows = campaign.dataset().rows
        assert len({row.uid for row in rows}) == len(rows) == 16
        assert {row.model_extra["instrument"] for row in rows} == {"squid-1", "squid-2"}
        # Nobody made the film that another robot had in flight.
        ends = sorted(tuple(p.film.a.values()) for p in campaign.proposals() if p.film_id)
        assert all(first != second for first, second in pairwise(ends))


def test_simulate_refuses_a_campaign_that_it_has_no_truth_for(url, tmp_path):
    problem = {"space": {"elements": ["Co", "Ni"]}, "objectives": [{"property": "hardness", "unit": "GPa"}]}
    with Client(url) as client:
        campaign = client.campaigns.create("other elements", problem)
    done = filmloop("simulate", "--url", url, "--campaign", campaign.id, cwd=tmp_path)
    assert done.returncode != 0
    assert "the campaign is on Co, Ni" in done.stderr
    problem = fe_ga_pd_problem().model_dump(mode="json") | {"objectives": [{"property": "hardness", "unit": "GPa"}]}
    with Client(url) as client:
        campaign = client.campaigns.create("other property", problem)
    done = filmloop("simulate", "--url", url, "--campaign", campaign.id, cwd=tmp_path)
    assert "seeks hardness in GPa" in done.stderr
    missing = filmloop("simulate", "--url", url, "--campaign", "cmp_none", cwd=tmp_path)
    assert missing.returncode != 0
    assert "404" in missing.stderr
    assert "Traceback" not in missing.stderr
