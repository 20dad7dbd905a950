"""The record and its door: HTTP and Postgres."""
