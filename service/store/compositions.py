"""What devices are made of, as instruments measured it, and which of all that is known counts."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, case, insert, select
from sqlalchemy.orm import Session

from service.store.tables import CompositionReadingRow

_RANK = {"nominal": 0, "as_made": 1, "measured": 2}


def weight() -> ColumnElement[int]:
    """How much a composition counts: what was measured most, what the robot reported next, what was proposed least."""
    return case(_RANK, value=CompositionReadingRow.kind, else_=0)


def best_known(readings: Iterable[CompositionReadingRow]) -> dict[int, dict[str, float]]:
    """Composition of each device of a film as far as it is more than proposed; `readings` are its, in any order."""
    known = [r for r in readings if r.kind != "nominal"]
    return {r.device: r.composition for r in sorted(known, key=lambda r: (_RANK[r.kind], r.revision))}


def of_instrument(session: Session, instrument_id: str, film_ids: Collection[str]) -> Sequence[CompositionReadingRow]:
    """What an instrument found on films."""
    here = CompositionReadingRow.instrument_id == instrument_id
    return session.scalars(select(CompositionReadingRow).where(here, CompositionReadingRow.film_id.in_(film_ids))).all()


def store(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert compositions as measured."""
    session.execute(insert(CompositionReadingRow), rows)
