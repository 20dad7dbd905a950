"""Verb two: from a trained model, the data and the films in flight to the next films."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from models.catalog import SpaceFilling
from models.dataset import Dataset
from models.film import Film
from models.generators.base import Generator
from models.policies.base import Policy, Question, Recommendation
from models.policies.space_filling import SpaceFillingPolicy
from models.problem import Problem
from models.registry import policy_for
from models.surrogates.base import ModelBundle, Progress


def silent(_phase: str) -> None:
    """Tell nobody."""


def propose(
    problem: Problem,
    bundle: ModelBundle | None,
    dataset: Dataset,
    *,
    pending: Sequence[Film],
    count: int,
    seed: int,
    left: int | None = None,
    generator: Generator | None = None,
    progress: Progress = silent,
) -> list[Recommendation]:
    """Choose the next `count` films, one after the other: each chosen one is in flight for the next.

    The same seed, readings and films in flight, each in any order, give the same films.

    Args:
        problem: Search space, film geometry and policy.
        bundle: The trained model; None if there is none yet, or if its training failed.
        dataset: The readings that count; `n x (d + p)` points.
        pending: Films in flight with their devices that are not yet read.
        count: Number of films to choose.
        seed: From which every random choice is drawn.
        left: Films that the campaign may still ask for, these among them; None if it has no end.
        generator: Of the problem's elements and properties, for policies that begin from what it draws.
        progress: Called often with a short phase word; may raise to stop.

    Returns:
        `count` recommendations, the most wanted first. Without a model, before `problem.initial_films` films are
        known, or where an objective was never read, they are space-filling films and say so. With prior data of every
        objective the model decides on the first film; the others of the initial films show what prior data are worth.

    Raises:
        NoFeasibleFilm: If no film obeys every rule.
    """
    surrogate = None if bundle is None else bundle.surrogate
    ordered = tuple(sorted(pending, key=lambda film: film.points().tobytes()))
    own, prior = dataset.of_films().canonical(), dataset.prior().canonical()
    question = Question(problem, own, ordered, seed, surrogate, progress, prior=prior, generator=generator)
    chosen: list[Recommendation] = []
    for number in range(count):
        known = films_known(question)
        remaining = None if left is None else max(1, left - number)
        question = replace(question, seed=_derived(seed, known), left=remaining)
        policy, note = _policy(question, known)
        answer = policy.recommend(question)
        chosen.append(replace(_with_prediction(answer, problem, bundle), reason=f"{answer.reason}{note}"))
        question = replace(question, pending=(*question.pending, answer.film))
    return chosen


def films_known(question: Question) -> int:
    """Films with a reading, and whole films in flight. A film of which some devices are read counts once."""
    whole = [film for film in question.pending if len(film.s) == question.problem.film.devices]
    return len(set(question.dataset.films.tolist())) + len(whole)


def _policy(question: Question, known: int) -> tuple[Policy, str]:
    """The campaign's policy, or space filling with the reason why."""
    policy = policy_for(question.problem.policy)
    if not policy.needs_model:
        return policy, ""
    objectives = range(len(question.problem.objectives))
    elsewhere = 0 if question.prior is None else min(_read_of(question.prior, k) for k in objectives)
    by_prior = known == 0 and elsewhere > 0 and question.surrogate is not None
    if known < question.problem.initial_films and not by_prior:
        before = f"; film {known + 1} of {question.problem.initial_films} before the model decides"
        if elsewhere:  # the first film was where others found the best; one far from it tells what that is worth
            before = f"; film {known + 1} of {question.problem.initial_films} before prior data are trusted"
        return SpaceFillingPolicy(SpaceFilling()), before
    if question.surrogate is None:
        return SpaceFillingPolicy(SpaceFilling()), "; there is no trained model"
    read = [_read_of(question.dataset, k) + elsewhere for k in objectives]
    if unread := [o.property for o, n in zip(question.problem.objectives, read, strict=True) if not n]:
        return SpaceFillingPolicy(SpaceFilling()), f"; no device has a reading of {', '.join(unread)}"
    return policy, ""


def _read_of(dataset: Dataset, column: int) -> int:
    """Number of readings in one column of Y; calibration samples are no material of the campaign."""
    return int((~np.isnan(dataset.Y[:, column]) & ~dataset.calibration).sum())


def _derived(seed: int, known: int) -> int:
    """A seed for the next film: films differ even if nothing else does."""
    return int(np.random.SeedSequence([seed, known]).generate_state(1)[0])


def _with_prediction(answer: Recommendation, problem: Problem, bundle: ModelBundle | None) -> Recommendation:
    """Add what the model expects at each device, whatever policy chose the film."""
    if bundle is None:
        return answer
    mean, sd = bundle.predict(problem, answer.film.points())
    return replace(answer, mean=mean, sd=sd)
