"""What a film costs to make after another one, and acquisitions that weigh their value against it.

    cost(film) = film + target * (elements that join or leave) + process costs                             (1)
    value(film) = log value - weight * log cost(film)                                                      (2)

Source of (2): Snoek, Larochelle, Adams 2012, Practical Bayesian optimization of machine learning algorithms, section
3.2 (arXiv 1206.2944): with weight 1 it is the expected gain per unit of cost.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from models.catalog import CostModel, ProcessCost
from models.composition import TOLERANCE, ContinuousVariable, SearchSpace
from models.film import Film
from models.policies.base import Question
from models.policies.film_acquisition import FilmAcquisition
from models.tensors import to_tensor

SAME = 1e-3
"""Continuous process values closer than this, as a share of the variable's range, are one setting."""


@dataclass(frozen=True)
class FilmCost:
    """Eq. (1) after the films that may have been made last; the cheapest change counts.

    With several films in flight nobody knows which one the next is made after.
    """

    model: CostModel
    space: SearchSpace
    present: Tensor
    """`r x d`, boolean: elements of each film that may be the last one; r = 0 if there is none."""
    process: Tensor
    """`r x p` process columns of these films."""

    def of(self, X: Tensor) -> Tensor:
        """Cost of films `b x K x (d + p)`: `b`. Differentiable in continuous process columns."""
        process = X[:, 0, self.space.dimension :]
        total = torch.full(X.shape[:1], self.model.film, dtype=X.dtype) + self._values(process)
        if not len(self.present):
            return total
        changes: Tensor = self.model.target * self.targets(X) + self._changes(process)
        return total + changes.amin(dim=1)

    def targets(self, X: Tensor) -> Tensor:
        """Elements that join or leave, `b x r`."""
        present = (X[..., : self.space.dimension] > TOLERANCE).any(dim=1)
        return (present[:, None, :] ^ self.present).sum(dim=-1).to(X.dtype)

    def _values(self, process: Tensor) -> Tensor:
        """Cost of process values as such, `b`."""
        total = torch.zeros(process.shape[:1], dtype=process.dtype)
        for cost, columns, width in self._priced():
            if width is None:
                prices = [cost.choices.get(choice, 0.0) for choice in self._choices(cost.variable)]
                total = total + process[:, columns] @ to_tensor(prices)
            else:
                total = total + cost.per_unit * width * process[:, columns.start]
        return total

    def _changes(self, process: Tensor) -> Tensor:
        """Cost of process values other than those before, `b x r`."""
        total = torch.zeros(len(process), len(self.process), dtype=process.dtype)
        for cost, columns, width in self._priced():
            far = (process[:, None, columns] - self.process[:, columns]).abs().amax(dim=-1)
            total = total + cost.change * (far > SAME)
            if width is not None:
                total = total + cost.per_unit_changed * width * far
        return total

    def _priced(self) -> list[tuple[ProcessCost, slice, float | None]]:
        """Each process cost with its columns, and the range of a continuous variable in its own unit."""
        found, start = [], 0
        costs = {cost.variable: cost for cost in self.model.process}
        for variable in self.space.process:
            columns = slice(start, start + variable.width)
            start += variable.width
            width = variable.upper - variable.lower if isinstance(variable, ContinuousVariable) else None
            if variable.name in costs:
                found.append((costs[variable.name], columns, width))
        return found

    def _choices(self, name: str) -> tuple[str, ...]:
        (variable,) = [v for v in self.space.process if v.name == name]
        return () if isinstance(variable, ContinuousVariable) else variable.choices

    def of_film(self, film: Film) -> float:
        """The cost of one film."""
        return float(self.of(to_tensor(film.points())[None])[0])

    def describe(self, film: Film) -> str:
        """The cost of one film in words."""
        X = to_tensor(film.points())[None]
        text = f"it costs {self.of_film(film):.3g} {self.model.unit}"
        if len(self.present):
            number = int(self.targets(X).amin())
            text += f", {number} {'element' if number == 1 else 'elements'} changed"
        return text


def film_cost(question: Question, model: CostModel) -> FilmCost:
    """The cost of the next film, after those in flight, else after the one that was read last."""
    present, process = question.made_last()
    return FilmCost(model, question.problem.space, to_tensor(present) > 0.5, to_tensor(process))


@dataclass(frozen=True)
class Priced:
    """An acquisition whose value is weighed against the cost, eq. (2); its gain is left as it is."""

    acquisition: FilmAcquisition
    cost: FilmCost

    def value(self, X: Tensor) -> Tensor:
        """What the search climbs, `b`."""
        return self.acquisition.value(X) - self.cost.model.weight * self.cost.of(X).log()

    def gain(self, X: Tensor) -> Tensor:
        """What people read, `b`: the gain of the acquisition."""
        return self.acquisition.gain(X)
