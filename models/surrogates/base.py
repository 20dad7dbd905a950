"""What every surrogate offers, and the bundle in which one travels with its lineage."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, version
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple, Protocol, Self

import numpy as np
import torch
from botorch.posteriors.gpytorch import GPyTorchPosterior
from numpy.typing import NDArray
from torch import Tensor

from models.dataset import Dataset
from models.objective import Objective
from models.problem import Problem
from models.surrogates.best_composition import climbs
from models.surrogates.latent import Latent
from models.surrogates.nearness import nearness
from models.surrogates.portrait import PropertyPortrait
from models.surrogates.posterior_map import PosteriorMap, PropertyMap, feasible, feasible_points, middle_process
from models.surrogates.torch_yield import Survival
from models.tensors import to_array, to_tensor

Array = NDArray[np.float64]
Progress = Callable[[str], None]
"""Called often with a short phase word; may raise to stop the work."""


class Prediction(NamedTuple):
    """Posterior of the latent f, point by point."""

    mean: Array
    """`j x m`."""
    sd: Array
    """`j x m`."""

    def expected(self, objectives: Sequence[Objective]) -> Array:
        """What the values of the first columns are expected to be worth, as each objective has it: `j x objectives`."""
        worth = [o.utility().expected(self.mean[:, k], self.sd[:, k]) for k, o in enumerate(objectives)]
        return np.column_stack(worth)

    def hoped(self, objectives: Sequence[Objective], deviations: float) -> Array:
        """What they are worth so many deviations on the better side: `j x objectives`."""
        worth = [o.utility().hoped(self.mean[:, k], self.sd[:, k], deviations) for k, o in enumerate(objectives)]
        return np.column_stack(worth)


class Surrogate(Protocol):
    """A fitted model of the latent property f. Three uncertainties stay apart: that of f, of a reading, of a film."""

    name: ClassVar[str]

    @classmethod
    def fit(
        cls, problem: Problem, dataset: Dataset, *, seed: int, previous: "Surrogate | None", progress: Progress
    ) -> tuple[Self, dict[str, Any]]:
        """Fit to a canonical dataset; returns the model and its JSON-able metrics.

        Raises:
            NotEnoughData: If there are fewer than two distinct points with a reading.
            FitFailed: If the fit has no finite end.
        """
        ...

    def condition(self, problem: Problem, dataset: Dataset) -> Self:
        """The same hyperparameters on another canonical dataset, without a fit."""
        ...

    @property
    def num_outputs(self) -> int:
        """Number of objectives, m."""
        ...

    def posterior(self, X: Tensor) -> GPyTorchPosterior:
        """Joint posterior of f at `batch_shape x q x (d + p)` points: standardised, maximised, with gradient."""
        ...

    def latents(self, output: int = 0) -> tuple[Latent, ...]:
        """The process of objective `output`, for acquisitions that condition it further.

        Several where the surrogate averages over hyperparameters: each is as likely as the others.
        """
        ...

    def survival(self) -> Survival | None:
        """How likely a device is to work, by its point and position; None where no device ever died."""
        ...

    def predict(self, X: Array) -> Prediction:
        """Mean and sd of f at `j x (d + p)` points, as modelled, in physical units."""
        ...

    @property
    def noise_sd(self) -> Array:
        """`m` standard deviations of a reading, in physical units."""
        ...

    @property
    def film_effect_sd(self) -> Array:
        """`m` standard deviations of a film's offset, in physical units."""
        ...

    def portrait(self, problem: Problem, dataset: Dataset) -> tuple[PropertyPortrait, ...]:
        """What the model shows of itself for charts, one per property, given the dataset that it was fitted to."""
        ...

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All of the model as named arrays."""
        ...

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]]) -> Self:
        """The inverse of `arrays`, bit by bit."""
        ...


@dataclass(frozen=True)
class ModelBundle:
    """A surrogate with all that a reader needs to judge it and to make it again."""

    surrogate: Surrogate
    columns: tuple[str, ...]
    """Elements, then process columns: what the surrogate's inputs mean."""
    seed: int
    versions: Mapping[str, str]
    """Library versions under which it was fitted."""
    fingerprint: str
    """Of the dataset it was fitted to."""
    metrics: Mapping[str, Any]
    """JSON-able: calibration, evidence, noise, film effect, lengthscales, cost of the fit."""

    def predict(self, problem: Problem, X: Array) -> Prediction:
        """Mean and sd of the latent property at `j x (d + p)` points, in physical units and in its own direction."""
        mean, sd = self.surrogate.predict(X)
        signs = np.array([sought.sign() for sought in problem.properties])
        return Prediction(signs * mean, sd)

    def posterior_map(self, problem: Problem, max_points: int = 400) -> PosteriorMap:
        """The posterior over the feasible compositions, at mid process.

        The best of the first objective is sought among the points of the map and the feasible ones of the compositions
        read so far, and then by a climb of the posterior mean from there.

        Args:
            problem: Whose search space is mapped.
            max_points: Most points on the map.

        Returns:
            Points, means and deviations in physical units, and the best composition.
        """
        space, process = problem.space, middle_process(problem.space)
        sought = problem.objectives[0]

        def at(compositions: Array) -> Prediction:
            return self.predict(problem, np.hstack([compositions, np.tile(process, (len(compositions), 1))]))

        def best_of(compositions: Array) -> Array:
            found = at(compositions)
            values = sought.utility().expected(sought.to_modelled(found.mean[:, 0]), found.sd[:, 0])
            chosen: Array = compositions[int(np.argmax(values))]
            return chosen

        points = feasible_points(space, max_points)
        read = to_array(self.surrogate.latents()[0].points)[:, : space.dimension]
        start = best_of(np.vstack([points, feasible(space, read / read.sum(1, keepdims=True))]))
        best = best_of(climbs(space, start, partial(self._slope, sought, process)))
        mean, sd = at(points)
        best_mean, best_sd = at(best[None])
        return PosteriorMap(
            points=points.tolist(),
            mean=mean[:, 0].tolist(),
            sd=sd[:, 0].tolist(),
            properties={
                p.property: PropertyMap(mean=mean[:, k].tolist(), sd=sd[:, k].tolist())
                for k, p in enumerate(problem.properties)
            },
            best_composition=best.tolist(),
            best_mean=float(best_mean[0, 0]),
            best_sd=float(best_sd[0, 0]),
            process=process.tolist(),
        )

    def _slope(self, sought: Objective, process: Array, composition: Array) -> tuple[float, Array]:
        """What is expected of a composition (d), standardised and maximised, and its gradient (d)."""
        if sought.matched() is not None:
            return nearness(sought, self.surrogate.latents(), process, composition)
        x = to_tensor(np.concatenate([composition, process])).requires_grad_()
        mean = self.surrogate.posterior(x[None]).mean[0, 0]
        (gradient,) = torch.autograd.grad(mean, x)
        return mean.item(), to_array(gradient)[: len(composition)]


def columns_of(problem: Problem) -> tuple[str, ...]:
    """What the columns of a device point mean: elements, then process columns."""
    return (*problem.space.elements, *problem.space.process_columns)


@cache
def library_versions() -> Mapping[str, str]:
    """Versions of what a fit depends on; `source` where the package is run without being installed."""
    found = {}
    for name in ("filmloop", "torch", "gpytorch", "botorch", "numpy", "scipy"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "source"
    return MappingProxyType(found)
