"""One page: catalogue name -> implementation."""

from collections.abc import Callable
from typing import Any

from models.catalog import PolicyChoice
from models.generators.base import Generator
from models.generators.neighbour_jitter import NeighbourJitterGenerator
from models.generators.uniform_simplex import UniformSimplexGenerator
from models.generators.vae_generator import VAEGenerator
from models.policies.auto import AutoPolicy
from models.policies.base import Policy
from models.policies.expected_improvement import ExpectedImprovementPolicy
from models.policies.hypervolume_improvement import HypervolumeImprovementPolicy
from models.policies.inverse_design import InverseDesignPolicy
from models.policies.knowledge_gradient import KnowledgeGradientPolicy
from models.policies.mapping import MappingPolicy
from models.policies.mean_expected_improvement import MeanExpectedImprovementPolicy
from models.policies.random_films import RandomFilmsPolicy
from models.policies.space_filling import SpaceFillingPolicy
from models.policies.thompson_sampling import ThompsonSamplingPolicy
from models.policies.upper_confidence_bound import UpperConfidenceBoundPolicy
from models.surrogates.base import Surrogate
from models.surrogates.film_gp import FilmGP

SURROGATES: dict[str, type[Surrogate]] = {"film_gp": FilmGP}

GENERATORS: dict[str, type[Generator]] = {
    "conditional_vae": VAEGenerator,
    "neighbour_jitter": NeighbourJitterGenerator,
    "uniform_simplex": UniformSimplexGenerator,
}

POLICIES: dict[str, Callable[[Any], Policy]] = {
    "auto": lambda options: AutoPolicy(options, policy_for),
    "expected_improvement": ExpectedImprovementPolicy,
    "hypervolume_improvement": HypervolumeImprovementPolicy,
    "inverse_design": InverseDesignPolicy,
    "knowledge_gradient": KnowledgeGradientPolicy,
    "mapping": MappingPolicy,
    "mean_expected_improvement": MeanExpectedImprovementPolicy,
    "random": RandomFilmsPolicy,
    "space_filling": SpaceFillingPolicy,
    "thompson_sampling": ThompsonSamplingPolicy,
    "upper_confidence_bound": UpperConfidenceBoundPolicy,
}
"""What builds each policy from its options in the catalogue."""


def policy_for(choice: PolicyChoice) -> Policy:
    """The policy that a campaign chose, with its options."""
    return POLICIES[choice.name](choice)
