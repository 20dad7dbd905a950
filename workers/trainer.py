"""The Celery application of the queue `train`: one process per GPU, or one for the machine.

A process of its own, so that a training of minutes keeps no decision waiting. torch is loaded when the first training
comes: until then the process is small.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported anywhere, as in `workers/app.py`

from service.settings import Settings
from service.store.bell import TRAIN_QUEUE
from service.telemetry import configure_logging
from workers.bell import listening

settings = Settings()

app = listening("filmloop-trainer", settings.broker.url, TRAIN_QUEUE, ["workers.train"])

configure_logging(settings)
