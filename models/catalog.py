"""The names and typed options of every kind that a campaign may choose. Names are stored: public, never reused."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class _Choice(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FilmGP(_Choice):
    """Gaussian process with film effect and inferred or known noise: `models/surrogates/film_gp.py`."""

    name: Literal["film_gp"] = "film_gp"
    film_effect: bool = True
    """Model an offset shared by all devices of a film. Costs nothing where there is none; leave it on."""


class FilmSearch(_Choice):
    """Options that every policy shares which searches all films: `models/policies/film_optimizer.py`."""

    restarts: int = Field(default=6, ge=1, le=64)
    """Films that are refined with gradients, after many were scored."""
    raw_films: int = Field(default=1024, ge=8, le=65536)
    """Starting films that are scored before the refinement."""


class ExpectedImprovement(FilmSearch):
    """Joint noisy expected improvement over a film's devices: `models/policies/expected_improvement.py`."""

    name: Literal["expected_improvement"] = "expected_improvement"
    mc_samples: int = Field(default=128, ge=16, le=4096)
    """Quasi-Monte-Carlo samples of the joint posterior."""


class SpaceFilling(_Choice):
    """Films where none are yet, by seed; no model: `models/policies/space_filling.py`."""

    name: Literal["space_filling"] = "space_filling"
    raw_films: int = Field(default=512, ge=8, le=65536)
    """Random feasible films; the one is taken that brings the region nearest to what is made or in flight."""


class RandomFilms(_Choice):
    """Feasible films drawn by seed alone, the baseline of every benchmark: `models/policies/random_films.py`."""

    name: Literal["random"] = "random"


SurrogateChoice = FilmGP
PolicyChoice = Annotated[ExpectedImprovement | SpaceFilling | RandomFilms, Field(discriminator="name")]
