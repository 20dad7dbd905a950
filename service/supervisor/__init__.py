"""Runs Filmloop's processes together: servers, API, workers, housekeeping; see `Stack`."""

from service.supervisor.running import Running, running
from service.supervisor.stack import Stack

__all__ = ["Running", "Stack", "running"]
