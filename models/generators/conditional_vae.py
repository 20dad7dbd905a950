"""The conditional VAE: p(x | z, c) and q(z | x, c), with c the properties and the process, any of them missing.

    log p(x | z, c) = Σ_e log Bernoulli(a_e; σ(π_e)) + log Dirichlet(x_a; κ softmax_a(f))        hurdle likelihood
    ELBO = E_q[log p(x | z, c)] − β Σ_j max(mean KL_j, free bits)

z is N(0, I) a priori. Whatever is particular about an element enters through one matrix `embed`: its features times
weights that all elements share, plus a small row of its own. So an element that was seen rarely is treated like
those that it is like. float64 throughout: a Dirichlet of concentration 2,000 takes differences of numbers near 10^4,
and nets of this size are no faster in float32 on a processor.

Sources: Kingma and Welling 2014 (arXiv 1312.6114); Sohn, Lee, Yan 2015 (conditional); Kingma et al. 2016 (free bits,
arXiv 1606.04934); Burda et al. 2016 (importance-weighted bound, arXiv 1509.00519).
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.generators.likelihood import (
    concentration,
    dirichlet_log_density,
    kl_per_dimension,
    normal_log_density,
    presence_log_density,
    shares,
)
from models.tensors import DTYPE


class Batch(NamedTuple):
    """Compositions with their conditions."""

    x: Tensor
    """`b x d` fractions."""
    c: Tensor
    """`b x 2 max(m + p, 1)`: standardised conditions, 0 where missing, then 1 where known and 0 where missing."""

    @property
    def present(self) -> Tensor:
        """`b x d`, 1 or 0."""
        return (self.x > 0.0).to(DTYPE)


class Decoded(NamedTuple):
    """Parameters of p(x | z, c)."""

    log_odds: Tensor
    """`b x d`, of presence."""
    scores: Tensor
    """`b x d`, of the fractions."""
    concentration: Tensor
    """`b`."""

    def log_density(self, x: Tensor, present: Tensor) -> Tensor:
        """`log p(x | z, c)`, `b`."""
        parts = shares(self.scores, present)
        hurdle = presence_log_density(self.log_odds, present)
        return hurdle + dirichlet_log_density(x, present, parts, self.concentration)


class ElementMap(nn.Module):
    """One vector per element: its features times shared weights, plus a row of its own that starts at 0."""

    def __init__(self, features: Tensor, width: int) -> None:
        super().__init__()
        self.register_buffer("features", features)
        self.shared = nn.Linear(features.shape[1], width, dtype=DTYPE)
        self.own = nn.Parameter(torch.zeros(len(features), width, dtype=DTYPE))

    def forward(self) -> Tensor:
        """`d x width`."""
        mapped: Tensor = self.shared(self.features) + self.own
        return mapped


class Net(nn.Module):
    """Encoder and decoder of one page."""

    def __init__(self, features: Tensor, conditions: int, latent: int, width: int, dropout: float) -> None:
        super().__init__()
        self.latent = latent
        self.of_fractions, self.of_presence = ElementMap(features, width), ElementMap(features, width)
        known = 2 * max(conditions, 1)  # a layer without inputs cannot be made: none is one that is never known
        self.encode_c = nn.Linear(known, width, dtype=DTYPE)
        self.encoder = _hidden(width, dropout)
        self.code = nn.Linear(width, 2 * latent, dtype=DTYPE)
        self.decode_c = nn.Linear(known, width, dtype=DTYPE)
        self.decode_z = nn.Linear(latent, width, dtype=DTYPE)
        self.decoder = _hidden(width, dropout)
        self.to_presence, self.to_fractions = ElementMap(features, width + 1), ElementMap(features, width)
        self.to_concentration = nn.Linear(width, 1, dtype=DTYPE)

    def encode(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Mean and log variance of q(z | x, c), `b x l` each."""
        pooled = batch.x @ self.of_fractions() + batch.present @ self.of_presence()
        h = pooled + self.encode_c(batch.c)
        mean, log_variance = self.code(h + self.encoder(h)).chunk(2, dim=-1)
        return mean, log_variance.clamp(-12.0, 4.0)

    def decode(self, z: Tensor, c: Tensor) -> Decoded:
        """p(x | z, c) at codes `... x l`."""
        h = self.decode_z(z) + self.decode_c(c)
        h = h + self.decoder(h)
        presence = self.to_presence()
        log_odds = h @ presence[:, :-1].T / h.shape[-1] ** 0.5 + presence[:, -1]
        scores = h @ self.to_fractions().T / h.shape[-1] ** 0.5
        return Decoded(log_odds, scores, concentration(self.to_concentration(h).squeeze(-1)))


def _hidden(width: int, dropout: float) -> nn.Sequential:
    """What is added to a straight path: a new mix of elements then still comes out as the sum of its parts."""
    return nn.Sequential(nn.SiLU(), nn.Linear(width, width, dtype=DTYPE), nn.SiLU(), nn.Dropout(dropout))


def code_of(mean: Tensor, log_variance: Tensor, noise: Tensor) -> Tensor:
    """Reparameterised draw of z: `μ + e^{ν/2} ε`."""
    return mean + (0.5 * log_variance).exp() * noise


def elbo_terms(net: Net, batch: Batch, noise: Tensor) -> tuple[Tensor, Tensor]:
    """One-sample reconstruction term (b) and KL per dimension (b x l) of each example.

    Args:
        net: The model.
        batch: `b` examples.
        noise: `b x l` standard normal numbers.
    """
    mean, log_variance = net.encode(batch)
    decoded = net.decode(code_of(mean, log_variance, noise), batch.c)
    return decoded.log_density(batch.x, batch.present), kl_per_dimension(mean, log_variance)


def elbo(reconstruction: Tensor, kl: Tensor, weights: Tensor, *, beta: float = 1.0, free_bits: float = 0.0) -> Tensor:
    """The bound to be maximised, averaged over examples; free bits are per dimension, of the average KL, in nats."""
    share = weights / weights.sum()
    return (share * reconstruction).sum() - beta * (share @ kl).clamp_min(free_bits).sum()


def importance_bound(net: Net, batch: Batch, noise: Tensor) -> Tensor:
    """`log 1/K Σ_k p(x | z_k, c) p(z_k) / q(z_k | x, c)` of each example, `b`; `noise` is `K x b x l`."""
    mean, log_variance = net.encode(batch)
    z = code_of(mean, log_variance, noise)
    decoded = net.decode(z, batch.c)
    likelihood = decoded.log_density(batch.x, batch.present)
    zero = torch.zeros_like(z)
    prior, proposal = normal_log_density(z, zero, zero), normal_log_density(z, mean, log_variance)
    return torch.logsumexp(likelihood + prior - proposal, dim=0) - torch.tensor(len(noise), dtype=DTYPE).log()
