"""What every table shares: the words that states may be, how constraints are named, how types are stored."""

from datetime import datetime
from typing import Any, ClassVar, cast

from sqlalchemy import CheckConstraint, DateTime, MetaData, Table, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase

CAMPAIGN_STATES = ("draft", "active", "paused", "draining", "completed", "aborted")
PROPOSAL_STATES = (
    "ready",
    "leased",
    "running",
    "overdue",
    "made",
    "measured",
    "failed",
    "superseded",
    "cancelled",
)
OUTSTANDING = ("leased", "running", "overdue", "made")
"""Proposal states whose films are on their way: the pending films of every decision."""
LEASE_STATES = ("live", "completed", "failed", "released", "expired", "cancelled")
FILM_STATES = ("running", "made", "measured", "failed", "overdue")
FILM_OUTCOMES = ("ok", "partial", "infeasible", "equipment", "operator")
JOB_KINDS = ("decide", "train")
JOB_STATES = ("pending", "leased", "succeeded", "failed", "dead")
SOURCES = ("model", "space_filling", "random", "person")
ARRAY_TYPES = ("float32", "float64")
COMPOSITION_KINDS = ("nominal", "as_made", "measured")
READING_STATES = ("ok", "dead", "above_limit", "below_limit")
REPLAY_STATES = ("pending", "leased", "succeeded", "dead")
VERDICTS = ("identical", "within_tolerance", "differs")
REVISION_CAUSES = (
    "created",
    "batch",
    "as_made",
    "composition",
    "retraction",
    "reversal",
    "prior_data",
    "prior_withdrawal",
    "prior_reinstatement",
)
PRIOR_KINDS = ("campaign", "file")
PRIOR_READING_STATES = ("ok", "above_limit", "below_limit")


def one_of(column: str, values: tuple[str, ...], name: str, *, nullable: bool = False) -> CheckConstraint:
    """A check that a column holds one of a few words."""
    listed = f"{column} IN ({', '.join(repr(v) for v in values)})"
    return CheckConstraint(f"{column} IS NULL OR {listed}" if nullable else listed, name=name)


class Base(DeclarativeBase):
    """Root of all tables: how constraints are named and how Python types are stored."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: Text,
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
        dict[str, float]: JSONB,
        list[Any]: JSONB,
    }


def table_of(row: type[Base]) -> Table:
    """The table of a kind of row: what is inserted there directly needs no bookkeeping of objects."""
    return cast("Table", row.__table__)
