"""The Celery application of the queue `decide`: decisions, and what researchers ask of models after them."""

import os

# Must come before torch is imported anywhere: two OpenMP threads on a busy core make a fit many times slower.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from service.settings import Settings
from service.telemetry import configure_logging
from workers.bell import listening

settings = Settings()

app = listening("filmloop", settings.broker.url, "decide", ["workers.decide", "workers.generate", "workers.replay"])

configure_logging(settings)
