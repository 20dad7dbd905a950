"""The command `doctor`: looks at every part of a Filmloop and says, for what is broken, what to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import psutil
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from service.operations.health import readiness
from service.settings import Settings
from service.store.session import Sessions, make_engine, make_sessions
from service.supervisor.commands import data_dir_option, read_settings
from service.supervisor.run_file import read_run_file


@dataclass(frozen=True)
class Finding:
    """The state of one part; `mend` says what to do, none if nothing is wrong."""

    part: str
    state: str
    mend: str | None = None


@click.command()
@data_dir_option
def doctor(data_dir: Path | None) -> None:
    """Check what Filmloop needs, and say how to mend what is broken."""
    settings = read_settings(data_dir)
    findings = examine(settings)
    for finding in findings:
        click.echo(f"{'ok ' if finding.mend is None else 'BAD'}  {finding.part:<20} {finding.state}")
        if finding.mend is not None:
            click.echo(f"     {'':<20} to mend it: {finding.mend}")
    if any(finding.mend is not None for finding in findings):
        raise SystemExit(1)


def examine(settings: Settings) -> list[Finding]:
    """Check database, schema, durability, broker and workers, in the order in which they depend on each other."""
    facts = read_run_file(settings.data_dir)
    database_url = settings.database.url or (facts or {}).get("database")
    broker_url = settings.broker.url or (facts or {}).get("broker")
    if database_url is None:
        return [
            Finding(
                "filmloop",
                f"does not run on {settings.data_dir}",
                "start it with `filmloop up`, or name its database in FILMLOOP_DATABASE__URL",
            )
        ]
    engine = make_engine(database_url, pool_size=1)
    try:
        sessions = make_sessions(engine)
        return [*_database(sessions, broker_url), _broker(broker_url), _workers(facts, broker_url)]
    finally:
        engine.dispose()


def _database(sessions: Sessions, broker_url: str | None) -> list[Finding]:
    found = readiness(sessions, broker_url)
    if found.database != "ok":
        mend = "start the database, and check FILMLOOP_DATABASE__URL; the embedded one is restarted by `filmloop up`"
        return [Finding("database", found.database, mend)]
    if found.schema == "ok":
        schema = Finding("schema", "ok")
    else:
        state, _, mend = found.schema.partition(": ")
        schema = Finding("schema", state, mend)
    return [Finding("database", "reachable"), schema, _durability(sessions)]


def _durability(sessions: Sessions) -> Finding:
    """A measurement that was acknowledged must survive a crash of the database."""
    part = "synchronous_commit"
    try:
        with sessions() as session:
            value = session.execute(text("show synchronous_commit")).scalar_one()
    except SQLAlchemyError as error:
        return Finding(part, f"unknown ({type(error).__name__})", "look into the database's log")
    mend = "alter database … set synchronous_commit = on; otherwise a crash loses acknowledged measurements"
    return Finding(part, str(value), mend if value == "off" else None)


def _broker(url: str | None) -> Finding:
    mend = "start it, and check FILMLOOP_BROKER__URL; until then decisions come late, by the sweep only"
    if url is None:
        return Finding("broker", "no address", mend)
    try:
        with _ask(url) as client:
            client.ping()
    except redis.RedisError as error:
        return Finding("broker", f"unreachable ({type(error).__name__})", mend)
    return Finding("broker", "reachable")


def _workers(facts: dict[str, Any] | None, broker_url: str | None) -> Finding:
    """By process id where `filmloop up` runs them; elsewhere by who waits at the broker."""
    mend = "start one: `filmloop up --workers 1`, or `celery -A workers.app:app worker -P solo --queues decide`"
    if facts is not None:
        pids = [pid for name, pid in facts["pids"].items() if name.startswith("worker-") and pid is not None]
        alive = sum(psutil.pid_exists(pid) for pid in pids)
        return Finding("workers", f"{alive} alive", None if alive else mend)
    try:
        with _ask(broker_url or "") as client:
            waiting = sum(entry.get("cmd") == "brpop" for entry in client.client_list())
    except (redis.RedisError, ValueError):
        return Finding("workers", "unknown: they cannot be counted without the broker", "mend the broker first")
    return Finding("workers", f"{waiting} waiting for work", None if waiting else f"{mend} (unless all are busy now)")


def _ask(broker_url: str) -> redis.Redis:
    """A client that says at once that nobody answers, instead of trying for many seconds."""
    return redis.Redis.from_url(broker_url, socket_timeout=3, socket_connect_timeout=3, retry=Retry(NoBackoff(), 0))
