"""Queries on attachments."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Select, func, insert, select
from sqlalchemy.orm import Session

from service.errors import NotFound
from service.store.rows import after_id
from service.store.tables import AttachmentRow, InstrumentRow


def known(session: Session, campaign_id: str, hashes: Collection[str]) -> dict[str, str]:
    """Ids of the campaign's attachments that say what these hashes stand for."""
    query = select(AttachmentRow.content_hash, AttachmentRow.id).where(
        AttachmentRow.campaign_id == campaign_id, AttachmentRow.content_hash.in_(hashes)
    )
    return {row[0]: row[1] for row in session.execute(query)}


def store(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert attachments; their arrays must be there."""
    session.execute(insert(AttachmentRow), rows)


def get(session: Session, attachment_id: str) -> tuple[AttachmentRow, str]:
    """One attachment and the name of its instrument.

    Raises:
        NotFound: If there is none of this id.
    """
    row = session.execute(_named().where(AttachmentRow.id == attachment_id)).one_or_none()
    if row is None:
        raise NotFound("attachment", attachment_id)
    return row[0], row[1]


def page(
    session: Session, campaign_id: str, *, film_id: str | None, kind: str | None, after: str | None, limit: int
) -> list[tuple[AttachmentRow, str]]:
    """Attachments with an id above `after` and the names of their instruments, without their arrays."""
    query = _named().where(AttachmentRow.campaign_id == campaign_id)
    if film_id is not None:
        query = query.where(AttachmentRow.film_id == film_id)
    if kind is not None:
        query = query.where(AttachmentRow.kind == kind)
    return [(row[0], row[1]) for row in session.execute(after_id(query, AttachmentRow.id, after, limit))]


def count(session: Session, film_ids: Collection[str]) -> dict[str, dict[str, int]]:
    """How many attachments of each kind films have; none for films without."""
    query = (
        select(AttachmentRow.film_id, AttachmentRow.kind, func.count())
        .where(AttachmentRow.film_id.in_(film_ids))
        .group_by(AttachmentRow.film_id, AttachmentRow.kind)
    )
    counted: dict[str, dict[str, int]] = defaultdict(dict)
    for film_id, kind, number in session.execute(query):
        counted[film_id][kind] = number
    return counted


def _named() -> Select[AttachmentRow, str]:
    return select(AttachmentRow, InstrumentRow.name).join(
        InstrumentRow, InstrumentRow.id == AttachmentRow.instrument_id
    )
