"""A Gaussian process over device points that knows which readings share a film.

    y = f(x, p) + b_film + eps,   f ~ GP(constant, Matern-5/2 ARD),   b_film ~ N(0, s_b^2),   eps ~ N(0, v)

Whatever it answers is about the latent f, with b = eps = 0: the property of the material, not of one wafer or reading.
Inside, readings are maximised and standardised; `centre` and `scale` lead back to maximised values in physical units.
"""

from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np
import torch
from botorch.acquisition.objective import PosteriorTransform
from botorch.exceptions.errors import UnsupportedError
from botorch.models.gpytorch import GPyTorchModel
from botorch.posteriors.gpytorch import GPyTorchPosterior
from gpytorch.distributions import MultitaskMultivariateNormal
from numpy.typing import NDArray
from torch import Tensor

from models.catalog import NoiseModel
from models.dataset import Dataset
from models.errors import IncompatibleCheckpoint
from models.problem import Problem
from models.surrogates.base import Prediction, Progress, Surrogate
from models.surrogates.conditioned import Conditioned, moment_matched
from models.surrogates.film_gp_fit import condition_state, fit_state, layout_of
from models.surrogates.film_gp_state import FilmGPState
from models.surrogates.fit_report import column_report, named, sensitivities, yield_report
from models.surrogates.hyperparameters import Hyperparameters
from models.surrogates.latent import Latent, LatentPrior
from models.surrogates.portrait import PropertyPortrait, portrait
from models.surrogates.prior_data import CONDITIONED, prior_data_report, thinned
from models.surrogates.replicates import merged
from models.surrogates.torch_kernels import with_totals
from models.surrogates.torch_noise import misread_variance, reading_variance
from models.surrogates.torch_yield import Survival, survival_of
from models.tensors import to_array, to_tensor

Array = NDArray[np.float64]

ALWAYS_FITTED = 800
"""Readings up to which every change of the data is worth a fit: it takes less than a second."""


def _known(problem: Problem, dataset: Dataset) -> Dataset:
    """A canonical dataset as the model sees it: what it heeds, repeats as their mean, not too much prior data."""
    one_each = merged(_heeded(problem.surrogate.noise, dataset))
    kept = thinned(one_each, CONDITIONED)
    return one_each if kept.all() else one_each.take(kept)


def _heeded(noise: NoiseModel, dataset: Dataset) -> Dataset:
    """The same rows without what the noise model is told to pass over."""
    passed: dict[str, Any] = {}
    if not noise.stated:
        passed |= {"Yvar": np.full(dataset.Y.shape, np.nan), "replicates": np.ones(dataset.Y.shape)}
    if not noise.one_sided:
        beyond = dataset.censored != 0
        passed |= {"Y": np.where(beyond, np.nan, dataset.Y), "censored": np.zeros_like(dataset.censored)}
    if not noise.dead_devices:
        passed |= {"dead": np.zeros(len(dataset), dtype=bool)}
    return replace(dataset, **passed) if passed else dataset


class FilmGP(GPyTorchModel):
    """Gaussian process with film effect, usable wherever BoTorch takes a model. Built by `fit`, `condition` or a state.

    `posterior` speaks standardised, maximised units; `predict` maximised physical ones.
    """

    name: ClassVar[str] = "film_gp"

    def __init__(self, state: FilmGPState) -> None:
        super().__init__()
        self.state = state
        self._sets = [
            tuple(Conditioned(state.readings(k), h) for h in state.sets(k)) for k in range(len(state.hyperparameters))
        ]
        self._lower, self._width, self._totals = (to_tensor(part) for part in (state.lower, state.width, state.totals))

    @classmethod
    def fit(
        cls, problem: Problem, dataset: Dataset, *, seed: int, previous: Surrogate | None, progress: Progress
    ) -> tuple[Self, dict[str, Any]]:
        """Fit hyperparameters to a canonical dataset and condition on it.

        Where a fit would take more than a second, those of a recent `previous` serve on (`is_recent`).

        Args:
            problem: Search space, directions, options of the surrogate.
            dataset: Readings in the objectives' own units.
            seed: Seed of the random starts.
            previous: An earlier fit on the same columns, from which the search starts.
            progress: Called at each evaluation of the evidence; may raise to stop.

        Returns:
            The model, and its metrics; their `fit` is empty where no fit was made.

        Raises:
            NotEnoughData: If an objective was read at fewer than two distinct points.
            FitFailed: If the evidence has no finite value anywhere.
        """
        dataset = _known(problem, dataset)
        if isinstance(previous, cls) and previous.is_recent(problem, dataset):
            progress("condition")
            model = previous.condition(problem, dataset)
            return model, model._told(problem, dataset) | {"fit": []}
        before = previous.state if isinstance(previous, FilmGP) else None
        state, fits = fit_state(problem, dataset, seed=seed, previous=before, progress=progress)
        model = cls(state)
        progress("validate")
        return model, model._told(problem, dataset) | {"fit": [f.report() for f in fits]}

    def is_recent(self, problem: Problem, dataset: Dataset) -> bool:
        """Whether the hyperparameters still serve: a fit is dear and the readings grew by less than a tenth."""
        count, fitted = (~np.isnan(dataset.Y)).sum(0), self.state.fitted
        own = (~np.isnan(dataset.Y[~dataset.is_prior()])).sum(0)
        if count.min() <= ALWAYS_FITTED or not ((own >= fitted) & (own < 1.1 * fitted)).all():
            return False
        now = FilmGPState.unfitted(problem, dataset)
        if not all(
            np.array_equal(getattr(now, name), getattr(self.state, name))
            for name in ("source_keys", "lower", "width", "totals")
        ):
            return False
        varies = problem.surrogate.noise.heteroscedastic
        kinds = [layout_of(problem, now, k) for k in range(self.num_outputs)]
        return all(
            (h.layout().film_effect, h.layout().drift) == (kind.film_effect, kind.drift)
            and (varies or h.noise_spread == 0.0)
            for h, kind in zip(self.hyperparameters, kinds, strict=True)
        )

    def condition(self, problem: Problem, dataset: Dataset) -> Self:
        """The same hyperparameters and units on other readings: no fit, one Cholesky factor.

        Raises:
            NotEnoughData: If an objective was read at fewer than two distinct points.
            FitFailed: If the covariance of the readings has no Cholesky factor.
        """
        return type(self)(condition_state(problem, _known(problem, dataset), self.state))

    @property
    def hyperparameters(self) -> tuple[Hyperparameters, ...]:
        """The most probable ones, one per objective, in standardised units."""
        return self.state.hyperparameters

    @property
    def num_outputs(self) -> int:
        """Number of objectives, m."""
        return len(self._sets)

    @property
    def batch_shape(self) -> torch.Size:
        """Empty: one model."""
        return torch.Size()

    def posterior(  # type: ignore[override]  # BoTorch's own two signatures disagree; this is GPyTorchModel's
        self,
        X: Tensor,
        observation_noise: bool | Tensor = False,
        posterior_transform: PosteriorTransform | None = None,
        **kwargs: object,
    ) -> GPyTorchPosterior:
        """Joint posterior of the latent f at q points, differentiable in X.

        Args:
            X: `batch_shape x q x (d + p)` device points, as in `Dataset.X`.
            observation_noise: Only False: ask `noise_sd` and `film_effect_sd` for what a reading adds.
            posterior_transform: BoTorch's transform of the answer.
            kwargs: None is known; BoTorch's signature has them.

        Returns:
            Normal over `batch_shape x q x m` values in standardised, maximised units.
        """
        if observation_noise is not False or kwargs:
            raise UnsupportedError(f"the posterior is of f; noise and film effect are separate ({kwargs})")
        x = (with_totals(X, self._totals) - self._lower) / self._width
        normals = [moment_matched([component.posterior(x) for component in sets]) for sets in self._sets]
        joint = normals[0]
        if len(normals) > 1:
            joint = MultitaskMultivariateNormal.from_independent_mvns(normals)  # type: ignore[no-untyped-call]
        posterior = GPyTorchPosterior(joint)
        return posterior if posterior_transform is None else posterior_transform(posterior, X=X)

    def predict(self, X: Array) -> Prediction:
        """Posterior mean and sd of f at each of `j x (d + p)` points: `j x m`, maximised, in physical units."""
        with torch.no_grad():
            posterior = self.posterior(to_tensor(X).unsqueeze(-2))
        mean, variance = to_array(posterior.mean)[:, 0], to_array(posterior.variance)[:, 0]
        return Prediction(self.state.centre + self.state.scale * mean, self.state.scale * np.sqrt(variance))

    def latents(self, output: int = 0) -> tuple[Latent, ...]:
        """The process of objective `output` with its readings, for acquisitions that condition it further.

        One for each of the equally likely sets of hyperparameters.
        """
        return tuple(self._latent(column, output) for column in self._sets[output])

    def _latent(self, column: Conditioned, output: int) -> Latent:
        scaling = self._width * column.lengthscales

        own, misread = reading_variance(self.state, output, column.h), misread_variance(self.state, column)
        return Latent(
            prior=LatentPrior(self._lower, scaling, column.output_variance, column.constant, self._totals),
            variance=column.variance,
            points=(column.z * scaling + self._lower)[:, : self.state.X.shape[1]],
            project=column.project,
            whitened=column.whitened,
            noise=lambda X, positions: own(X, positions) + misread(X, positions),
            film_variance=column.h.film_variance,
            centre=float(self.state.centre[output]),
            scale=float(self.state.scale[output]),
        )

    def survival(self) -> Survival | None:
        """How likely a device is to work, by its point and position; None where no device ever died."""
        model = self.state.yield_model
        low, width = (part[: self.state.X.shape[1]] for part in (self.state.lower, self.state.width))
        return None if model is None else survival_of(model, low, width)

    @property
    def noise_sd(self) -> Array:
        """`m` standard deviations of one reading without a known variance, in physical units.

        Where the noise varies, the root of its mean square over the readings.
        """
        squares = [
            float(np.mean([c.data.inferred(c.h)[c.data.typical()] for c in components])) for components in self._sets
        ]
        return np.asarray(self.state.scale * np.sqrt(squares))

    @property
    def film_effect_sd(self) -> Array:
        """`m` standard deviations s_b of a film's offset, in physical units; 0 where it is left out."""
        squares = [float(np.mean([c.h.film_variance for c in components])) for components in self._sets]
        return np.asarray(self.state.scale * np.sqrt(squares))

    def metrics(self) -> dict[str, Any]:
        """Per objective what `column_report` says; how many devices work."""
        reports = [column_report(self.state, k, components) for k, components in enumerate(self._sets)]
        return {"objectives": reports, "yield": yield_report(self.state.yield_model)}

    def portrait(self, problem: Problem, dataset: Dataset) -> tuple[PropertyPortrait, ...]:
        """What the model shows of itself for charts, property by property.

        Args:
            problem: Whose properties they are.
            dataset: The one that the model was fitted to, in any order.
        """
        known = _known(problem, dataset.canonical())
        return tuple(
            portrait(sought, self.state, k, self._sets[k], known) for k, sought in enumerate(problem.properties)
        )

    def _told(self, problem: Problem, dataset: Dataset) -> dict[str, Any]:
        """The metrics with the names of films and readings, and what each element does."""
        told = sensitivities(problem, self.state, [[c.conditioning for c in components] for components in self._sets])
        metrics = named(self.metrics(), dataset) | {"sensitivities": told}
        if self.state.source_keys.size:
            found = prior_data_report(problem, self.state, self._sets, dataset)
            metrics |= {"prior_data": dict(zip((p.property for p in problem.properties), found, strict=True))}
        return metrics

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The state as named arrays, for a checkpoint."""
        return self.state.arrays()

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]]) -> Self:
        """The inverse of `arrays`.

        Raises:
            IncompatibleCheckpoint: If an array is missing or of the wrong shape.
        """
        state = FilmGPState.from_arrays(arrays)
        try:
            return cls(state)
        except (ValueError, IndexError) as error:
            raise IncompatibleCheckpoint(f"not a film_gp: {error}") from error
