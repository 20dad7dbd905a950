"""The one place where arrays become tensors and back: float64, on the processor or on the chosen accelerator."""

import numpy as np
import torch
from botorch.utils.sampling import draw_sobol_normal_samples
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

DTYPE = torch.float64
"""Every tensor of the science: a covariance of neighbouring devices has no digits to spare."""


def use_device(name: str) -> str:
    """Put every tensor made from now on in this thread on a device.

    Random numbers are always drawn on the processor, so that an accelerator gives the same films within rounding.

    Args:
        name: `cpu`, `cuda:N`, or `auto`: the first accelerator if there is one, else the processor.

    Returns:
        The device in use.

    Raises:
        ValueError: If there is no such device.
    """
    found = torch.cuda.device_count() if torch.cuda.is_available() else 0
    chosen = ("cuda:0" if found else "cpu") if name == "auto" else name
    kind, _, number = chosen.partition(":")
    if kind not in {"cpu", "cuda"} or (kind == "cuda" and not number.isdigit()):
        raise ValueError(f"device {name!r} is not auto, cpu or cuda:N")
    if kind == "cuda" and int(number) >= found:
        raise ValueError(f"device {name!r} is not there: {found} accelerators were found")
    torch.set_default_device(None if kind == "cpu" else chosen)
    return chosen


def to_tensor(values: ArrayLike) -> Tensor:
    """Copy `values` into a float64 tensor that shares no memory with them."""
    return torch.tensor(np.ascontiguousarray(values, dtype=np.float64), dtype=DTYPE)


def to_array(values: Tensor) -> NDArray[np.float64]:
    """Copy a tensor, without its gradient, into a float64 array of the same shape."""
    return np.array(values.detach().cpu().numpy(), dtype=np.float64)


def normal_draws(count: int, dimension: int, seed: int) -> Tensor:
    """Quasi-random standard normal numbers, `count x dimension`: the same ones on every device."""
    drawn = draw_sobol_normal_samples(dimension, count, device=torch.device("cpu"), dtype=DTYPE, seed=seed)
    return to_tensor(to_array(drawn))
