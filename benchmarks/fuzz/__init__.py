"""Requests that nobody thought of, drawn from the API's own description, against a running Filmloop."""
