"""Films from which the search for the best one starts: drawn everywhere, and laid where something is to be expected.

- drawn evenly from every structure, and where targets cost something to change, from those that change few of them;
- moved so that one of their devices lies on an anchor: a read or drawn point of large gain, good mean or near a target;
- pair films through the best anchors, as long as the rules let them, with the anchor at each device in turn: among them
  is the film that a rule would choose which takes the best point first and the best pair film through it second;
- the films that were read, as they are (a repeat may be worth the most) and shifted;
- uniform films on the anchors, where the rules allow them.
"""

import numpy as np
import torch
from numpy.typing import NDArray

from models.dataset import Dataset
from models.policies.base import Question
from models.policies.film_acquisition import FilmAcquisition
from models.policies.films_through import films_through
from models.structures import TRACE, Drawn, FilmStructure
from models.tensors import to_array, to_tensor

Array = NDArray[np.float64]

ANCHORS = 16
"""Promising points through which starting films are laid."""
FANS = 2
"""Anchors of the largest gain through which every pair film is laid."""
FLAT = 0.1
"""Share of the films on anchors that are uniform."""
POOL = 1024
"""Points among which anchors are sought."""
STEPS = 16
"""Steps of hit-and-run of each film drawn: they need not be spread quite evenly, and evenness is dear."""
READ = 8
"""Films of the best readings that are repeated and shifted."""
SHIFT = 0.1
"""Standard deviation of a shift, in fractions."""


def starting_films(
    question: Question,
    acquisition: FilmAcquisition,
    count: int,
    s: Array,
    rng: np.random.Generator,
    *,
    few_changes: bool = False,
) -> Drawn:
    """Films to be scored before some of them are refined; empty if no structure holds one.

    Args:
        question: The problem and what is known.
        acquisition: The gain of films.
        count: About how many films.
        s: Shares of end B at the devices, `K`.
        rng: For every draw.
        few_changes: Whether films that change few targets are drawn besides.
    """
    part = count // 8
    # At least one film of every structure: each pair has a score.
    drawn = question.structures.draw(max(3 * part, len(question.structures.items)), rng, STEPS)
    if not drawn:
        return []
    if few_changes:
        drawn += question.little_changed.draw(max(2 * part, len(question.little_changed.items)), rng, STEPS)
    anchors = _anchors(question, acquisition, np.concatenate([_devices(*films, s) for films in drawn]), rng)
    if question.pair_structures is not question.structures:
        drawn += question.pair_structures.draw(max(part, len(question.pair_structures.items)), rng, STEPS)
    laid = [(structure, _through(anchors, structure, w, s, rng)) for structure, w in drawn]
    fans = [films for x in anchors[:FANS] for films in films_through(question, x, question.pair_structures)]
    read = _around_read(question, drawn, rng)
    return [*drawn, *laid, *_some(fans, part, rng), *_some(read, part, rng)]


def _some(films: Drawn, most: int, rng: np.random.Generator) -> Drawn:
    """At most `most` of the films, drawn at random."""
    total = sum(len(w) for _, w in films)
    if total <= most:
        return films
    kept = np.zeros(total, dtype=bool)
    kept[rng.choice(total, most, replace=False)] = True
    parts = np.split(kept, np.cumsum([len(w) for _, w in films])[:-1])
    return [(structure, w[part]) for (structure, w), part in zip(films, parts, strict=True) if part.any()]


def _devices(structure: FilmStructure, w: Array, s: Array) -> Array:
    """All device points of some films, `(b K) x (d + p)`."""
    points = structure.points(w, s)
    return points.reshape(-1, points.shape[2])


def _anchors(question: Question, acquisition: FilmAcquisition, devices: Array, rng: np.random.Generator) -> Array:
    """Single points with the largest gain, then with the best posterior means, read ones among them, `j x (d + p)`."""
    some = devices[rng.choice(len(devices), min(POOL, len(devices)), replace=False)]
    pool = np.concatenate([best_read(question).X[:POOL], some])
    with torch.no_grad():
        gains = to_array(acquisition.value(to_tensor(pool)[:, None, :]))
    m = len(question.problem.objectives)
    worth = question.model().predict(pool).expected(question.problem.objectives)
    best = [np.argsort(-values, kind="stable")[: ANCHORS // 2 // m] for values in worth.T]
    chosen: Array = pool[np.concatenate([np.argsort(-gains, kind="stable")[: ANCHORS // 2], *best])]
    return chosen


def best_read(question: Question) -> Dataset:
    """The readings, those of the first objective's best values first."""
    read = question.read()
    y = question.problem.objectives[0].to_maximised(read.Y[:, 0])
    return read.take(np.argsort(-np.nan_to_num(y, nan=-np.inf), kind="stable"))


def _through(anchors: Array, structure: FilmStructure, w: Array, s: Array, rng: np.random.Generator) -> Array:
    """Move films (b x (2d + free)) to where one of their devices lies on one of the anchors."""
    return through(anchors[rng.integers(len(anchors), size=len(w))], structure, w, s, rng)


def through(anchor: Array, structure: FilmStructure, w: Array, s: Array, rng: np.random.Generator) -> Array:
    """Move each film (b x (2d + free)) to where one of its devices lies on its own anchor (b x (d + p)), about.

    Which device, and how long the film becomes, is drawn; it goes as far as the rules let it.
    """
    d, p = len(structure.support), len(structure.fixed)
    device = rng.choice(s, size=len(w))[:, None]
    stretch = rng.uniform(0.2, 1.0, size=(len(w), 1)) * (rng.random((len(w), 1)) > FLAT)
    gradient = (w[:, d : 2 * d] - w[:, :d]) * stretch
    x, process = anchor[:, :d], anchor[:, d : d + p][:, structure.free]
    target = np.hstack([x - device * gradient, x + (1.0 - device) * gradient, process])
    return structure.region.pull(w, target)


def _around_read(question: Question, drawn: Drawn, rng: np.random.Generator) -> Drawn:
    """The films of the best readings, as they are and shifted, in every structure that holds all but traces of them."""
    d, found = question.problem.space.dimension, []
    ends = _read_films(question, d)
    for structure, w in drawn:
        fitting = ends[~(ends[:, : 2 * d][:, ~np.tile(structure.support, 2)] > TRACE).any(axis=1)]
        if not len(fitting):
            continue
        shift = SHIFT * rng.standard_normal((len(fitting), d)) * structure.support
        still = np.hstack([fitting[:, : 2 * d], fitting[:, 2 * d :][:, structure.free]])
        moved = still + np.hstack([shift, shift, np.zeros((len(fitting), len(structure.free)))])
        centre = np.tile(structure.region.centre, (len(fitting), 1))
        start = np.concatenate([centre, w[rng.integers(len(w), size=len(fitting))]])
        found.append((structure, structure.region.pull(start, np.concatenate([still, moved]))))
    return found


def _read_films(question: Question, d: int) -> Array:
    """Both ends and the process of the films with the best readings of any objective, `j x (2d + p)`, j <= `READ`."""
    read = question.read()
    y = np.column_stack([o.to_maximised(read.Y[:, k]) for k, o in enumerate(question.problem.objectives)])
    order = np.argsort(-np.nan_to_num(y, nan=-np.inf), axis=0, kind="stable")
    names = read.films[order.ravel()]  # the best of each objective, the second of each, ...
    rows = []
    for name in list(dict.fromkeys(names.tolist()))[:READ]:
        points = read.X[read.films == name]
        far = points[np.argmax(np.abs(points - points[0]).max(axis=1))]
        other = points[np.argmax(np.abs(points - far).max(axis=1))]
        rows.append(np.concatenate([far[:d], other[:d], points[0, d:]]))
    return np.array(rows).reshape(-1, 2 * d + len(question.problem.space.process_columns))
