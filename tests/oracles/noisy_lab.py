"""Labs whose errors are known: noise that varies tenfold, an instrument that drifts, a composition that is misread."""

from dataclasses import replace

import numpy as np

from models.dataset import Dataset
from tests.oracles import small_lab

QUIET, LOUD = 0.04, 0.4
"""Standard deviations of a reading where there is no Fe, and where there is nothing else."""


def noise_sd(X):
    """Standard deviation of one reading at device points: tenfold along the first fraction."""
    return QUIET * (LOUD / QUIET) ** X[:, 0]


def with_varying_noise(films, *, devices=13, seed=0):
    """The films of the small lab, read with noise that varies."""
    data = small_lab.dataset(films, devices, seed=seed, noise=0.0)
    noise = noise_sd(data.X) * np.random.default_rng([seed, 1]).standard_normal(len(data))
    return replace(data, Y=data.Y + noise[:, None])


def joined(*parts):
    """Several datasets as one."""
    names = ("X", "Y", "Yvar", "films", "times", "names", "calibration")
    return Dataset(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def with_drift(films, *, devices=7, slope=0.1, repeats=3, seed=0):
    """Films read one session after the other by an instrument that drifts, without and with its coupon.

    Returns:
        The films; the films and the coupon, read `repeats` times before each film; the drift of each session.
    """
    rng = np.random.default_rng([seed, 2])
    drift = slope * np.arange(films) + 0.3 * slope * np.cumsum(np.append(0.0, rng.standard_normal(films - 1)))
    data = small_lab.dataset(films, devices, seed=seed, noise=0.03, offset=0.1)
    session = np.repeat(np.arange(films), devices)
    read = replace(
        data, Y=data.Y + drift[session, None], times=3600.0 * session + 60.0 + np.arange(len(data)) % devices
    )
    session = np.repeat(np.arange(films), repeats)
    n = len(session)
    coupon = Dataset(
        X=np.zeros((n, 4)),
        Y=(-40.0 + drift[session] + 0.03 * rng.standard_normal(n))[:, None],
        Yvar=np.full((n, 1), np.nan),
        films=np.full(n, "coupon"),
        times=3600.0 * session + np.arange(n) % repeats,
        names=np.array([f"c{k:04d}" for k in range(n)]),
        calibration=np.ones(n, dtype=bool),
    )
    return read, joined(read, coupon), drift


def with_wrong_composition(films, *, steepness, sd, devices=9, seed=0):
    """A property that climbs along the first fraction, read exactly, at fractions that are misread by `sd`.

    Returns:
        The readings at the fractions that were measured, and the true property at any points.
    """

    def truth(X):
        return steepness * X[:, 0] ** 2 + X[:, 1]

    data = small_lab.dataset(films, devices, seed=seed, noise=0.0)
    wrong = sd * np.random.default_rng([seed, 3]).standard_normal((len(data), 3))
    X = data.X.copy()
    X[:, :3] += wrong - wrong.mean(1, keepdims=True)
    return replace(data, X=X, Y=truth(data.X)[:, None]), truth
