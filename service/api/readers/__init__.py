"""Turn the bytes that an instrument sent into readings: JSON, lines of JSON, tables as text, tables as Parquet.

A reader finds rows and their fields. What a field may hold is checked once, in `sheet.py`, and what a reading may say
in `operations/readings.py`, whatever it came in.
"""

from service.api.readers.sheet import shaped
from service.api.readers.sources import read

__all__ = ["read", "shaped"]
