"""The conditional VAE as a generator: from examples to a model, and from a wish to compositions."""

import json
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from models.catalog import ConditionalVAE
from models.errors import IncompatibleCheckpoint, NotEnoughData
from models.generators.base import FEWEST, Draws, Examples, Generator, Progress, Wish
from models.generators.columns import Columns, carry_over
from models.generators.conditional_vae import Batch, Net, importance_bound
from models.generators.element_features import element_features
from models.generators.legal import legal
from models.generators.likelihood import kl_per_dimension
from models.generators.mixture import Mixture, fit_mixture
from models.generators.property_head import PropertyHead
from models.generators.training import held_out_rows, rank_weights, train_net
from models.tensors import DTYPE, to_array, to_tensor

Array = NDArray[np.float64]

PER_COMPONENT = 10
"""Fewest examples for each Gaussian of the codes."""
ACTIVE = 0.01
"""A code dimension is in use if the variance of its mean over the examples exceeds this (Burda et al. 2016)."""
BOUND_DRAWS = 64
"""Draws of the importance-weighted bound that is reported."""
SHARPEST = 0.1
"""Least standard deviation with which a draw is weighed, in those of the property: a target is never a point."""


class VAEGenerator:
    """A trained net, the mixture of its codes, and what it expects of the properties."""

    name: ClassVar[str] = "conditional_vae"

    def __init__(
        self, options: ConditionalVAE, columns: Columns, net: Net, mixture: Mixture, head: PropertyHead
    ) -> None:
        self.options, self.columns = options, columns
        self.net, self.mixture, self.head = net, mixture, head

    @classmethod
    def fit(
        cls, options: ConditionalVAE, examples: Examples, *, seed: int, previous: Generator | None, progress: Progress
    ) -> tuple[Self, dict[str, Any]]:
        """Train on canonical examples; see `models.generators.base.Generator.fit`."""
        if len(np.unique(examples.X, axis=0)) < FEWEST:
            raise NotEnoughData(f"a generator learns from {FEWEST} distinct compositions or more")
        before = previous if isinstance(previous, VAEGenerator) else None
        columns = Columns.of(examples, before.columns if before else None)
        features = element_features(examples.elements)
        net = _fresh(columns, features, options, seed)
        carried = carry_over(net, columns, before.net, before.columns) if before else 0
        weighed = options.rank_weighting is not None and len(examples.merit) > 0
        weights = rank_weights(examples.merit, options.rank_weighting or 1.0) if weighed else np.ones(len(examples))
        out = held_out_rows(examples.groups, options.held_out, np.random.default_rng([seed, 1]))
        data = Batch(to_tensor(examples.X), to_tensor(columns.conditions(examples.Y, examples.P)))
        trained = train_net(net, data, weights, out=out, options=options, seed=seed, progress=progress)
        with torch.no_grad():
            mean, log_variance = net.encode(data)
        components = max(1, min(options.components, len(examples) // PER_COMPONENT))
        mixture = fit_mixture(
            to_array(mean), to_array(log_variance.exp()), weights, components, np.random.default_rng([seed, 2])
        )
        progress("properties")
        head = PropertyHead.fit(features, examples.X, examples.Y, examples.P, seed=seed)
        model = cls(options, columns, net, mixture, head)
        told = {"steps": trained.steps, "ended": trained.ended, "held_out": trained.held_out, "carried": carried}
        return model, told | model.information(examples, seed=seed) | {"components": components}

    def draw(self, wish: Wish, count: int, *, seed: int) -> Draws:
        """Draw codes, decode them, bring them to the rules; where a target is set, keep what is likely to meet it."""
        weigh = wish.conditioned and self.options.pool > 1
        number, rng = count * (self.options.pool if weigh else 1), np.random.default_rng(seed)
        raw = self._decoded(wish, self.mixture.sample(number, rng), rng)
        X, moved = legal(raw, wish.space, seed=seed)
        if weigh:
            kept = self.likeliest(X, wish, count, rng)
            X, moved = X[kept], moved[kept]
        return Draws(X, moved, *self.head.expect(X, np.tile(wish.process, (count, 1))))

    def likeliest(self, X: Array, wish: Wish, count: int, rng: np.random.Generator) -> NDArray[np.intp]:
        """Choose from a pool of compositions (j x d) the rows to keep for a target.

        A weighted draw without replacement: the largest of log weight plus Gumbel noise (Efraimidis and Spirakis 2006).
        The wanted share of novel ones comes first, then the best of all others.
        """
        weights = self._log_weights(wish, *self.head.expect(X, np.tile(wish.process, (len(X), 1))))
        best_first = np.argsort(-(weights + rng.gumbel(size=len(X))), kind="stable")
        novel = cdist(X, self.head.X, "cityblock").min(axis=1) > self.options.novel_beyond
        first = best_first[novel[best_first]][: int(np.ceil(self.options.novel_share * count))]
        rest = best_first[~np.isin(best_first, first)][: count - len(first)]
        return np.sort(np.concatenate([first, rest]))

    def reconstruct(self, examples: Examples) -> Array:
        """The likeliest composition of each example's mean code, `n x d`: elements likelier present than not."""
        batch = self._batch(examples)
        with torch.no_grad():
            decoded = self.net.decode(self.net.encode(batch)[0], batch.c)
        present = to_array(decoded.log_odds) > 0.0
        present[np.arange(len(present)), to_array(decoded.log_odds).argmax(axis=1)] = True
        scores = np.where(present, to_array(decoded.scores), -np.inf)
        likely = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(likely / likely.sum(axis=1, keepdims=True))

    def information(self, examples: Examples, *, seed: int) -> dict[str, Any]:
        """What the code carries: bounds in nats per example, divergence per dimension, dimensions in use.

        Args:
            examples: With the columns of those that it was fitted to.
            seed: Of the draws of the bounds.
        """
        batch, source = self._batch(examples), torch.Generator("cpu").manual_seed(seed)
        shape = (BOUND_DRAWS, len(examples), self.net.latent)
        noise = torch.randn(shape, generator=source, dtype=DTYPE, device="cpu").to(batch.x.device)
        with torch.no_grad():
            mean, log_variance = self.net.encode(batch)
            kl = kl_per_dimension(mean, log_variance)
            # One draw in the sum is the variational bound.
            singles = torch.stack([importance_bound(self.net, batch, part[None]) for part in noise[:8]])
            tight = importance_bound(self.net, batch, noise)
        return {
            "elbo": singles.mean().item(),
            "importance_bound": tight.mean().item(),
            "kl_per_dimension": kl.mean(dim=0).tolist(),
            "kl": kl.sum(dim=1).mean().item(),
            "active_units": int((mean.var(dim=0, unbiased=False) > ACTIVE).sum()),
        }

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Parameters of the net, mixture, examples of the head, and the names as JSON bytes."""
        parts: dict[str, NDArray[Any]] = {f"net.{k}": to_array(v) for k, v in self.net.state_dict().items()}
        parts |= {f"mixture.{k}": getattr(self.mixture, k) for k in ("shares", "means", "covariances")}
        parts |= {f"head.{k}": v for k, v in self.head.arrays().items()}
        text = json.dumps({"options": self.options.model_dump(), "columns": self.columns.as_json()})
        return parts | {"description": np.frombuffer(text.encode(), dtype=np.uint8)}

    def with_options(self, **changed: Any) -> Self:  # noqa: ANN401  (any option of the catalogue)
        """The same model, drawn from in another way: `pool`, `sharpness`, `novel_share`, `novel_beyond`."""
        options = ConditionalVAE.model_validate(self.options.model_dump() | changed)
        return type(self)(options, self.columns, self.net, self.mixture, self.head)

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]]) -> Self:
        """The inverse of `arrays`, bit by bit."""
        try:
            told = json.loads(arrays["description"].tobytes())
            options, columns = ConditionalVAE.model_validate(told["options"]), Columns.from_json(told["columns"])
            features = arrays["net.of_fractions.features"]
            net = Net(to_tensor(features), columns.count, options.latent, options.width, options.dropout)
            net.eval()
            net.load_state_dict({k[4:]: to_tensor(v) for k, v in arrays.items() if k.startswith("net.")})
            mixture = Mixture(*(arrays[f"mixture.{k}"] for k in ("shares", "means", "covariances")))
            head = PropertyHead(features, *(arrays[f"head.{k}"] for k in ("X", "Y", "P", "theta")))
        except (KeyError, ValueError, RuntimeError) as error:
            raise IncompatibleCheckpoint(f"the stored generator cannot be built: {error}") from error
        return cls(options, columns, net, mixture, head)

    def _batch(self, examples: Examples) -> Batch:
        return Batch(to_tensor(examples.X), to_tensor(self.columns.conditions(examples.Y, examples.P)))

    def _decoded(self, wish: Wish, z: Array, rng: np.random.Generator) -> Array:
        """Compositions drawn from p(x | z, c), `n x d`; at least the likeliest element is present."""
        c = self.columns.conditions(wish.targets[None], wish.process[None])
        with torch.no_grad():
            decoded = self.net.decode(to_tensor(z), to_tensor(c))
        log_odds, scores = to_array(decoded.log_odds), to_array(decoded.scores)
        present = rng.logistic(size=log_odds.shape) < log_odds
        present[np.arange(len(z)), log_odds.argmax(axis=1)] = True
        scores = np.where(present, scores, -np.inf)
        likely = np.exp(scores - scores.max(axis=1, keepdims=True))
        likely /= likely.sum(axis=1, keepdims=True)
        # A Dirichlet draw is a vector of gamma draws over their sum; shapes of 0 give 0.
        drawn = rng.standard_gamma(to_array(decoded.concentration)[:, None] * likely)
        drawn = np.where(drawn.sum(axis=1, keepdims=True) > 0.0, drawn, likely)
        clean = np.where(drawn > 1e-6 * drawn.sum(axis=1, keepdims=True), drawn, 0.0)
        return np.asarray(clean / clean.sum(axis=1, keepdims=True))

    def _log_weights(self, wish: Wish, mean: Array, sd: Array) -> Array:
        """Logarithm of `p(targets | x)` to the power of the sharpness, for each draw of a pool."""
        wanted = np.isfinite(wish.targets) & np.isfinite(mean).all(axis=0)
        spread = np.maximum(sd[:, wanted], SHARPEST * np.array(self.columns.scale)[: len(wanted)][wanted])
        off = (wish.targets[wanted] - mean[:, wanted]) / spread
        return np.asarray(-self.options.sharpness * (0.5 * off**2 + np.log(spread)).sum(axis=1))


def _fresh(columns: Columns, features: Array, options: ConditionalVAE, seed: int) -> Net:
    """A net with parameters drawn by seed, whatever else draws random numbers in this process."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Net(to_tensor(features), columns.count, options.latent, options.width, options.dropout)
