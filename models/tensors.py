"""The one place where arrays become tensors and back: float64, on the processor."""

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

DTYPE = torch.float64
"""Every tensor of the science: a covariance of neighbouring devices has no digits to spare."""


def to_tensor(values: ArrayLike) -> Tensor:
    """Copy `values` into a float64 tensor that shares no memory with them."""
    return torch.tensor(np.ascontiguousarray(values, dtype=np.float64), dtype=DTYPE)


def to_array(values: Tensor) -> NDArray[np.float64]:
    """Copy a tensor, without its gradient, into a float64 array of the same shape."""
    return np.array(values.detach().cpu().numpy(), dtype=np.float64)
