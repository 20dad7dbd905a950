"""The doorbell: tells workers by a message that a job waits. The job's row is the truth; a lost ring costs seconds.

The message is Celery's, protocol 2, published with kombu, so that the service need not load Celery.
Source: Celery's documentation, "Message Protocol", version 2.
"""

import os
import socket
import threading
import uuid
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import structlog
from kombu.connection import Connection

from service.telemetry import tell

log = structlog.get_logger("filmloop.bell")

DECIDE_TASK = "filmloop.decide"
DECIDE_QUEUE = "decide"
REPLAY_TASK = "filmloop.replay"
"""On the same queue: what computes decisions computes them again."""
GENERATE_TASK = "filmloop.generate"
"""Likewise: after the decisions that wait."""
TRAIN_TASK = "filmloop.train"
TRAIN_QUEUE = "train"
"""Of its own, so that a training of minutes keeps no decision waiting."""
TIMEOUT_S = 1.0
"""Longest wait for the broker, for each of connecting and sending."""
_NO_PAUSES = {"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0}
"""One attempt more, at once: kombu's own habit is to try for ever, with pauses of seconds."""
_TRANSPORT = {"socket_connect_timeout": TIMEOUT_S, "socket_timeout": TIMEOUT_S, "retry_on_timeout": False, **_NO_PAUSES}


def connect(broker_url: str) -> Connection:
    """A lazy connection to the broker with short timeouts and no attempts of its own."""
    return Connection(broker_url, connect_timeout=TIMEOUT_S, transport_options=_TRANSPORT)  # type: ignore[no-untyped-call]


def publish(connection: Connection, queue: str, task_name: str, job_id: str) -> None:
    """Send one message `task_name(job_id)` to `queue`; the broker's errors go to the caller."""
    task_id = str(uuid.uuid4())
    headers = {
        "lang": "py",
        "task": task_name,
        "id": task_id,
        "root_id": task_id,
        "parent_id": None,
        "group": None,
        "argsrepr": repr((job_id,)),
        "kwargsrepr": "{}",
        "origin": f"{os.getpid()}@{socket.gethostname()}",
    }
    body: tuple[list[str], dict[str, str], dict[str, None]] = (
        [job_id],
        {},
        {"callbacks": None, "errbacks": None, "chain": None, "chord": None},
    )
    with connection.Producer() as producer:  # type: ignore[no-untyped-call]
        producer.publish(
            body,
            routing_key=queue,
            serializer="json",
            headers=headers,
            correlation_id=task_id,
            delivery_mode=2,
            retry=False,
        )


def ring(broker_url: str | None, queue: str, task_name: str, job_id: str) -> bool:
    """Ring once, now. A broker that does not answer is logged and never raises.

    Returns:
        Whether the broker took the message.
    """
    if broker_url is None:
        return False
    try:
        with connect(broker_url) as connection:
            publish(connection, queue, task_name, job_id)
    except Exception as error:  # noqa: BLE001 - each transport has errors of its own, and none may reach the caller
        cause = f"{type(error).__name__}: {error}"
        log.warning("the broker did not answer; the sweep will ring", job_id=job_id, error=cause)
        return False
    return True


def remind(broker_url: str, queue: str, task_name: str, job_ids: Sequence[str]) -> None:
    """Ring for every job, unless as many messages wait that no worker has taken: while none is up, more only pile up.

    They are counted rather than given an expiry, for with clocks that differ a worker would drop every message.
    """
    try:
        with connect(broker_url) as connection:
            if connection.default_channel.client.llen(queue) < len(job_ids):
                for job_id in job_ids:
                    publish(connection, queue, task_name, job_id)
    except Exception as error:  # noqa: BLE001 - as above
        cause = f"{type(error).__name__}: {error}"
        log.warning("the broker did not answer; the next sweep will ring", jobs=len(job_ids), error=cause)


def broker_answers(broker_url: str | None) -> bool:
    """Whether the broker can be reached right now."""
    if broker_url is None:
        return False
    try:
        with connect(broker_url) as connection:
            connection.ensure_connection(timeout=TIMEOUT_S, **_NO_PAUSES)
            connection.default_channel.client.ping()
    except Exception:  # noqa: BLE001 - whatever the transport raises, the answer is no
        return False
    return True


class Bell:
    """Rings in a thread of its own, so that no request ever waits for the broker; equal rings that wait become one."""

    def __init__(self, broker_url: str | None, queue: str = DECIDE_QUEUE, task_name: str = DECIDE_TASK) -> None:
        self._broker_url = broker_url
        self._queue = queue
        self._task_name = task_name
        self._waiting: dict[str, str] = {}
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._serve, name="bell", daemon=True)
        self._thread.start()

    def ring(self, job_id: str | None, task_name: str | None = None) -> None:
        """Announce a committed job, soon. Returns at once; None means that there is nothing to announce.

        Args:
            job_id: The job.
            task_name: Of the task that does it, if not the bell's own.
        """
        if job_id is None:
            return
        tell(job_id=job_id)
        with self._changed:
            self._waiting[job_id] = task_name or self._task_name
            self._changed.notify()

    def close(self) -> None:
        """Ring what still waits, for at most a few seconds, and end the thread."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(timeout=3 * TIMEOUT_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _serve(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closing)
                if not self._waiting:
                    return
                jobs, self._waiting = self._waiting, {}
            for job_id, task_name in jobs.items():
                if not ring(self._broker_url, self._queue, task_name, job_id):
                    break  # the broker is away: the sweep rings for these jobs, and waiting for each would only pile up
