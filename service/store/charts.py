"""Readings boiled down in the database to what a chart can show: a page must not fetch a hundred thousand of them."""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, asc, desc, exists, func, or_, select, tuple_
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from models.objective import Objective
from service.store import compositions, retractions
from service.store.tables import (
    CompositionReadingRow,
    DecisionRow,
    FilmRow,
    MeasurementRow,
    ModelVersionRow,
    RevisionRow,
)


class Standing(NamedTuple):
    """Where a campaign stood when so many films had been read."""

    films: int
    best_mean: float | None
    best_sd: float | None
    expected_gain: float | None


class FilmBest(NamedTuple):
    """The best of a film's readings of one property."""

    film_id: str
    first_revision: int
    """At which one came first."""
    value: float


class DeviceValue(NamedTuple):
    """The mean reading of one property at a device."""

    film_id: str
    device: int
    value: float
    readings: int


def standings(session: Session, campaign_id: str) -> Sequence[Standing]:
    """The last decision at each number of films, fewest films first."""
    row = DecisionRow
    query = (
        select(row.films, row.best_mean, row.best_sd, row.expected_gain)
        .ext(distinct_on(row.films))
        .where(row.campaign_id == campaign_id)
        .order_by(row.films, row.revision.desc(), row.created_at.desc())
    )
    return [Standing(*found) for found in session.execute(query)]


def film_bests(session: Session, campaign_id: str, sought: Objective, after: int, until: int) -> Sequence[FilmBest]:
    """The best of each film's readings that count, of those from after one revision until another."""
    row, first = MeasurementRow, func.min(MeasurementRow.revision)
    query = (
        select(row.film_id, first, *_candidates(sought))
        .where(*_read(campaign_id, sought.property), row.revision > after, row.revision <= until)
        .group_by(row.film_id)
    )
    return [
        FilmBest(str(film_id), revision, sought.best(value for value in values if value is not None))
        for film_id, revision, *values in session.execute(query)
    ]


def _candidates(sought: Objective) -> tuple[ColumnElement[float | None], ...]:
    """The largest or the smallest of some readings; those nearest to a target on either side."""
    value = MeasurementRow.value
    if sought.target is None:
        return (func.max(value) if sought.sign() > 0 else func.min(value),)
    return func.max(value).filter(value <= sought.target), func.min(value).filter(value > sought.target)


def took_back(session: Session, campaign_id: str, after: int, until: int) -> bool:
    """Whether readings of before ceased to count, or count again, from after one revision until another."""
    row = RevisionRow
    changes = (row.number > after) & (row.number <= until) & row.cause.in_(("retraction", "reversal"))
    return session.execute(select(exists().where(row.campaign_id == campaign_id, changes))).scalar_one()


def device_values(session: Session, campaign_id: str, name: str, most: int) -> tuple[Sequence[DeviceValue], int]:
    """Mean reading of devices, and how many devices there are.

    Where there are more than `most`: a quarter of them the highest, a quarter the lowest, the others an even share.
    """
    row = MeasurementRow
    means = (
        select(row.film_id, row.device, func.avg(row.value).label("value"), func.count().label("readings"))
        .where(*_read(campaign_id, name))
        .group_by(row.film_id, row.device)
        .subquery()
    )
    total = func.count().over()
    ranked = select(
        means,
        func.row_number().over(order_by=means.c.value.desc()).label("from_top"),
        func.row_number().over(order_by=means.c.value).label("from_bottom"),
        func.row_number().over(order_by=(means.c.film_id, means.c.device)).label("number"),
        total.label("total"),
    ).subquery()
    c, extreme = ranked.c, most // 4
    step = func.greatest(1, c.total // (most - 2 * extreme) + 1)
    few, even = c.total <= most, func.mod(c.number, step) == 0
    kept = or_(few, c.from_top <= extreme, c.from_bottom <= extreme, even)
    found = session.execute(select(c.film_id, c.device, c.value, c.readings, c.total).where(kept)).all()
    return [DeviceValue(*row[:4]) for row in found], int(found[0].total) if found else 0


def made_of(session: Session, devices: Collection[tuple[str, int]]) -> dict[tuple[str, int], dict[str, float]]:
    """What devices of films are made of, as well as that is known now."""
    row = CompositionReadingRow
    query = (
        select(row.film_id, row.device, row.composition)
        .where(row.film_id.in_({film_id for film_id, _ in devices}), tuple_(row.film_id, row.device).in_(devices))
        .where(retractions.composition_counts_now())
        # Later knowledge counts before earlier of its kind: the last one stays.
        .order_by(compositions.weight(), row.revision)
    )
    return {(film_id, device): composition for film_id, device, composition in session.execute(query)}


def film_readings(session: Session, film_id: str, most: int) -> Sequence[Any]:
    """Device, property, value, status, uncertainty, time of a film's readings that count.

    Where a device has more than `most` of a property: the lowest, the highest, and an even share of the others.
    """
    row = MeasurementRow
    alike = (row.device, row.property)
    each = (
        select(row.device, row.property, row.value, row.status, row.std_uncertainty, row.measured_at)
        .add_columns(
            func.row_number().over(partition_by=alike, order_by=(row.value, row.uid)).label("number"),
            func.count().over(partition_by=alike).label("total"),
        )
        .where(row.film_id == film_id, retractions.counts_now())
        .subquery()
    )
    c = each.c
    outermost = c.number.in_((1, c.total))
    kept = or_(c.total <= most, outermost, func.mod(c.number, func.greatest(1, c.total // (most - 2) + 1)) == 0)
    query = select(c.device, c.property, c.value, c.status, c.std_uncertainty, c.measured_at).where(kept)
    return session.execute(query.order_by(c.device, c.property, c.measured_at, c.number)).all()


def film_numbers(session: Session, campaign_id: str, film_ids: Collection[str]) -> dict[str, int]:
    """The how manieth film of its campaign each one is, counted from 1 in the order in which they were begun."""
    counted = select(FilmRow.id, func.row_number().over(order_by=FilmRow.id).label("number")).where(
        FilmRow.campaign_id == campaign_id
    )
    numbered = counted.subquery()
    query = select(numbered.c.id, numbered.c.number).where(numbered.c.id.in_(film_ids))
    return {row[0]: row[1] for row in session.execute(query)}


def _read(campaign_id: str, *names: str) -> tuple[ColumnElement[bool], ...]:
    """Readings of films that have a value and count, of some properties."""
    row = MeasurementRow
    return (
        row.campaign_id == campaign_id,
        row.property.in_(names),
        row.film_id.is_not(None),
        row.value.is_not(None),
        retractions.counts_now_all(campaign_id),
    )


class VersionFigures(NamedTuple):
    """One model version of the past, in a few numbers of its first property."""

    id: str
    revision: int
    films: int | None
    log_density: float | None
    coverage_90: float | None


def versions(session: Session, campaign_id: str, most: int) -> Sequence[VersionFigures]:
    """The newest surrogates of a campaign, oldest first; only the numbers leave the database."""
    row = ModelVersionRow
    first = row.metrics["objectives"][0]
    left_out = first["leave_film_out"]
    query = (
        select(
            row.id,
            row.revision,
            first["films"].as_integer(),
            left_out["log_density"].as_float(),
            left_out["coverage_90"].as_float(),
        )
        .where(row.campaign_id == campaign_id, row.kind == "surrogate")
        .order_by(row.revision.desc(), row.id.desc())
        .limit(most)
    )
    return [VersionFigures(*found) for found in session.execute(query)][::-1]


class DevicePair(NamedTuple):
    """Mean readings of two properties at a device."""

    film_id: str
    device: int
    first: float
    second: float


def device_pairs(
    session: Session, campaign_id: str, names: tuple[str, str], most: int
) -> tuple[Sequence[DevicePair], int]:
    """Devices that were read in both of two properties, and how many there are.

    Where there are more than `most`: an eighth each of them the highest and the lowest of either, and an even share.
    """
    row = MeasurementRow
    first, second = (func.avg(row.value).filter(row.property == name) for name in names)
    means = (
        select(row.film_id, row.device, first.label("first"), second.label("second"))
        .where(*_read(campaign_id, *names))
        .group_by(row.film_id, row.device)
        .having(first.is_not(None), second.is_not(None))
        .subquery()
    )
    orders = [direction(column) for column in (means.c.first, means.c.second) for direction in (asc, desc)]
    places = [func.row_number().over(order_by=order).label(f"place_{k}") for k, order in enumerate(orders)]
    number = func.row_number().over(order_by=(means.c.film_id, means.c.device)).label("number")
    c = select(means, *places, number, func.count().over().label("total")).subquery().c
    extreme = most // 8
    step = func.greatest(1, c.total // (most - 4 * extreme) + 1)
    kept = or_(c.total <= most, *(c[f"place_{k}"] <= extreme for k in range(4)), func.mod(c.number, step) == 0)
    found = session.execute(select(c.film_id, c.device, c.first, c.second, c.total).where(kept)).all()
    return [DevicePair(*row[:4]) for row in found], int(found[0].total) if found else 0
