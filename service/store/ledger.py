"""Readings as people leaf through them: newest first, by filters, page by page."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import func, literal, select, tuple_
from sqlalchemy.orm import Session

from service.store import retractions
from service.store.tables import FilmRow, InstrumentRow, MeasurementRow, ProposalRow, SampleRow


class Filter(NamedTuple):
    """Which readings; what is None does not matter."""

    film_id: str | None = None
    instrument: str | None = None
    property: str | None = None
    status: str | None = None
    counts: bool | None = None
    """Whether they count; those that do not were retracted."""


class Line(NamedTuple):
    """One reading."""

    reading: MeasurementRow
    instrument: str
    sample: str | None
    counts: bool


def page(session: Session, campaign_id: str, wanted: Filter, after: str | None, limit: int) -> list[Line]:
    """The first `limit` readings beyond one, the newest revision first, then film by film and device by device.

    Args:
        session: The open transaction.
        campaign_id: The campaign.
        wanted: Which readings.
        after: Id of the last reading of the page before; None for the first page.
        limit: How many.
    """
    row = MeasurementRow
    order = (row.revision, func.coalesce(row.film_id, row.sample_id), -func.coalesce(row.device, 0), row.id)
    newest_first = [column.desc() for column in order]
    # Ids first, names after: a batch may have 50,000 readings of one revision, and a page shows a hundred.
    query = select(row.id).where(row.campaign_id == campaign_id).order_by(*newest_first).limit(limit)
    for column, value in ((row.film_id, wanted.film_id), (row.property, wanted.property), (row.status, wanted.status)):
        if value is not None:
            query = query.where(column == value)
    if wanted.instrument is not None:
        named = (InstrumentRow.campaign_id == campaign_id, InstrumentRow.name == wanted.instrument)
        query = query.where(row.instrument_id.in_(select(InstrumentRow.id).where(*named)))
    if wanted.counts is not None:
        query = query.where(retractions.counts_now() if wanted.counts else ~retractions.counts_now())
    last = None if after is None else session.get(row, after)
    if last is not None:
        place = (last.revision, last.film_id or last.sample_id, -(last.device or 0), last.id)
        # The revision alone, too: that is what an index finds.
        query = query.where(row.revision <= last.revision, tuple_(*order) < tuple_(*(literal(v) for v in place)))
    lines = (
        select(row, InstrumentRow.name, SampleRow.name, retractions.counts_now())
        .join(InstrumentRow, InstrumentRow.id == row.instrument_id)
        .outerjoin(SampleRow, SampleRow.id == row.sample_id)
        .where(row.id.in_(query))
        .order_by(*newest_first)
    )
    return [Line(*found) for found in session.execute(lines)]


def instruments(session: Session, campaign_id: str) -> list[str]:
    """Names of all instruments of a campaign."""
    query = select(InstrumentRow.name).where(InstrumentRow.campaign_id == campaign_id).order_by(InstrumentRow.name)
    return list(session.scalars(query))


def film_numbers(session: Session, campaign_id: str, film_ids: Collection[str]) -> dict[str, int]:
    """Films by the order in which their making was started, from 1."""
    number = func.row_number().over(order_by=(FilmRow.started_at, FilmRow.id)).label("number")
    counted = select(FilmRow.id, number).where(FilmRow.campaign_id == campaign_id).subquery()
    query = select(counted.c.id, counted.c.number).where(counted.c.id.in_(film_ids))
    return {row[0]: row[1] for row in session.execute(query)}


def films(session: Session, campaign_id: str, before: str | None, limit: int) -> Sequence[tuple[FilmRow, ProposalRow]]:
    """The last `limit` films of a campaign that were begun, newest first, each with what was proposed.

    Args:
        session: The open transaction.
        campaign_id: The campaign.
        before: Id of the last film of the page before; None for the first page.
        limit: How many.
    """
    order = (FilmRow.started_at, FilmRow.id)
    query = (
        select(FilmRow, ProposalRow)
        .join(ProposalRow, ProposalRow.id == FilmRow.proposal_id)
        .where(FilmRow.campaign_id == campaign_id)
        .order_by(*(column.desc() for column in order))
        .limit(limit)
    )
    last = None if before is None else session.get(FilmRow, before)
    if last is not None:
        query = query.where(tuple_(*order) < tuple_(literal(last.started_at), literal(last.id)))
    return [(row[0], row[1]) for row in session.execute(query)]
