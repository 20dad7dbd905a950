"""The record as queries: tables, sessions, and one file per noun."""
