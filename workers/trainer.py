"""The Celery application of the queue `train`: one process per GPU, or one for the machine.

A process of its own, so that a training of minutes keeps no decision waiting. torch is loaded when the first training
comes: until then the process is small.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported anywhere, as in `workers/app.py`

from celery import Celery
from kombu.entity import Queue

from service.settings import Settings
from service.store.bell import TRAIN_QUEUE
from service.telemetry import configure_logging

settings = Settings()

app = Celery("filmloop-trainer", broker=settings.broker.url, include=["workers.train"])  # type: ignore[no-untyped-call]
app.conf.update(
    task_default_queue=TRAIN_QUEUE,
    task_queues=[Queue(TRAIN_QUEUE, no_ack=True)],  # type: ignore[no-untyped-call]
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
