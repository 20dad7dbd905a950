"""What every table with ids is asked for: one row as it is now, and the next page by id."""

from typing import Any, TypeVar

from sqlalchemy import Select
from sqlalchemy.orm import InstrumentedAttribute, Session

from service.errors import NotFound
from service.store.tables.base import Base

Row = TypeVar("Row", bound=Base)
Query = TypeVar("Query", bound=Select[*tuple[Any, ...]])


def current(session: Session, row: type[Row], wanted: str, kind: str) -> Row:
    """The row of an id as it is now in the database, whatever the session remembers.

    Raises:
        NotFound: If there is none, naming its `kind`.
    """
    found = session.get(row, wanted, populate_existing=True)
    if found is None:
        raise NotFound(kind, wanted)
    return found


def after_id(query: Query, column: InstrumentedAttribute[str], after: str | None, limit: int | None) -> Query:
    """The first `limit` rows of a query with ids above `after`, in the order of their ids."""
    if after is not None:
        query = query.where(column > after)
    return query.order_by(column).limit(limit)
