"""One page: catalogue name -> implementation."""

from typing import assert_never

from models.catalog import ExpectedImprovement, PolicyChoice, RandomFilms, SpaceFilling
from models.policies.base import Policy
from models.policies.expected_improvement import ExpectedImprovementPolicy
from models.policies.random_films import RandomFilmsPolicy
from models.policies.space_filling import SpaceFillingPolicy
from models.surrogates.base import Surrogate
from models.surrogates.film_gp import FilmGP

SURROGATES: dict[str, type[Surrogate]] = {"film_gp": FilmGP}


def policy_for(choice: PolicyChoice) -> Policy:
    """The policy that a campaign chose, with its options."""
    match choice:
        case ExpectedImprovement():
            return ExpectedImprovementPolicy(choice)
        case SpaceFilling():
            return SpaceFillingPolicy(choice)
        case RandomFilms():
            return RandomFilmsPolicy()
        case _:
            assert_never(choice)
