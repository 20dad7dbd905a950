"""The record and its door: HTTP and Postgres, and what starts and watches the processes."""
