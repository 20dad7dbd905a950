"""Peers in their own environment: one process each, asked in JSON lines."""
