"""Robots that fall silent: their films go on, they move nothing any more when they return, and their data are taken."""

import pytest

from benchmarks.faults import dead_robots

pytestmark = pytest.mark.fault


def test_a_dead_robots_film_goes_on_and_its_data_count(database_url, tmp_path):
    found = dead_robots.run(database_url, tmp_path, robots=4)
    assert found.wrong == dict.fromkeys(found.wrong, 0), found.figure
    assert {"zombie may start", "zombie may complete", "data refused"} <= set(found.wrong)


def test_without_fences_a_robot_that_returns_moves_anothers_film(database_url, tmp_path):
    found = dead_robots.run(database_url, tmp_path, robots=2, naive="believes_every_lease")
    assert found.wrong["zombie may start"] > 0, found.wrong
    assert found.wrong["zombie may complete"] > 0, found.wrong
