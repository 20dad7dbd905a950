"""The block of the generators' page runs as it stands, with shorter training."""

import re
from functools import partial
from pathlib import Path

import numpy as np

from models.catalog import ConditionalVAE, ExpectedImprovement
from models.composition import SearchSpace
from models.film import FilmGeometry
from models.generation import generator_from_bytes, generator_to_bytes, train_generator
from models.generators.base import Examples, Wish
from tests.oracles import film_lab
from tests.oracles.small_campaign import READ

SPACE = SearchSpace(elements=("Fe", "Co", "Ni"))
PROBLEM = film_lab.problem_of(SPACE, FilmGeometry(devices=5), ExpectedImprovement())
PAGE = Path(__file__).parents[2] / "docs" / "generators.md"


def test_the_pages_block_runs_as_it_stands():
    (block,) = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    names = {
        "ConditionalVAE": partial(ConditionalVAE, steps=60, width=16, latent=2, pool=4),
        "Examples": Examples,
        "Wish": Wish,
        "train_generator": train_generator,
        "generator_to_bytes": generator_to_bytes,
        "generator_from_bytes": generator_from_bytes,
        "problem": PROBLEM,
        "dataset": film_lab.measured(PROBLEM, READ),
        "targets": np.full(1, np.nan),
        "process": np.empty(0),
        "space": SPACE,
    }
    exec(compile(block, PAGE.name, "exec"), names)  # noqa: S102 - our own page
    assert names["draws"].X.shape == (100, 3)
