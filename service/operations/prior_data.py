"""Prior data: take readings from another campaign or a file, withdraw them, take them back; nothing is ever deleted."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy.orm import Session

from models.problem import Problem
from service.errors import Conflict, IllegalTransition, InvalidInput, NotFound, Violation
from service.operations.configurations import CHANGING
from service.operations.prior_rows import PriorReading, PriorRows, check_mapping
from service.operations.refill import request_decision
from service.store import campaigns, datasets, events, measurements, prior_data, proposals
from service.store.ids import new_id
from service.store.session import lock_campaign
from service.store.tables import PriorDataRow, PriorReadingRow, PriorWithdrawalRow

MOST_ROWS = 50_000
"""Most readings of one source."""
MOST_SOURCES = 16
"""Most sources that a campaign may have taken, withdrawn ones included: each has parameters of its own."""
LISTED = 100
"""Rows of which a refusal says what is wrong."""

Unfit = Literal["refuse", "leave_out"]
"""What becomes of readings that have no place in the campaign."""


@dataclass(frozen=True)
class Reading:
    """How readings from elsewhere are to be understood."""

    name: str | None = None
    """What people call the source."""
    properties: Mapping[str, str] = field(default_factory=dict)
    """The campaign's names by those of the source, where they differ."""
    process: Mapping[str, float | str] = field(default_factory=dict)
    """Values of process variables that the source does not give."""
    unfit: Unfit = "refuse"


@dataclass(frozen=True)
class Withdrawal:
    """A time in which prior data do not count."""

    revision: int
    reason: str
    at: datetime
    ended_revision: int | None
    end_reason: str | None
    ended_at: datetime | None


@dataclass(frozen=True)
class PriorData:
    """A source as it stands."""

    id: str
    campaign_id: str
    name: str
    source: dict[str, Any]
    rows: int
    left_out: dict[str, int]
    hash: str
    revision: int
    withdrawals: tuple[Withdrawal, ...]
    """Oldest first; the last one is in force if it has no end."""
    created_at: datetime

    @property
    def counts(self) -> bool:
        """Whether it counts now."""
        return not self.withdrawals or self.withdrawals[-1].ended_revision is not None


@dataclass(frozen=True)
class Done:
    """Prior data that were just taken, withdrawn or reinstated, or only looked at."""

    prior: PriorData | None
    """None of a dry run."""
    revision: int
    """Revision of the dataset that heeds it."""
    rows: int
    left_out: dict[str, int]
    job_id: str | None = None
    """Decision that will heed it, to ring for after the commit."""
    superseded: tuple[str, ...] = ()


def take_from_campaign(
    session: Session,
    campaign_id: str,
    source_id: str,
    revision: int | None,
    how: Reading,
    *,
    sees: Callable[[str], bool] = lambda _: True,
) -> Done:
    """Copy what another campaign has read on its own films.

    Properties that are not sought here and dead devices are left out and counted.

    Args:
        session: The open transaction.
        campaign_id: The campaign that takes.
        source_id: The campaign that was read.
        revision: Of the latter's dataset; the newest if None.
        how: What its readings mean here.
        sees: Whether a campaign exists for whoever asks.

    Raises:
        NotFound: If there is no such campaign to take for.
        InvalidInput: If the source is not there, or does not fit.
        IllegalTransition: If the campaign is over.
    """
    problem = _open_to(session, campaign_id)
    if source_id == campaign_id:
        raise _refused("campaign_id", "a campaign has its own data already")
    absent = _refused("campaign_id", f"there is no campaign {source_id!r}")
    if not sees(source_id):
        raise absent
    try:
        head = datasets.head(session, source_id)
    except NotFound as error:
        raise absent from error
    there = head.revision if revision is None else revision
    if there > head.revision:
        raise _refused("revision", f"campaign {source_id} is at revision {head.revision} yet")
    if (count := measurements.count(session, source_id, there)) > MOST_ROWS:  # before they are all read
        raise _refused("campaign_id", f"prior data have at most {MOST_ROWS} rows, campaign {source_id} has {count}")
    found = datasets.snapshot(session, source_id, there)
    check_mapping(problem, how.properties, [p.property for p in head.problem.properties])
    read = [
        PriorReading(
            composition=r.composition,
            property=r.property,
            unit=r.unit,
            value=r.value,
            status=r.status,  # type: ignore[arg-type]  # the table's check holds it to these words
            std_uncertainty=r.std_uncertainty,
            replicates=r.replicates,
            process=r.process,
            film=r.film_id,
            position=r.position,
        )
        for r in sorted(found, key=lambda r: (r.revision, r.instrument, r.uid))
    ]
    rows = _sorted_out(problem, dict(enumerate(read)), how)
    foreign = [violation for reason, violation in rows.misfits.values() if reason in {"elements", "process"}]
    if foreign and how.unfit == "refuse":
        message = f"{len(foreign)} of {len(read)} readings do not fit, e.g. {foreign[0].message}; say unfit=leave_out"
        raise _refused("campaign_id", message)
    snapshot_hash = datasets.snapshot_hash(session, source_id, there)
    told = {"campaign_id": source_id, "revision": there, "snapshot_hash": snapshot_hash}
    return _store(session, campaign_id, _Source("campaign", how, told, source_id), rows)


def take_from_file(
    session: Session,
    campaign_id: str,
    readings: Sequence[PriorReading],
    *,
    refused: Mapping[int, Sequence[Violation]],
    how: Reading,
    told: Mapping[str, Any],
    dry_run: bool = False,
) -> Done:
    """Take what a file says, all of it or nothing.

    Args:
        session: The open transaction.
        campaign_id: The campaign.
        readings: Rows of good shape, in order.
        refused: What is wrong with the shape of other rows, by number; `readings` are the rows between them.
        how: What the rows mean here.
        told: Form and hash of the file.
        dry_run: Whether to check only and write nothing.

    Raises:
        NotFound: If there is no such campaign.
        InvalidInput: If a row is wrong, or has no place in the campaign and `how` does not leave such rows out.
        IllegalTransition: If the campaign is over.
    """
    problem = _open_to(session, campaign_id)
    numbers = (row for row in range(len(readings) + len(refused)) if row not in refused)
    numbered = dict(zip(numbers, readings, strict=False))
    if not refused:
        check_mapping(problem, how.properties, sorted({r.property for r in readings}))
    rows = _sorted_out(problem, numbered, how)
    wrong = {row: list(found) for row, found in refused.items()} | rows.wrong
    if how.unfit == "refuse":
        wrong |= {row: [violation] for row, (reason, violation) in rows.misfits.items() if reason != "dead"}
    if wrong:
        listed = [violation for row in sorted(wrong)[:LISTED] for violation in wrong[row]]
        raise InvalidInput(f"{len(wrong)} row(s) cannot be taken; nothing was stored", listed)
    return _store(session, campaign_id, _Source("file", how, dict(told), str(told["form"])), rows, dry_run=dry_run)


def withdraw(session: Session, prior_data_id: str, reason: str) -> Done:
    """Let prior data no longer count, from a new revision on; what rests on them is superseded.

    Raises:
        NotFound: If there is none of this id.
        Conflict: If they are withdrawn already.
    """
    row = prior_data.get(session, prior_data_id)
    lock_campaign(session, row.campaign_id)
    if prior_data.standing_withdrawal(session, prior_data_id) is not None:
        raise Conflict(f"prior data {prior_data_id} are withdrawn already")
    withdrawal_id = new_id("pwd")
    revision = datasets.draw_revision(session, row.campaign_id, "prior_withdrawal", withdrawal_id)
    head = {"id": withdrawal_id, "prior_data_id": prior_data_id, "campaign_id": row.campaign_id}
    prior_data.withdraw(session, head | {"reason": reason, "revision": revision})
    events.append(session, row.campaign_id, "prior_data.withdrawn", _told(prior_data_id, revision))
    waiting = proposals.ready_revisions(session, row.campaign_id)
    resting = prior_data.resting_on_withdrawn(session, row.campaign_id, waiting)
    among = proposals.chosen_from(resting)
    superseded = proposals.withdraw_ready(session, row.campaign_id, to="superseded", among=among)
    if superseded:
        told = {"proposal_ids": superseded, "prior_data_id": prior_data_id}
        events.append(session, row.campaign_id, "proposals.superseded", told)
    return _done(session, row, revision, tuple(superseded))


def reinstate(session: Session, prior_data_id: str, reason: str) -> Done:
    """Let withdrawn prior data count again, from a new revision on.

    Raises:
        NotFound: If there is none of this id.
        Conflict: If they are not withdrawn.
    """
    row = prior_data.get(session, prior_data_id)
    lock_campaign(session, row.campaign_id)
    withdrawal_id = prior_data.standing_withdrawal(session, prior_data_id)
    if withdrawal_id is None:
        raise Conflict(f"prior data {prior_data_id} are not withdrawn")
    revision = datasets.draw_revision(session, row.campaign_id, "prior_reinstatement", withdrawal_id)
    prior_data.reinstate(session, prior_data_id, revision, reason)
    events.append(session, row.campaign_id, "prior_data.reinstated", _told(prior_data_id, revision))
    return _done(session, row, revision)


def get(session: Session, prior_data_id: str) -> PriorData:
    """One source.

    Raises:
        NotFound: If there is none of this id.
    """
    return _seen(session, [prior_data.get(session, prior_data_id)])[0]


def page(session: Session, campaign_id: str, after: str | None, limit: int) -> list[PriorData]:
    """The first `limit` sources of a campaign after the id `after`, oldest first.

    Raises:
        NotFound: If there is no such campaign.
    """
    campaigns.get(session, campaign_id)
    return _seen(session, prior_data.page(session, campaign_id, after, limit))


def rows(session: Session, prior_data_id: str, after: int | None, limit: int) -> Sequence[PriorReadingRow]:
    """The first `limit` readings of a source with numbers above `after`.

    Raises:
        NotFound: If there is none of this id.
    """
    prior_data.get(session, prior_data_id)
    return prior_data.readings(session, prior_data_id, after, limit)


@dataclass(frozen=True)
class _Source:
    kind: str
    how: Reading
    told: dict[str, Any]
    called: str
    """Its name if nobody gave one."""


def _open_to(session: Session, campaign_id: str) -> Problem:
    head = datasets.head(session, campaign_id)
    if head.state not in CHANGING:
        raise IllegalTransition("campaign", campaign_id, head.state, "take prior data", [])
    return head.problem


def _sorted_out(problem: Problem, readings: Mapping[int, PriorReading], how: Reading) -> PriorRows:
    if len(readings) > MOST_ROWS:
        raise InvalidInput(f"prior data have at most {MOST_ROWS} rows, these {len(readings)}")
    rows = PriorRows(problem, how.properties, how.process)
    for row, reading in readings.items():
        rows.add(row, reading)
    return rows


def _store(
    session: Session, campaign_id: str, source: _Source, sorted_out: PriorRows, *, dry_run: bool = False
) -> Done:
    taken, left_out = sorted_out.taken, sorted_out.left_out()
    if sorted_out.wrong:
        listed = [violation for found in sorted_out.wrong.values() for violation in found][:LISTED]
        raise InvalidInput(f"{len(sorted_out.wrong)} row(s) cannot be taken; nothing was stored", listed)
    if not taken:
        raise InvalidInput(f"no row fits the campaign; left out: {left_out or 'none'}")
    if dry_run:
        return Done(None, campaigns.get(session, campaign_id).revision, len(taken), left_out)
    lock_campaign(session, campaign_id)
    if _open_to(session, campaign_id) != sorted_out.problem:
        raise Conflict(f"the configuration of campaign {campaign_id} was changed meanwhile; ask again")
    if len(prior_data.page(session, campaign_id, None, MOST_SOURCES)) == MOST_SOURCES:
        raise Conflict(f"campaign {campaign_id} has {MOST_SOURCES} sources of prior data, and no room for another")
    prior_data_id = new_id("prd")
    revision = datasets.draw_revision(session, campaign_id, "prior_data", prior_data_id)
    how = {"properties": dict(source.how.properties), "process": dict(source.how.process), "unfit": source.how.unfit}
    values = {
        "id": prior_data_id,
        "campaign_id": campaign_id,
        "name": source.how.name or source.called,
        "kind": source.kind,
        "source": source.told | how,
        "rows": len(taken),
        "left_out": left_out,
        "content_hash": prior_data.content_hash(row["row_hash"] for row in taken),
        "revision": revision,
    }
    prior_data.store(session, values, taken)
    event = _told(prior_data_id, revision) | {"rows": len(taken), "left_out": left_out}
    events.append(session, campaign_id, "prior_data.taken", event)
    return _done(session, prior_data.get(session, prior_data_id), revision)


def _done(session: Session, row: PriorDataRow, revision: int, superseded: tuple[str, ...] = ()) -> Done:
    job_id = request_decision(session, row.campaign_id, revision)
    prior = get(session, row.id)
    return Done(prior, revision, prior.rows, prior.left_out, job_id, superseded)


def _told(prior_data_id: str, revision: int) -> dict[str, Any]:
    return {"prior_data_id": prior_data_id, "revision": revision}


def _refused(where: str, message: str) -> InvalidInput:
    return InvalidInput(message, [Violation(f"/{where}", message)])


def _seen(session: Session, found: Sequence[PriorDataRow]) -> list[PriorData]:
    withdrawn = prior_data.withdrawals(session, [row.id for row in found])
    return [
        PriorData(
            id=row.id,
            campaign_id=row.campaign_id,
            name=row.name,
            source={"kind": row.kind, **row.source},
            rows=row.rows,
            left_out=row.left_out,
            hash=row.content_hash,
            revision=row.revision,
            withdrawals=tuple(_withdrawal(w) for w in withdrawn[row.id]),
            created_at=row.created_at,
        )
        for row in found
    ]


def _withdrawal(row: PriorWithdrawalRow) -> Withdrawal:
    return Withdrawal(row.revision, row.reason, row.created_at, row.ended_revision, row.end_reason, row.ended_at)
