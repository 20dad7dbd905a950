"""How the conditional VAE is trained: weights of the examples, annealing of β, early stopping, a box of time.

The result depends on the examples, the options and the seed only, unless the box of time ends it: then the metrics
say so.
"""

import math
import time
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.catalog import ConditionalVAE
from models.errors import FitFailed
from models.generators.base import Progress
from models.generators.conditional_vae import Batch, ElementMap, Net, elbo, elbo_terms
from models.tensors import DTYPE, to_tensor

Array = NDArray[np.float64]
Ended = Literal["steps", "early", "time"]
"""By the number of steps, by what was held out, or by the box of time."""

CHECKED_EVERY = 50
"""Steps between two looks at what was held out."""
FEWEST_HELD_OUT = 5
"""Held-out examples below which they say too little to stop by."""
ANNEALED = 0.75
"""Share of the steps that belong to the cycles. Only afterwards is β what it is meant to be, and training may stop."""
WARM_UP = 50
"""Steps over which the learning rate rises."""
LARGEST_GRADIENT = 10.0
OWN_DECAY, SHARED_DECAY = 1e-2, 1e-3
"""Weight decay of the elements' own rows, and of what they share: an element keeps to its features until told."""


@dataclass(frozen=True)
class Trained:
    """How a training ended."""

    steps: int
    ended: Ended
    held_out: int
    """Examples that were held out."""
    best: float
    """Largest held-out bound (with β), in nats per example; NaN without held-out examples."""


def rank_weights(merit: Array, k: float) -> Array:
    """Weights that favour the better examples, `n`, mean 1: proportional to `1 / (k n + rank)`, the best has rank 0.

    Examples without a merit share the mean of the last ranks: none of them is better than another.

    Source: Tripp, Daxberger, Hernández-Lobato 2020, Sample-Efficient Optimization in the Latent Space of Deep
    Generative Models via Weighted Retraining (arXiv 2006.09191), equation 5.
    """
    unknown = ~np.isfinite(merit)
    order = np.argsort(np.where(unknown, np.inf, -merit), kind="stable")
    rank = np.empty(len(merit))
    rank[order] = np.arange(len(merit))
    rank[unknown] = len(merit) - 0.5 * (unknown.sum() + 1)
    weights = 1.0 / (k * len(merit) + rank)
    return np.asarray(weights / weights.mean())


def held_out_rows(groups: NDArray[np.str_], share: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Which examples to hold out, `n`: whole groups, about `share` of the examples; none if there would be too few."""
    names, counts = np.unique(groups, return_counts=True)
    order = rng.permutation(len(names))
    shuffled, sizes = names[order], counts[order]
    before = np.cumsum(sizes) - sizes
    out = np.isin(groups, shuffled[before < share * len(groups)]) if share > 0.0 else np.zeros(len(groups), dtype=bool)
    few = out.sum() < FEWEST_HELD_OUT or len(names) < 2 or out.mean() > 0.5
    return np.zeros(len(groups), dtype=bool) if few else out


def annealed(step: int, steps: int, cycles: int, beta: float) -> float:
    """β at a step: it rises from 0 in the first half of each cycle and stays in the second; the last quarter is whole.

    Source: Fu et al. 2019, Cyclical Annealing Schedule (arXiv 1903.10145).
    """
    annealing = ANNEALED * steps
    if cycles == 0 or step >= annealing:
        return beta
    return beta * min(1.0, 2.0 * (step * cycles / annealing % 1.0))


def train_net(
    net: Net,
    data: Batch,
    weights: Array,
    *,
    out: NDArray[np.bool_],
    options: ConditionalVAE,
    seed: int,
    progress: Progress,
) -> Trained:
    """Train in place, and leave the parameters that were best on what was held out once β was whole.

    Args:
        net: The model.
        data: Every example.
        weights: `n`, how much each counts.
        out: `n`, which are held out.
        options: Of the catalogue.
        seed: Of batches, noise and hidden conditions. Random numbers come from the device that computes.
        progress: Called often; may raise to stop.

    Raises:
        FitFailed: If the bound is not finite.
    """
    counts = to_tensor(weights)
    kept, looked_at = torch.as_tensor(np.flatnonzero(~out)), torch.as_tensor(np.flatnonzero(out))
    optimiser = torch.optim.AdamW(_parameter_groups(net), lr=options.learning_rate)
    began = time.monotonic()
    ended: Ended = "steps"
    step = 0
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        watch = _Watch(net, Batch(data.x[looked_at], data.c[looked_at]), options)
        for step in range(1, options.steps + 1):
            for group in optimiser.param_groups:
                group["lr"] = options.learning_rate * _pace(step, options.steps)
            some = kept[torch.randint(len(kept), (min(options.batch, len(kept)),))]
            loss = _loss(net, Batch(data.x[some], data.c[some]), counts[some], step, options)
            if not torch.isfinite(loss):
                raise FitFailed(f"the bound is {-loss.item()} at step {step}")
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(net.parameters(), LARGEST_GRADIENT)
            optimiser.step()
            if step % CHECKED_EVERY == 0:
                progress(f"generator {step}/{options.steps}")
                if step > ANNEALED * options.steps and watch.stop():
                    ended = "early"
                    break
                if time.monotonic() - began > options.seconds:
                    ended = "time"
                    break
    watch.restore()
    return Trained(step, ended, int(out.sum()), watch.best)


def _loss(net: Net, batch: Batch, counts: Tensor, step: int, options: ConditionalVAE) -> Tensor:
    """Minus the bound of one batch, with the conditions of some examples hidden."""
    hidden = torch.rand(len(batch.c), 1, dtype=DTYPE) < options.hide
    seen = Batch(batch.x, torch.where(hidden, 0.0, batch.c))
    terms = elbo_terms(net, seen, torch.randn(len(batch.c), net.latent, dtype=DTYPE))
    beta = annealed(step, options.steps, options.cycles, options.beta)
    return -elbo(*terms, counts, beta=beta, free_bits=options.free_bits)


class _Watch:
    """Looks at the held-out bound, keeps the best parameters, and says when to stop."""

    def __init__(self, net: Net, data: Batch, options: ConditionalVAE) -> None:
        self.net, self.data, self.options = net, data, options
        self.noise = torch.randn(len(data.x), net.latent, dtype=DTYPE)
        self.best, self.looks_since = float("nan"), 0
        self.state: dict[str, Tensor] | None = None

    def stop(self) -> bool:
        """Look once; True when nothing got better for `patience` looks."""
        if not len(self.noise):
            return False
        self.net.eval()
        with torch.no_grad():
            terms = elbo_terms(self.net, self.data, self.noise)
            value = elbo(*terms, torch.ones_like(terms[0]), beta=self.options.beta).item()
        self.net.train()
        self.looks_since += 1
        if not value <= self.best:
            self.best, self.looks_since = value, 0
            self.state = {name: part.clone() for name, part in self.net.state_dict().items()}
        return self.looks_since >= self.options.patience

    def restore(self) -> None:
        """Put the best parameters back; from now on the net is used, not trained."""
        if self.state is not None:
            self.net.load_state_dict(self.state)
        self.net.eval()


def _pace(step: int, steps: int) -> float:
    """Share of the learning rate: a warm-up, then half a cosine."""
    return min(1.0, step / WARM_UP) * (0.5 + 0.5 * math.cos(math.pi * step / steps)) + 1e-3


def _parameter_groups(net: Net) -> list[dict[str, object]]:
    own = [part.own for part in net.modules() if isinstance(part, ElementMap)]
    names = {id(parameter) for parameter in own}
    shared = [parameter for parameter in net.parameters() if id(parameter) not in names]
    return [{"params": own, "weight_decay": OWN_DECAY}, {"params": shared, "weight_decay": SHARED_DECAY}]
