"""A campaign's tables for people: readings, films, proposals, what was predicted."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy.orm import Session

from models.composition import ContinuousVariable
from models.problem import Problem
from service.operations.archive.sheets import Column, Row, Sheet
from service.store import datasets, films, prior_data, proposals
from service.store.tables import FilmRow, ProposalRow

_PAGE = 10_000
_FEW = 500
_FRACTION = "atomic fraction"
_OWN = "see column unit"


def measurements(session: Session, campaign_id: str, problem: Problem, revision: int) -> Sheet:
    """Every reading of a film that counts at a revision, oldest first."""
    columns = [
        Column("uid", "text", "permanent name of the reading, unique for its instrument"),
        Column("instrument", "text", "name of the instrument"),
        Column("film_id", "text", "film"),
        Column("device", "integer", "number of the device on its film, from 0"),
        Column("position", "number", "of the device along its film: 0 at end A, 1 at end B", "1"),
        *_fractions(problem, "x_", "of the device: as measured if known, else as made, else as proposed"),
        *_process(problem),
        Column("property", "text", "what was read"),
        Column("unit", "text", "unit of value and std_uncertainty: the campaign's"),
        Column("value", "number", "reading; empty if the device is dead", _OWN),
        Column("std_uncertainty", "number", "standard uncertainty of the value; empty if not known", _OWN),
        Column("replicates", "integer", "raw readings behind the value, if the uncertainty was estimated from them"),
        Column("status", "text", "ok, dead, above_limit or below_limit"),
        Column("measured_at", "time", "when it was read", "UTC"),
        Column("revision", "integer", "revision of the dataset from which it counts"),
        Column("raw_value", "number", "as delivered, if in another unit", "see column raw_unit"),
        Column("raw_unit", "text", "unit as delivered; empty if the campaign's"),
        Column("raw_std_uncertainty", "number", "as delivered, if in another unit", "see column raw_unit"),
    ]
    title = f"Readings that count at revision {revision}"
    return Sheet("measurements", title, columns, _readings(session, campaign_id, problem, revision))


def _readings(session: Session, campaign_id: str, problem: Problem, revision: int) -> Iterator[Row]:
    after = None
    while page := datasets.page(session, campaign_id, revision, after, _PAGE):
        for r in page:
            at = [r.uid, r.instrument, r.film_id, r.device, r.position]
            made = [*_of(problem, r.composition), *_set(problem, r.process)]
            said = [r.property, r.unit, r.value, r.std_uncertainty, r.replicates, r.status, r.measured_at, r.revision]
            yield [*at, *made, *said, r.raw_value, r.raw_unit, r.raw_std_uncertainty]
        after = (page[-1].revision, page[-1].uid)


def read_elsewhere(session: Session, campaign_id: str, problem: Problem) -> Sheet:
    """Every row of prior data, withdrawn or not."""
    columns = [
        Column("prior_data_id", "text", "source that it comes from"),
        Column("source", "text", "what people call it"),
        Column("from_revision", "integer", "revision of the dataset from which the source counts"),
        Column("number", "integer", "number of the row in its source, from 0"),
        Column("film", "text", "film, wafer or batch there; rows of one share an offset"),
        Column("position", "number", "along that film", "1"),
        *_fractions(problem, "x_", "as the source has it"),
        *_process(problem),
        Column("property", "text", "what was read"),
        Column("unit", "text", "unit of value and std_uncertainty: the campaign's"),
        Column("value", "number", "reading", _OWN),
        Column("std_uncertainty", "number", "standard uncertainty of the value; empty if not known", _OWN),
        Column("replicates", "integer", "raw readings behind the value, if the uncertainty was estimated from them"),
        Column("status", "text", "ok, above_limit or below_limit"),
    ]
    return Sheet("prior_data", "Readings from elsewhere", columns, _elsewhere(session, campaign_id, problem))


def _elsewhere(session: Session, campaign_id: str, problem: Problem) -> Iterator[Row]:
    for source in prior_data.page(session, campaign_id, None, None):
        after = None
        while page := prior_data.readings(session, source.id, after, _PAGE):
            for r in page:
                at = [source.id, source.name, source.revision, r.number, r.film, r.position]
                said = [r.property, r.unit, r.value, r.std_uncertainty, r.replicates, r.status]
                yield [*at, *_of(problem, r.composition), *_set(problem, r.process), *said]
            after = page[-1].number


def film_devices(session: Session, campaign_id: str, problem: Problem) -> Sheet:
    """Every device of every film: as proposed, as made, as measured."""
    columns = [
        Column("film_id", "text", "film"),
        Column("proposal_id", "text", "proposal that it was made for"),
        Column("robot", "text", "who made it"),
        Column("state", "text", "running, made, measured, failed or overdue"),
        Column("outcome", "text", "ok, partial, infeasible, equipment or operator"),
        Column("note", "text", "what was said of it"),
        Column("started_at", "time", "when its making began", "UTC"),
        Column("completed_at", "time", "when its making ended", "UTC"),
        *_process(problem),
        Column("device", "integer", "number of the device, from 0"),
        Column("position", "number", "along the film: 0 at end A, 1 at end B", "1"),
        *_fractions(problem, "proposed_", "as proposed"),
        *_fractions(problem, "as_made_", "as the robot reported"),
        *_fractions(problem, "measured_", "as an instrument found, the newest"),
    ]
    return Sheet("films", "Devices of the films", columns, _devices(session, campaign_id, problem))


def _devices(session: Session, campaign_id: str, problem: Problem) -> Iterator[Row]:
    after = None
    while page := films.page(session, campaign_id, None, after, _FEW):
        known = films.compositions(session, [film.id for film in page])
        for film in page:
            by_device: dict[int, dict[str, dict[str, float]]] = {}
            positions = {}
            for reading in known[film.id]:
                by_device.setdefault(reading.device, {})[reading.kind] = reading.composition
                positions[reading.device] = reading.position
            for device, found in sorted(by_device.items()):
                kinds = [_of(problem, found.get(kind)) for kind in ("nominal", "as_made", "measured")]
                place = [device, positions[device]]
                yield [*_film(film), *_set(problem, film.process), *place, *kinds[0], *kinds[1], *kinds[2]]
        after = page[-1].id


def _film(film: FilmRow) -> list[Any]:
    said = [film.id, film.proposal_id, film.robot, film.state, film.outcome, film.note]
    return [*said, film.started_at, film.completed_at]


def promised(session: Session, campaign_id: str, problem: Problem) -> Sheet:
    """Every proposal with its reasons and what it was computed from."""
    columns = [
        Column("proposal_id", "text", "proposal"),
        Column("state", "text", "how far it came"),
        Column("film_id", "text", "the film, if its making was begun"),
        Column("created_at", "time", "when it was decided", "UTC"),
        Column("source", "text", "model, space_filling, random or person"),
        Column("policy", "text", "policy that chose it"),
        Column("reason", "text", "why, for people"),
        Column("gain", "number", "expected gain", _gain_unit(problem)),
        Column("cost", "number", "what making it costs, in the unit of the policy's cost model"),
        Column("rank", "integer", "place among the films of its decision, from 0"),
        *_fractions(problem, "a_", "at end A"),
        *_fractions(problem, "b_", "at end B"),
        *_process(problem),
        Column("config_revision", "integer", "number of its configuration"),
        Column("revision", "integer", "revision of the dataset that it was chosen from"),
        Column("snapshot_hash", "text", "SHA-256 of that dataset"),
        Column("model_version_id", "text", "model that it was chosen with"),
        Column("seed", "integer", "seed of its decision"),
        Column("code_version", "text", "version of Filmloop and hash of its science"),
    ]
    return Sheet("proposals", "Proposals", columns, _proposals(session, campaign_id, problem))


def _proposals(session: Session, campaign_id: str, problem: Problem) -> Iterator[Row]:
    for p, film_id in _pages(session, campaign_id):
        ends = [*_of(problem, p.film["a"]), *_of(problem, p.film["b"]), *_set(problem, p.film["process"])]
        said = p.provenance
        why = [p.source, p.policy, p.reason, p.gain, p.cost, p.rank]
        origin = [p.config_revision, p.revision, said.get("snapshot_hash"), p.model_version_id]
        yield [p.id, p.state, film_id, p.created_at, *why, *ends, *origin, said.get("seed"), said.get("code_version")]


def predictions(session: Session, campaign_id: str, problem: Problem) -> Sheet:
    """What the model expected of every device of every proposal."""
    columns = [
        Column("proposal_id", "text", "proposal"),
        Column("device", "integer", "number of the device, from 0"),
        Column("position", "number", "along the film: 0 at end A, 1 at end B", "1"),
        *_fractions(problem, "x_", "as proposed"),
        Column("property", "text", "what is predicted"),
        Column("unit", "text", "unit of mean and sd"),
        Column("mean", "number", "expected value of the property itself", _OWN),
        Column("sd", "number", "standard deviation, without the noise of a reading", _OWN),
    ]
    return Sheet("predictions", "Predictions for the proposals", columns, _predicted(session, campaign_id, problem))


def _predicted(session: Session, campaign_id: str, problem: Problem) -> Iterator[Row]:
    units, only = {p.property: p.unit for p in problem.properties}, problem.properties[0].property
    for proposal, _ in _pages(session, campaign_id):
        for device in proposal.film["devices"]:
            told = device["predicted"] or {}
            by_name = {only: told} if "mean" in told else told
            place = [proposal.id, device["index"], device["position"], *_of(problem, device["composition"])]
            for name, expected in by_name.items():
                yield [*place, name, units.get(name), expected["mean"], expected["sd"]]


def _pages(session: Session, campaign_id: str) -> Iterator[tuple[ProposalRow, str | None]]:
    after = None
    while page := proposals.page(session, campaign_id, None, after, _FEW):
        yield from page
        after = page[-1][0].id


def _fractions(problem: Problem, prefix: str, of: str) -> list[Column]:
    return [Column(f"{prefix}{e}", "number", f"{e}: {_FRACTION} {of}", _FRACTION) for e in problem.space.elements]


def _process(problem: Problem) -> list[Column]:
    return [
        Column(f"process_{v.name}", "number", "process variable", v.unit)
        if isinstance(v, ContinuousVariable)
        else Column(f"process_{v.name}", "text", f"process variable: {', '.join(v.choices)}")
        for v in problem.space.process
    ]


def _of(problem: Problem, composition: dict[str, float] | None) -> Sequence[float | None]:
    """Fractions in the order of the columns; an element that is left out is absent."""
    if composition is None:
        return [None] * problem.space.dimension
    return [float(composition.get(e, 0.0)) for e in problem.space.elements]


def _set(problem: Problem, process: dict[str, Any]) -> list[Any]:
    values = [process.get(v.name) for v in problem.space.process]
    return [float(x) if isinstance(x, int | float) else x for x in values]


def _gain_unit(problem: Problem) -> str:
    return " x ".join(objective.unit for objective in problem.objectives)
