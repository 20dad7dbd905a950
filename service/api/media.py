"""Media types in which measurements come."""

JSON = "application/json"
NDJSON = "application/x-ndjson"
CSV = "text/csv"
PARQUET = "application/vnd.apache.parquet"
ZIP = "application/zip"
BATCH_TYPES = (NDJSON, CSV, PARQUET)
"""Of a measurement batch, beside JSON."""
