"""The command `doctor`: looks at every part of a Filmloop and says, for what is broken, what to do."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import psutil
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from service.operations import examination, keys
from service.operations.examination import Facts
from service.operations.health import readiness
from service.operations.metrics import Standing, standing
from service.settings import Settings
from service.store.session import Sessions, make_engine, make_sessions
from service.supervisor.commands import data_dir_option, read_settings
from service.supervisor.key_file import key_file, read_key
from service.supervisor.run_file import read_run_file

CLOCKS_APART_S = 2.0
LATE_S = 60.0
"""So long a decision may wait, or a job's lease be over, before somebody should look."""
_MAKE_HERE = "`filmloop key create --name NAME --role admin --keep`"
LEAST_FREE_MB = 1000
LEAST_FREE = 0.05
"""Share of a disk; either of both is enough."""
CONNECTIONS = 0.8
"""Share of the database's connections that may be in use."""


@dataclass(frozen=True)
class Finding:
    """The state of one part; `mend` says what to do, none if nothing is wrong."""

    part: str
    state: str
    mend: str | None = None


@click.command()
@data_dir_option
@click.option("--json", "json_wanted", is_flag=True, help="Say what was found as a list of JSON objects.")
def doctor(data_dir: Path | None, json_wanted: bool) -> None:
    """Check what Filmloop needs, and say how to mend what is broken."""
    findings = examine(read_settings(data_dir))
    if json_wanted:
        click.echo(json.dumps([asdict(finding) for finding in findings], ensure_ascii=False))
    else:
        _say(findings)
    if any(finding.mend is not None for finding in findings):
        raise SystemExit(1)


def _say(findings: list[Finding]) -> None:
    for finding in findings:
        click.echo(f"{'ok ' if finding.mend is None else 'BAD'}  {finding.part:<20} {finding.state}")
        if finding.mend is not None:
            click.echo(f"     {'':<20} to mend it: {finding.mend}")


def examine(settings: Settings) -> list[Finding]:
    """Check database, schema, durability, clock, broker, workers, jobs, disk, in the order in which they depend."""
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
        found = _record(sessions, broker_url)
        if all(finding.mend is None for finding in found if finding.part in {"database", "schema"}):
            found.append(key_finding(sessions, settings))
        return [*found, _broker(broker_url), _workers(facts, broker_url), _disk(settings.data_dir)]
    finally:
        engine.dispose()


def _record(sessions: Sessions, broker_url: str | None) -> list[Finding]:
    found = readiness(sessions, broker_url)
    if found.database != "ok":
        mend = "start the database, and check FILMLOOP_DATABASE__URL; the embedded one is restarted by `filmloop up`"
        return [Finding("database", found.database, mend)]
    reachable = Finding("database", "reachable")
    if found.schema != "ok":
        state, _, mend = found.schema.partition(": ")
        return [reachable, Finding("schema", state, mend)]
    facts, now = examination.facts(sessions), standing(sessions)
    if facts is None or now is None:
        return [reachable, Finding("schema", "ok"), Finding("record", "cannot be read", "look into the database's log")]
    return [reachable, Finding("schema", "ok"), *_server(facts), *_jobs(now)]


def _server(facts: Facts) -> list[Finding]:
    """What the database promises, and whether it has room for another client."""
    durable = "alter database … set synchronous_commit = on; otherwise a crash loses acknowledged measurements"
    written = "set fsync and full_page_writes to on; otherwise a loss of power destroys the record"
    clocks = "let both machines take their time from one NTP server; times of readings and of leases are compared"
    room = "raise max_connections, or lower FILMLOOP_DATABASE__POOL_SIZE: every process may take so many"
    share = facts.connections_used / max(1, facts.connections_most)
    return [
        Finding("synchronous_commit", facts.synchronous_commit, durable if facts.synchronous_commit == "off" else None),
        Finding("fsync", "on" if facts.safe_writes else "off", None if facts.safe_writes else written),
        Finding(
            "clock",
            f"{facts.clock_ahead_s:+.1f} s between the database and here",
            clocks if abs(facts.clock_ahead_s) > CLOCKS_APART_S else None,
        ),
        Finding(
            "connections",
            f"{facts.connections_used} of {facts.connections_most} in use",
            room if share > CONNECTIONS else None,
        ),
    ]


def _jobs(now: Standing) -> list[Finding]:
    """Whether decisions are made, and films go on."""
    jobs, overdue = now.jobs, now.proposals["overdue"]
    late = "look whether workers run and what they log; `filmloop up` restarts one that hangs"
    silent = "start the housekeeping (`python -m workers.housekeeping`): it passes the job of a dead worker on"
    dead = "read the event `decision.dead` of the campaign: it says why; new readings, or ten minutes, start anew"
    lost = "ask what became of the film, then resolve its proposal: made, or given up"
    return [
        Finding(
            "jobs",
            f"{jobs.pending} wait (the oldest for {jobs.oldest_due_s:.0f} s), {jobs.leased} under way",
            late if jobs.oldest_due_s > LATE_S else None,
        ),
        Finding("silent jobs", f"lease over for {jobs.silent_s:.0f} s", silent if jobs.silent_s > LATE_S else None),
        Finding("dead jobs", f"{jobs.dead} in the last hour", dead if jobs.dead else None),
        Finding("overdue films", f"{overdue}", lost if overdue else None),
    ]


def key_finding(sessions: Sessions, settings: Settings) -> Finding:
    """Whether somebody can administer keys, and whether the one that is kept here is good and kept to itself."""
    path, kept = key_file(settings.data_dir), read_key(settings.data_dir)
    with sessions.begin() as session:
        administered = keys.administered(session)
        good = kept is not None and keys.caller_of(session, kept) is not None
        newer = None if kept is None else keys.replaced_by(session, kept)
    if not administered:
        return Finding("keys", "none is good that may make others", "make one: `filmloop key create --role admin`")
    if kept is None:
        return Finding("keys", f"none is kept in {path}")
    if path.stat().st_mode & 0o077:
        return Finding(
            "keys", f"others may read {path}", f"chmod 600 {path}, and rotate the key: `filmloop key rotate`"
        )
    if newer is not None:
        state = f"the one in {path} was replaced by {newer} elsewhere, and {'ends soon' if good else 'has ended'}"
        return Finding("keys", state, f"write that one into {path}, or make one: {_MAKE_HERE}")
    if not good:
        return Finding("keys", f"the one in {path} is not good any more", f"remove {path}, or keep a valid key there")
    return Finding("keys", "ok")


def _disk(data_dir: Path) -> Finding:
    """Room for models, logs and, if it is the embedded one, the database."""
    place = next(path for path in (data_dir, *data_dir.parents) if path.exists())
    usage = psutil.disk_usage(str(place))
    low = usage.free < LEAST_FREE_MB * 1e6 or usage.free < LEAST_FREE * usage.total
    state = f"{usage.free / 1e9:.1f} GB free of {usage.total / 1e9:.1f} GB at {data_dir}"
    mend = "make room, or give the data directory a larger disk; a full one refuses readings until there is room again"
    return Finding("disk", state, mend if low else None)


def _broker(url: str | None) -> Finding:
    mend = "start it, and check FILMLOOP_BROKER__URL; until then workers look into the record every few seconds"
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
