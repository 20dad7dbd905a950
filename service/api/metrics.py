"""Figures for Prometheus: what this process served, and how the record stands; `docs/operating.md` explains them."""

from collections.abc import Iterator

from fastapi import APIRouter, Request, Response
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_1_0_0
from prometheus_client.registry import Collector
from sqlalchemy import QueuePool
from starlette.types import Scope

from service.api.streams import EventStreams
from service.operations.metrics import Standing, standing
from service.store.session import Sessions

router = APIRouter(tags=["operator"])

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Bounds of the latencies that are counted, s."""


class Metrics:
    """The figures of one API process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Histogram(
            "filmloop_request_seconds",
            "Time from the first byte of a request to the last of its answer",
            ["operation", "status"],
            buckets=BUCKETS,
            registry=self.registry,
        )

    def observe(self, scope: Scope, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        endpoint = scope.get("endpoint")
        operation = getattr(endpoint, "__name__", "none")  # a path that no route has must not become a label
        self._requests.labels(operation, str(status)).observe(seconds)

    def watch(self, sessions: Sessions, streams: EventStreams) -> None:
        """Look at the record, too, whenever the figures are read."""
        self.registry.register(_Record(sessions, streams))


@router.get(
    "/metrics", response_class=Response, responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}
)
def metrics(request: Request) -> Response:
    """Figures in the text format of Prometheus."""
    found: Metrics = request.app.state.metrics
    return Response(generate_latest(found.registry), headers={"Content-Type": CONTENT_TYPE_PLAIN_1_0_0})


class _Record(Collector):
    """How the record stands, read when the figures are."""

    def __init__(self, sessions: Sessions, streams: EventStreams) -> None:
        self._sessions = sessions
        self._streams = streams

    def describe(self) -> list[Metric]:
        """Nothing: the record is not read when this is registered."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Every figure."""
        now = standing(self._sessions)
        yield _gauge("database_up", "Whether the database answers", float(now is not None))
        pool = self._sessions.kw["bind"].pool
        if isinstance(pool, QueuePool):
            yield _gauge("database_connections_used", "Connections in use in this process", pool.checkedout())
            yield _gauge("database_connections_most", "Connections that this process may use", pool.size())
        yield _gauge("event_readers", "Event streams that this process serves", self._streams.readers)
        if now is not None:
            yield from _of_record(now)


def _of_record(now: Standing) -> Iterator[Metric]:
    yield _labelled("jobs", "Decisions asked for", "state", {"pending": now.jobs.pending, "leased": now.jobs.leased})
    yield _gauge("job_oldest_due_seconds", "Wait of the oldest decision that could be made", now.jobs.oldest_due_s)
    yield _gauge("job_silent_seconds", "Time since the oldest lapse of a worker's lease", now.jobs.silent_s)
    yield _gauge("jobs_dead_last_hour", "Decisions given up in the last hour", now.jobs.dead)
    yield _gauge("decisions_last_hour", "Decisions published in the last hour", now.decisions.published)
    took = {"0.5": now.decisions.median_s, "0.95": now.decisions.p95_s}
    seconds = {quantile: value for quantile, value in took.items() if value is not None}
    yield _labelled("decision_seconds", "From the wish to the proposal, in the last hour", "quantile", seconds)
    yield _labelled("proposals", "Films that wait or are on their way", "state", now.proposals)
    yield _gauge("leases", "Films that robots hold", now.leases)
    yield _gauge("lease_overdue_seconds", "Time since the oldest lapse of a robot's lease", now.overdue_lease_s)
    yield _labelled("leases_ended_last_hour", "How robots' leases ended", "state", now.leases_ended)
    yield _labelled("campaigns", "Campaigns", "state", now.campaigns)
    yield _labelled("readings", "Readings accepted, of campaigns that go on", "campaign", now.readings)
    yield _labelled("revisions_behind", "Revisions that no decision has seen yet", "campaign", now.behind)
    names = ["campaign", "property"]
    coverage = GaugeMetricFamily(
        "filmloop_model_coverage_95", "Share of left-out readings in their intervals", labels=names
    )
    density = GaugeMetricFamily("filmloop_model_log_density", "Mean log density of left-out readings", labels=names)
    for campaign, number, share, mean in now.calibrations:
        coverage.add_metric([campaign, str(number)], share)
        density.add_metric([campaign, str(number)], mean)
    yield from (coverage, density)


def _gauge(name: str, said: str, value: float) -> Metric:
    return GaugeMetricFamily(f"filmloop_{name}", said, value=value)


def _labelled(name: str, said: str, label: str, values: dict[str, float] | dict[str, int]) -> Metric:
    found = GaugeMetricFamily(f"filmloop_{name}", said, labels=[label])
    for key, value in values.items():
        found.add_metric([key], value)
    return found
