"""Rows of the fault matrix: each injects its fault into real processes, and then into a naive variant of them.

A row is one module. Its check is given a history and counts what must not be; a naive variant lacks one care of the
service and must fail the same check, or the row shows nothing. `tests/fault` runs every row briefly, in CI;
`python -m benchmarks.faults` runs it long and prints the table.
"""
