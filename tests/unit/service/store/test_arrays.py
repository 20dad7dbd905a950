"""Arrays come back to the last bit, whatever they hold, and are small where neighbours are alike."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from service.store.arrays import digest, packed, unpacked


@given(arrays_of.arrays(st.sampled_from([np.float32, np.float64]), st.integers(1, 60)))
def test_every_bit_comes_back(array):
    back = unpacked(packed(array), array.dtype.name, array.size)
    assert back.dtype == array.dtype
    assert back.tobytes() == array.tobytes()
    assert digest(back) == digest(array)


def test_the_type_and_every_bit_count():
    zero = np.zeros(3)
    assert digest(zero) != digest(-zero)
    assert digest(zero) != digest(zero.astype(np.float32))
    assert digest(np.zeros(1)) != digest(np.zeros(2, dtype=np.float32))


def test_the_machine_does_not_count():
    array = np.array([1.5, -2.25e-300])
    assert digest(array.astype(">f8")) == digest(array)
    assert unpacked(packed(array.astype(">f8")), "float64", 2).tolist() == array.tolist()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_pattern_is_stored_compactly(dtype):
    two_theta = np.linspace(10.0, 90.0, 4001)
    counts = np.random.default_rng(1).poisson(50.0 + 4e3 * np.exp(-(((two_theta - 43.0) / 0.2) ** 2))).astype(dtype)
    assert len(packed(counts)) < counts.nbytes / 2.5
