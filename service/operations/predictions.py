"""What a trained model says of compositions that a researcher names: computed here, with NumPy alone."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import comb
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from models.composition import ProcessValues
from models.envelope import opened
from models.errors import InvalidComposition, ScienceError
from models.problem import Problem
from models.surrogates.posterior_map import feasible, is_feasible, middle_process, simplex_lattice
from models.surrogates.predictor import Predictor
from service.errors import ArtifactDamaged, InvalidInput, NotFound, Violation
from service.store import artifacts, datasets, models
from service.store.tables import ModelVersionRow

Array = NDArray[np.float64]

MAX_POINTS = 5000
"""Most points of one answer."""
LARGEST_LATTICE = 100_000
"""Most lattice points that are looked at for one grid, feasible or not."""
SUM_TOLERANCE = 1e-6
"""Largest distance between 1 and the sum of a composition's fractions."""
IN_ITS_PLACE = 3
"""Models before the newest one that are tried if its file cannot be read."""
KEPT = 4
"""Models kept ready by each process. One is rebuilt from its file in about the time of a Cholesky factorisation."""


@dataclass(frozen=True)
class PredictingModel:
    """A stored model version and the problem that gives its columns a meaning."""

    id: str
    campaign_id: str
    revision: int
    sha256: str
    problem: Problem


@dataclass(frozen=True)
class PropertyPrediction:
    """One property at each point, in its own unit and direction. What is uncertain stays apart by its cause."""

    property: str
    unit: str
    mean: list[float]
    latent_sd: list[float]
    noise_sd: list[float]
    film_effect_sd: list[float]
    reading_sd: list[float]
    """Of one reading on a film that is not yet made: all three together."""


@dataclass(frozen=True)
class Predictions:
    """The answer: points, and per property as many numbers as points."""

    model_version_id: str
    campaign_id: str
    revision: int
    process: ProcessValues
    points: list[dict[str, float]]
    feasible: list[bool]
    """Whether each composition obeys every rule of the search space."""
    works: list[float] | None
    """Probability that a device works; None where no device ever died."""
    properties: list[PropertyPrediction]


def of_version(session: Session, model_version_id: str) -> PredictingModel:
    """A model version.

    Raises:
        NotFound: If there is no such version.
    """
    row, _ = models.get(session, model_version_id)
    if row.kind != models.SURROGATE:
        raise NotFound("model version that predicts", model_version_id)
    return _model(session, row)


def newest(session: Session, campaign_id: str) -> PredictingModel:
    """The campaign's newest model version.

    Raises:
        NotFound: If there is no such campaign, or it has no model yet.
    """
    datasets.head(session, campaign_id)
    row = models.newest(session, campaign_id)
    if row is None:
        raise NotFound("trained model yet in campaign", campaign_id)
    return _model(session, row)


def before(session: Session, model: PredictingModel) -> list[PredictingModel]:
    """Models of the same kind that serve in a model's place if its file is damaged, the newest first."""
    kind = session.get_one(ModelVersionRow, model.id).kind
    same = (ModelVersionRow.campaign_id == model.campaign_id, ModelVersionRow.kind == kind)
    newer_first = (ModelVersionRow.revision.desc(), ModelVersionRow.id.desc())
    query = select(ModelVersionRow).where(*same, ModelVersionRow.artifact_sha256 != model.sha256)
    query = query.where(ModelVersionRow.revision <= model.revision).order_by(*newer_first).limit(IN_ITS_PLACE)
    return [_model(session, row) for row in session.scalars(query)]


def _model(session: Session, row: ModelVersionRow) -> PredictingModel:
    problem = datasets.problem(session, row.campaign_id, row.config_revision)
    return PredictingModel(row.id, row.campaign_id, row.revision, row.artifact_sha256, problem)


def predict(folder: Path, model: PredictingModel, compositions: Array, process: ProcessValues | None) -> Predictions:
    """Predict every property at compositions (j x d). Needs no transaction: what a model believes never changes.

    Args:
        folder: The artifact store.
        model: Which model.
        compositions: From `listed`, `on_grid` or `on_line`.
        process: Process values of the films; None means mid range and the first choice of each category.

    Raises:
        InvalidInput: If the process values are not the campaign's.
        ArtifactDamaged: If the stored model cannot be read.
    """
    space = model.problem.space
    columns = _process_columns(model.problem, process)
    X = np.hstack([compositions, np.tile(columns, (len(compositions), 1))])
    predictor = _predictor(folder, model.sha256)
    signs = np.array([p.sign() for p in model.problem.properties])
    if len(signs) != len(predictor.components):
        raise ArtifactDamaged(
            f"model version {model.id} is of {len(predictor.components)} properties, not {len(signs)}"
        )
    found = predictor.predict(X)
    reading_sd = np.sqrt(found.latent_sd**2 + found.noise_sd**2 + found.film_effect_sd**2)
    parts = (signs * found.mean, found.latent_sd, found.noise_sd, found.film_effect_sd, reading_sd)
    return Predictions(
        model_version_id=model.id,
        campaign_id=model.campaign_id,
        revision=model.revision,
        process=space.decode_process(columns),
        points=[dict(zip(space.elements, x, strict=True)) for x in compositions.tolist()],
        feasible=is_feasible(space, compositions).tolist(),
        works=_works(predictor, X),
        properties=[
            PropertyPrediction(p.property, p.unit, *(part[:, k].tolist() for part in parts))
            for k, p in enumerate(model.problem.properties)
        ],
    )


def _works(predictor: Predictor, X: Array) -> list[float] | None:
    """Probability that a device works at points X (j x (d + p)), wherever it lies on its film."""
    model = predictor.state.yield_model
    if model is None:
        return None
    anywhere = np.full(len(X), np.nan)
    state = predictor.state
    return [float(p) for p in model.probability(state.plain(state.scaled(X)), anywhere)]


def listed(problem: Problem, compositions: Sequence[Mapping[str, float]], pointer: str = "/compositions") -> Array:
    """Compositions by name as an array, `j x d`; elements left out are absent.

    Raises:
        InvalidInput: If an element is not of the search space, or fractions do not sum to 1; every fault is named.
    """
    elements = problem.space.elements
    faults = [v for k, c in enumerate(compositions) for v in _faults(c, elements, f"{pointer}/{k}", k)]
    if faults:
        raise InvalidInput(f"{len(faults)} thing(s) are wrong with the compositions", faults)
    points = np.array([[c.get(e, 0.0) for e in elements] for c in compositions], dtype=np.float64)
    return np.asarray(points / points.sum(axis=1, keepdims=True))


def _faults(
    composition: Mapping[str, float], elements: Sequence[str], pointer: str, row: int | None = None
) -> list[Violation]:
    foreign = [e for e in composition if e not in elements]
    if foreign:
        message = f"{', '.join(foreign)} is not among the elements {', '.join(elements)}"
        return [Violation(pointer=pointer, message=message, row=row)]
    total = sum(composition.values())
    if abs(total - 1.0) > SUM_TOLERANCE:
        message = f"fractions must sum to 1 within {SUM_TOLERANCE:g}, their sum is {total:.9g}"
        return [Violation(pointer=pointer, message=message, row=row)]
    return []


def on_line(problem: Problem, a: Mapping[str, float], b: Mapping[str, float], points: int) -> Array:
    """Compositions evenly spaced from `a` to `b`, both included, `points x d`.

    Raises:
        InvalidInput: If an end is no composition of the search space's elements.
    """
    faults = [v for end, x in (("a", a), ("b", b)) for v in _faults(x, problem.space.elements, f"/line/{end}")]
    if faults:
        raise InvalidInput(f"{len(faults)} thing(s) are wrong with the line", faults)
    ends = listed(problem, [a, b])
    share = np.linspace(0.0, 1.0, points)[:, None]
    return np.asarray((1.0 - share) * ends[0] + share * ends[1])


def on_grid(problem: Problem, divisions: int) -> Array:
    """The feasible compositions whose fractions are multiples of 1 / divisions, `j x d`, 0 < j <= MAX_POINTS.

    Raises:
        InvalidInput: If there are too many, or none.
    """
    space = problem.space
    size = comb(divisions + space.dimension - 1, space.dimension - 1)
    if size > LARGEST_LATTICE:
        message = f"a grid of {divisions} divisions has {size} compositions; the bound is {LARGEST_LATTICE}"
        raise _bad_grid(message)
    points = feasible(space, simplex_lattice(space.dimension, divisions))
    if len(points) > MAX_POINTS:
        message = f"{len(points)} compositions of this grid obey the rules; the bound is {MAX_POINTS}"
        raise _bad_grid(message)
    if len(points) == 0:
        raise _bad_grid(f"no composition of a grid of {divisions} divisions obeys the rules; a finer one may have some")
    return points


def _bad_grid(message: str) -> InvalidInput:
    return InvalidInput(message, [Violation(pointer="/grid/divisions", message=message)])


def _process_columns(problem: Problem, process: ProcessValues | None) -> Array:
    if process is None:
        return middle_process(problem.space)
    try:
        return problem.space.encode_process(process)
    except InvalidComposition as error:
        raise InvalidInput(str(error), [Violation(pointer="/process", message=str(error))]) from error


@functools.lru_cache(maxsize=KEPT)
def _predictor(folder: Path, sha256: str) -> Predictor:
    """The model in a file of the artifact store; a file never changes, so it may be kept."""
    try:
        return Predictor.from_arrays(opened(artifacts.load(folder, sha256))[1])
    except ScienceError as error:
        raise ArtifactDamaged(f"artifact {sha256} holds no model that can predict: {error}") from error
