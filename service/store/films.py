"""Films: what was started, what came of it, what each device is made of and whether it was read."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, Text, any_, bindparam, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import ReturningUpdate

from service.store import retractions
from service.store.campaigns import FRESH
from service.store.ids import new_id
from service.store.rows import after_id, current
from service.store.statements import Statement
from service.store.tables import CompositionReadingRow, FilmRow, MeasurementRow, ProposalRow, table_of


def start(session: Session, proposal: ProposalRow, robot: str) -> str:
    """Insert the film of a proposal with the nominal composition of each device; return its id."""
    film_id, devices = new_id("flm"), proposal.film["devices"]
    values = {"id": film_id, "campaign_id": proposal.campaign_id, "proposal_id": proposal.id, "robot": robot}
    session.execute(insert(FilmRow).values(**values, process=proposal.film["process"], devices=len(devices)))
    nominal = {d["index"]: d["composition"] for d in devices}
    positions = {d["index"]: d["position"] for d in devices}
    add_compositions(session, film_id, positions, nominal, kind="nominal", revision=0)
    return film_id


def add_compositions(
    session: Session,
    film_id: str,
    positions: Mapping[int, float],
    compositions: Mapping[int, Mapping[str, float]],
    *,
    kind: str,
    revision: int,
) -> None:
    """Insert what devices are made of, counting from a revision of the dataset."""
    head = {"film_id": film_id, "kind": kind, "revision": revision}
    rows = [{**head, "device": k, "position": positions[k], "composition": dict(c)} for k, c in compositions.items()]
    session.execute(insert(CompositionReadingRow), rows)


def get(session: Session, film_id: str) -> FilmRow:
    """One film as it is now.

    Raises:
        NotFound: If there is none of this id.
    """
    return current(session, FilmRow, film_id, "film")


def is_of(session: Session, film_id: str, campaign_id: str) -> bool:
    """Whether there is a film of this id in the campaign."""
    query = select(FilmRow.id).where(FilmRow.id == film_id, FilmRow.campaign_id == campaign_id)
    return session.scalars(query).one_or_none() is not None


def page(session: Session, campaign_id: str, state: str | None, after: str | None, limit: int) -> Sequence[FilmRow]:
    """Films with an id above `after`."""
    query = select(FilmRow).where(FilmRow.campaign_id == campaign_id)
    if state is not None:
        query = query.where(FilmRow.state == state)
    return session.scalars(after_id(query, FilmRow.id, after, limit)).all()


def move(
    session: Session, film_id: str, allowed_from: Collection[str], to: str, ended: dict[str, Any] | None = None
) -> bool:
    """Change the state if it is one of `allowed_from`; say whether it was.

    Args:
        session: The open transaction.
        film_id: The film.
        allowed_from: States from which the change is legal.
        to: The new state.
        ended: Outcome and note, where the change ends the making of the film.
    """
    values = {} if ended is None else {**ended, "completed_at": func.now()}
    change = (
        update(FilmRow)
        .where(FilmRow.id == film_id, FilmRow.state.in_(allowed_from))
        .values(state=to, **values)
        .returning(FilmRow.id)
    )
    return session.execute(change, execution_options=FRESH).one_or_none() is not None


def overdue_all(session: Session, campaign_id: str) -> None:
    """Let every film in the making be overdue: its robot will not report here."""
    here = (FilmRow.campaign_id == campaign_id) & (FilmRow.state == "running")
    session.execute(update(FilmRow).where(here).values(state="overdue"), execution_options=FRESH)


def compositions(session: Session, film_ids: Collection[str]) -> dict[str, list[CompositionReadingRow]]:
    """Everything that counts of what is known of what the devices of films are made of, oldest first."""
    query = (
        select(CompositionReadingRow)
        .where(CompositionReadingRow.film_id.in_(film_ids), retractions.composition_counts_now())
        .order_by(CompositionReadingRow.film_id, CompositionReadingRow.device, CompositionReadingRow.revision)
    )
    found: dict[str, list[CompositionReadingRow]] = defaultdict(list)
    for row in session.scalars(query):
        found[row.film_id].append(row)
    return found


def readings(session: Session, film_ids: Collection[str]) -> dict[tuple[str, int], tuple[int, bool]]:
    """By film and device: how many active readings there are, and whether one says that the device is dead."""
    query = (
        select(
            MeasurementRow.film_id,
            MeasurementRow.device,
            func.count().filter(MeasurementRow.status != "dead"),
            func.bool_or(MeasurementRow.status == "dead"),
        )
        .where(MeasurementRow.film_id.in_(film_ids), retractions.counts_now())
        .group_by(MeasurementRow.film_id, MeasurementRow.device)
    )
    found = session.execute(query)
    return {(film, device): (number, dead) for film, device, number, dead in found if film and device is not None}


def retracted(session: Session, film_ids: Collection[str]) -> dict[tuple[str, int], int]:
    """By film and device: how many readings there are that no longer count."""
    row = MeasurementRow
    query = (
        select(row.film_id, row.device, func.count())
        .where(row.film_id.in_(film_ids), ~retractions.counts_now())
        .group_by(row.film_id, row.device)
    )
    found = session.execute(query)
    return {(film, device): number for film, device, number in found if film and device is not None}


def has_readings(session: Session, film_id: str) -> bool:
    """Whether anything was ever measured on a film."""
    return (
        session.execute(select(MeasurementRow.id).where(MeasurementRow.film_id == film_id).limit(1)).first() is not None
    )


def done_devices(session: Session, film_ids: Collection[str], properties: Collection[str]) -> dict[str, set[int]]:
    """Devices of each film that have an active reading of every property or are dead."""
    done: dict[str, set[int]] = defaultdict(set)
    wanted = {"films": list(film_ids), "properties": list(properties)}
    for film_id, device in session.execute(_DONE, wanted):
        if film_id is not None and device is not None:
            done[film_id].add(device)
    return done


def settle(session: Session, film_ids: Collection[str], properties: Collection[str]) -> list[str]:
    """Let made films all of whose devices are read or dead become measured, with their proposals.

    The caller holds the campaign's lock, so that two batches that together complete a film cannot both overlook it.

    Returns:
        Ids of the films that became measured.
    """
    asked = {"films": list(film_ids), "properties": list(properties)}
    settled = _SETTLE.run(session, asked)
    if not settled:
        return []
    with_films = update(ProposalRow).where(ProposalRow.id.in_([s[1] for s in settled]), ProposalRow.state == "made")
    session.execute(with_films.values(state="measured", updated_at=func.now()), execution_options=FRESH)
    return [s[0] for s in settled]


_FILMS = bindparam("films", type_=ARRAY(Text))
_PROPERTIES = bindparam("properties", type_=ARRAY(Text))


def _done(of_films: ColumnElement[bool]) -> Select[str | None, int | None]:
    """Film and device wherever nothing more is to be read."""
    row = MeasurementRow
    read = func.count(row.property.distinct()).filter(row.property == any_(_PROPERTIES), row.status != "dead")
    return (
        select(row.film_id, row.device)
        .where(of_films, retractions.counts_now())
        .group_by(row.film_id, row.device)
        .having(or_(func.bool_or(row.status == "dead"), read >= func.cardinality(_PROPERTIES)))
    )


def _settling() -> ReturningUpdate[str, str]:
    """Only films that are made are looked at: one that is measured may have thousands of readings."""
    film = table_of(FilmRow)
    made = select(film.c.id).where(film.c.id == any_(_FILMS), film.c.state == "made")
    done = _done(MeasurementRow.film_id.in_(made)).subquery()
    counted = select(done.c.film_id, func.count().label("devices")).group_by(done.c.film_id).subquery()
    return (
        update(film)
        .where(film.c.id == counted.c.film_id, film.c.state == "made", film.c.devices <= counted.c.devices)
        .values(state="measured")
        .returning(film.c.id, film.c.proposal_id)
    )


_DONE = _done(MeasurementRow.film_id == any_(_FILMS))
_SETTLE = Statement(_settling())
