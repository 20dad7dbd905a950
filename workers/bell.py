"""How a worker listens for the doorbell: messages that carry a job id and nothing else.

The broker is a doorbell. Whether a job must be done, by whom and with what result, is decided by its row in Postgres,
so a lost, repeated or reordered message costs time only. There is therefore no result backend and no redelivery.
"""

from celery import Celery
from kombu.entity import Queue


def listening(name: str, broker_url: str | None, queue: str, tasks: list[str]) -> Celery:
    """A Celery application that serves one queue.

    Args:
        name: Its name, in logs.
        broker_url: Where it listens.
        queue: What it listens to.
        tasks: Modules of its tasks.
    """
    app = Celery(name, broker=broker_url, include=tasks)  # type: ignore[no-untyped-call]  # Celery ships no types
    app.conf.update(
        task_default_queue=queue,
        # Not acknowledged: if the broker died between message and acknowledgement, the worker would wait for ever for
        # a message that counts as being worked on. A message that is lost with a worker is rung again by the sweep.
        task_queues=[Queue(queue, no_ack=True)],  # type: ignore[no-untyped-call]
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
    return app
