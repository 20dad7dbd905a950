"""The Celery application: one queue for decisions, explicit task names, messages that carry a job id and nothing else.

The broker is a doorbell. Whether a job must be done, by whom and with what result, is decided by its row in Postgres,
so a lost, repeated or reordered message costs time only. There is therefore no result backend and no redelivery.
"""

import os

# Must come before torch is imported anywhere: two OpenMP threads on a busy core make a fit many times slower.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from celery import Celery
from kombu.entity import Queue

from service.settings import Settings
from service.telemetry import configure_logging

settings = Settings()

app = Celery("filmloop", broker=settings.broker.url, include=["workers.decide", "workers.generate", "workers.replay"])  # type: ignore[no-untyped-call]  # Celery ships no types
app.conf.update(
    task_default_queue="decide",
    # Not acknowledged: if the broker died between message and acknowledgement, the worker would wait for ever for a
    # message that counts as being worked on. A message that is lost with a worker is rung again by the sweep.
    task_queues=[Queue("decide", no_ack=True)],  # type: ignore[no-untyped-call]
    task_ignore_result=True,
    task_acks_late=False,
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    worker_enable_remote_control=False,
    worker_send_task_events=False,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_transport_options={"socket_timeout": 10, "socket_connect_timeout": 5},
    accept_content=["json"],
    task_serializer="json",
)

configure_logging(settings)
