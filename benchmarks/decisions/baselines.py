"""Arms without Filmloop's science: random films, and the mean expected improvement over all films."""

import time
import warnings
from dataclasses import dataclass

import numpy as np
import torch
from botorch.acquisition.analytic import ExpectedImprovement
from botorch.exceptions.warnings import NumericsWarning, OptimizationWarning
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from gpytorch.mlls import ExactMarginalLogLikelihood
from linear_operator import to_dense
from numpy.typing import NDArray

from benchmarks.decisions.campaign import Asked, Choice
from models.catalog import RandomFilms
from models.dataset import Dataset
from models.film import Film
from models.problem import Problem
from models.propose import propose
from models.surrogates.diagnostics import calibration, leave_film_out
from models.tensors import to_array, to_tensor

Array = NDArray[np.float64]


@dataclass
class Random:
    """A film drawn uniformly: among the listed ones not yet made, else by Filmloop's own random policy."""

    def decide(self, asked: Asked) -> Choice:
        """Draw one film."""
        if asked.task.listed is None:
            problem = asked.problem.model_copy(update={"policy": RandomFilms()})
            return Choice(propose(problem, None, asked.dataset, pending=[], count=1, seed=asked.seed)[0].film)
        left = [film for film in asked.task.listed if not any(film is made for made in asked.made)]
        return Choice(left[np.random.default_rng([asked.seed, len(asked.made)]).integers(len(left))])


@dataclass
class MeanImprovement:
    """BoTorch's default `SingleTaskGP`, and the film whose devices have the largest expected improvement on average.

    Inputs are the fractions as they are, the output is standardised, as the model's defaults have it. The value to be
    improved on is the best reading. A film that was made is not made again.
    """

    def decide(self, asked: Asked) -> Choice:
        """Fit from scratch and score every listed film.

        Raises:
            ValueError: If the films of the task cannot be listed.
        """
        if asked.task.listed is None:
            raise ValueError(f"the films of {asked.task.name} cannot be listed")
        began = time.process_time()
        model, rows = fitted(asked.problem, asked.dataset, asked.seed)
        y = asked.problem.objectives[0].to_maximised(asked.dataset.Y[rows, 0])
        score = _mean_gain(model, float(y.max()), asked.task.listed)
        score[[any(film is made for made in asked.made) for film in asked.task.listed]] = -np.inf
        film, seconds = asked.task.listed[int(np.argmax(score))], time.process_time() - began
        pool = asked.task.pool()
        with torch.no_grad():
            mean = to_array(model.posterior(to_tensor(pool)).mean[:, 0])
        return Choice(film, pool[int(np.argmax(mean))], _held_out(asked, model, rows), seconds)


def _mean_gain(model: SingleTaskGP, best: float, films: tuple[Film, ...]) -> Array:
    """Expected improvement on `best`, averaged over each film's devices, `F`."""
    points = to_tensor(np.vstack([film.points() for film in films]))
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore", NumericsWarning)  # it asks for the logarithm, whose mean is another rule
        gains = to_array(ExpectedImprovement(model, best_f=best)(points[:, None, :]))
    mean: Array = gains.reshape(len(films), -1).mean(axis=1)
    return mean


def fitted(problem: Problem, dataset: Dataset, seed: int) -> tuple[SingleTaskGP, NDArray[np.bool_]]:
    """The default model on the readings of living devices, maximised, and which rows these are."""
    rows = ~np.isnan(dataset.Y[:, 0])
    y = problem.objectives[0].to_maximised(dataset.Y[rows, :1])
    torch.manual_seed(seed)
    model = SingleTaskGP(to_tensor(dataset.X[rows]), to_tensor(y))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OptimizationWarning)  # the fit starts again by itself, as BoTorch has it
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))  # type: ignore[no-untyped-call]
    return model.eval(), rows


def _held_out(asked: Asked, model: SingleTaskGP, rows: NDArray[np.bool_]) -> dict[str, float]:
    """Coverage and mean log density, whole films left out, in units of the property's sd."""
    films = np.unique(asked.dataset.films[rows], return_inverse=True)[1]
    if films.max() == 0:
        return {}
    with torch.no_grad():
        x, y = model.train_inputs[0], model.train_targets
        noise = float(torch.as_tensor(model.likelihood.noise))
        prior = to_dense(model.covar_module(x))  # type: ignore[arg-type]  # a kernel answers no distribution
        covariance = to_array(prior) + noise * np.eye(len(y))
        residual = to_array(y - model.mean_module(x))
    inverse = np.asarray(np.linalg.inv(covariance), dtype=np.float64)
    mean, sd = leave_film_out(inverse, residual, films)
    scale = float(np.std(asked.dataset.Y[rows, 0], ddof=1)) / float(asked.task.sd[0])
    return calibration(scale * residual, scale * mean, scale * sd)
