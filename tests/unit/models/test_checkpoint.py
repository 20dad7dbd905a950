import json
import pickletools
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import load, save

from models.checkpoint import from_bytes, to_bytes
from models.errors import IncompatibleCheckpoint
from models.train import train
from tests.oracles import small_lab

PROBLEM = small_lab.problem()
DATA = small_lab.dataset(known=0.3)
BUNDLE = train(PROBLEM, DATA, seed=7)
BYTES = to_bytes(BUNDLE)


def test_everything_comes_back():
    copy = from_bytes(BYTES, PROBLEM, DATA)
    assert (copy.seed, copy.columns, copy.fingerprint) == (7, BUNDLE.columns, DATA.fingerprint())
    assert copy.metrics == BUNDLE.metrics
    assert copy.versions == BUNDLE.versions
    for name, array in BUNDLE.surrogate.arrays().items():
        np.testing.assert_array_equal(copy.surrogate.arrays()[name], array)
    assert to_bytes(copy) == BYTES


def test_the_posterior_is_the_same_bit_by_bit_in_another_process(tmp_path):
    X = small_lab.probe(40)
    (tmp_path / "bundle").write_bytes(BYTES)
    (tmp_path / "problem").write_text(PROBLEM.model_dump_json())
    np.save(tmp_path / "X.npy", X)
    script = """
import sys, numpy as np
from models.checkpoint import from_bytes
from models.problem import Problem
folder = sys.argv[1]
problem = Problem.model_validate_json(open(f"{folder}/problem").read())
bundle = from_bytes(open(f"{folder}/bundle", "rb").read(), problem)
np.save(f"{folder}/answer.npy", np.hstack(bundle.predict(problem, np.load(f"{folder}/X.npy"))))
"""
    subprocess.run([sys.executable, "-c", script, tmp_path], check=True, timeout=120)
    np.testing.assert_array_equal(np.load(tmp_path / "answer.npy"), np.hstack(BUNDLE.predict(PROBLEM, X)))


def test_other_data_are_conditioned_on_without_a_fit():
    more = small_lab.dataset(6)
    copy = from_bytes(BYTES, PROBLEM, more)
    assert copy.fingerprint == more.fingerprint()
    expected = BUNDLE.surrogate.condition(PROBLEM, more.canonical()).predict(small_lab.probe())
    np.testing.assert_array_equal(copy.surrogate.predict(small_lab.probe()).mean, expected.mean)


def test_the_bytes_are_plain_safetensors_without_pickle():
    assert load(BYTES)["X"].shape == DATA.X.shape
    with pytest.raises(ValueError, match="opcode"):
        list(pickletools.genops(BYTES))


@pytest.mark.parametrize("where", [0, 3, 9, 40, 200, 0.3, 0.6, 0.9, -1])
def test_a_changed_byte_is_seen(where):
    damaged = bytearray(BYTES)
    damaged[int(where * len(BYTES)) if isinstance(where, float) else where] ^= 0x01
    with pytest.raises(IncompatibleCheckpoint):
        from_bytes(bytes(damaged), PROBLEM)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80\x04.",
        BYTES[: len(BYTES) // 2],
        BYTES + b"\x00",
        (2**63).to_bytes(8, "little") + b"{}",
        save({"X": np.zeros(2)}),
        save({"X": np.zeros(2)}, metadata={"filmloop": "[]"}),
        save({"X": np.zeros(2)}, metadata={"filmloop": json.dumps({"header": "{}", "sha256": ""})}),
    ],
)
def test_other_bytes_are_refused(data):
    with pytest.raises(IncompatibleCheckpoint):
        from_bytes(data, PROBLEM)


@pytest.mark.parametrize("other", [small_lab.problem(process=False), small_lab.problem(elements=("Co", "Ga", "Pd"))])
def test_another_search_space_is_refused(other):
    with pytest.raises(IncompatibleCheckpoint, match="does not serve"):
        from_bytes(BYTES, other)
