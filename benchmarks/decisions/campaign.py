"""One campaign: two random films, then the arm's choice, film by film; and what is counted along the way."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks.decisions.noise import Noise
from benchmarks.decisions.task import Task
from models.dataset import Dataset
from models.film import Film
from models.problem import Problem

Array = NDArray[np.float64]

HOUR = 3600.0


@dataclass(frozen=True)
class Asked:
    """What an arm is told when it has to choose."""

    task: Task
    """Whose landscape an arm must not look at: `problem`, `listed`, `pool` and `films` are free to read."""
    problem: Problem
    dataset: Dataset
    """Every reading so far; dead devices are rows with NaN."""
    made: tuple[Film, ...]
    """The films so far, in order."""
    seed: int


@dataclass(frozen=True)
class Choice:
    """What an arm answers."""

    film: Film
    recommended: Array | None = None
    """`d + p`: the point of the task's pool with the best posterior mean, where the arm has a model."""
    calibration: dict[str, float] = field(default_factory=dict)
    """Coverage and mean log density, whole films left out; log density in units of the property's sd."""
    cpu_seconds: float | None = None
    """What the decision alone took, as far as the arm knows it apart from what was only asked for the table."""


class Chooser(Protocol):
    """An arm within one campaign. It may remember what it has seen."""

    def decide(self, asked: Asked) -> Choice:
        """Choose the next film."""
        ...


@dataclass(frozen=True)
class Listed:
    """Any function (problem, dataset, films, seed) -> number of the film, as an arm; films are the listed ones."""

    choose: Callable[[Problem, Dataset, Sequence[Film], int], int]

    def decide(self, asked: Asked) -> Choice:
        """Ask the function.

        Raises:
            ValueError: If the films of the task cannot be listed.
        """
        if asked.task.listed is None:
            raise ValueError(f"the films of {asked.task.name} cannot be listed")
        return Choice(asked.task.listed[self.choose(asked.problem, asked.dataset, asked.task.listed, asked.seed)])


def run(task: Task, chooser: Chooser, *, seed: int, noise: Noise, films: int | None = None) -> dict[str, Any]:
    """Run one campaign.

    Args:
        task: Landscape and film rule.
        chooser: A fresh arm.
        seed: Of the first films, of the noise and of the arm.
        noise: What the lab does.
        films: Budget; the task's own if not given.

    Returns:
        JSON-able figures by number of films: best true value measured, value at the recommended point (None without
        one), calibration, CPU seconds of each decision; and the films made. After the last film the arm is asked once
        more, for its recommendation only.
    """
    budget = films or task.films
    made: list[Film] = []
    trues: list[Array] = []
    dataset = Dataset.empty(task.problem.space.dimension + len(task.problem.space.process_columns), len(task.sd))
    starts = task.starts(seed)
    recommended: list[float | None] = []
    calibrations: list[dict[str, float]] = []
    seconds: list[float] = []
    for number in range(budget + 1):
        film = starts[number] if number < len(starts) else None
        if film is None:
            began = time.process_time()
            asked = Asked(task, task.problem, dataset, tuple(made), seed)
            choice = chooser.decide(asked)
            seconds.append(time.process_time() - began if choice.cpu_seconds is None else choice.cpu_seconds)
            point = choice.recommended
            recommended.append(None if point is None else float(task.truth(point[None])[0, 0]))
            calibrations.append(choice.calibration)
            film = choice.film
        if number == budget:
            break
        reading = noise.measure(task, seed, number, film)
        made.append(film)
        trues.append(np.where(np.isnan(reading.y), np.nan, reading.true))
        dataset = extended(dataset, film, reading.y, number)
    return {
        "best_true": task.scores(trues),
        "recommended": recommended,
        "calibration": calibrations,
        "cpu_seconds": [round(s, 4) for s in seconds],
        "made": [[np.round(part, 6).tolist() for part in (f.a, f.b, f.process)] for f in made],
    }


def extended(dataset: Dataset, film: Film, y: Array, number: int) -> Dataset:
    """The dataset with one film more."""
    devices = len(film.s)
    return Dataset(
        np.vstack([dataset.X, film.points()]),
        np.vstack([dataset.Y, y]),
        np.vstack([dataset.Yvar, np.full_like(y, np.nan)]),
        np.append(dataset.films, [f"film-{number:03d}"] * devices),
        np.append(dataset.times, HOUR * number + np.arange(devices)),
        np.append(dataset.names, [f"film-{number:03d}-{k:03d}" for k in range(devices)]),
    )
