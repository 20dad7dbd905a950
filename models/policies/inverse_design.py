"""Inverse design: generate, keep what obeys the rules, predict, make the best few, learn, and again.

Compositions are drawn, half of them for values beyond the best (`generated.py`); every one obeys the rules. The
surrogate says what each would add if it were made alone, and films are laid through the best few. The one with the
largest joint gain of its devices is made. Nothing is climbed: what the generator does not draw is not found, which is
what tells this loop from a search that begins with its draws (`starts` of the other policies).

Source: the loop of Rao et al. 2022, Machine learning-enabled high-entropy alloy discovery (doi
10.1126/science.abo4940), with films in place of alloys and a joint acquisition in place of a ranking.
"""

import numpy as np

from models.catalog import InverseDesign
from models.policies.base import Origin, Question, Recommendation
from models.policies.film_acquisition import FilmAcquisition, device_subset
from models.policies.film_optimizer import Candidate, score
from models.policies.film_search import Chosen, choose
from models.policies.film_starts import starting_films
from models.policies.frame import Frame
from models.policies.generated import generated, laid

EACH = 6
"""Films that are laid through each of the best compositions."""


class InverseDesignPolicy:
    """The best film through the best few of what is generated."""

    needs_model = True

    def __init__(self, options: InverseDesign) -> None:
        self.options = options

    def recommend(self, question: Question) -> Recommendation:
        """Choose one film.

        Raises:
            NoFeasibleFilm: If no film obeys every rule.
        """
        frame = Frame(question)
        acquisition = frame.acquisition(self.options.mc_samples)
        chosen: Chosen = choose(question, self._ranked(question, acquisition), acquisition, frame.scale, None)
        drawn = "the generator" if question.generator is not None else "jitter, for want of a trained generator"
        reason = f"{frame.reason(chosen.gain)}; the best film through the {self.options.top} best draws of {drawn}"
        return chosen.recommend("inverse_design", reason)

    def _ranked(self, question: Question, acquisition: FilmAcquisition) -> list[Candidate]:
        """Films through the best draws, the best first; where films are listed, all of these."""
        s, rng = question.problem.film.mixing(), question.rng()
        s = s[device_subset(len(s))]
        if question.structures.listed:
            return score(acquisition, question.structures.all_listed(), s)
        drawn = generated(question, self.options.draws)
        origin: Origin = "generator" if question.generator is not None else "jitter"
        # The worth of a composition is that of a uniform film of it, whether or not the rules allow one.
        alone = np.zeros(1)
        uniform = score(acquisition, laid(question, drawn[origin], alone, rng, 1), alone)
        best = np.array([c.w[: question.problem.space.dimension] for c in uniform[: self.options.top]])
        films = laid(question, best, s, rng, EACH) if len(best) else []
        if not films:
            return score(acquisition, starting_films(question, acquisition, self.options.draws, s, rng), s)
        return score(acquisition, films, s, origin=origin)
