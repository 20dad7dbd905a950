"""What a training is judged by, and what it may take of the machine."""

import os
import subprocess
import sys

import numpy as np

from tests.oracles import alloy_table
from workers.learning import parted

CAPPED = """
from service.settings import WorkerSettings
from workers.learning import machine
assert machine(WorkerSettings(device="cpu", memory_mb=1024)) == "cpu"
import numpy as np
try:
    np.ones(400_000_000)
except MemoryError:
    print("refused")
print(len(np.ones(1_000)))
"""


def test_examples_to_judge_by_are_drawn_by_seed_and_none_is_learned_from():
    examples = alloy_table.alloys(60, seed=1)
    seen, unseen = parted(examples, 3)
    assert (len(seen), len(unseen)) == (51, 9)
    rows = np.vstack([seen.X, unseen.X])
    assert sorted(map(tuple, rows.tolist())) == sorted(map(tuple, examples.X.tolist()))
    again = parted(examples, 3)
    np.testing.assert_array_equal(unseen.X, again[1].X)
    assert not np.array_equal(unseen.X, parted(examples, 4)[1].X)


def test_a_training_that_wants_more_memory_than_it_may_have_is_refused_it():
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    told = subprocess.run([sys.executable, "-c", CAPPED], capture_output=True, text=True, env=env, check=True)
    assert told.stdout.split() == ["refused", "1000"]
