"""Hypervolume improvement of a whole film: how much its devices together widen what trade-offs are known."""

from models.catalog import HypervolumeImprovement
from models.policies.base import Question, Recommendation
from models.policies.frame import Frame


class HypervolumeImprovementPolicy:
    """The film whose devices are expected to add the most hypervolume to everything read or in flight."""

    needs_model = True

    def __init__(self, options: HypervolumeImprovement) -> None:
        self.options = options

    def recommend(self, question: Question) -> Recommendation:
        """Choose one film.

        Raises:
            NoFeasibleFilm: If no film obeys every rule.
        """
        frame = Frame(question)
        chosen = frame.search(self.options, self.options.mc_samples)
        return chosen.recommend("hypervolume_improvement", frame.reason(chosen.gain))
