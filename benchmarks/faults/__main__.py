"""The fault matrix, long: `python -m benchmarks.faults --rows 1 2 3 4 5 6 16 17 18 --write`.

Each row injects its fault into the service and then into every naive variant, with the same check. It ends with exit
status 1 if the service breaks a rule, or if a naive variant does not: then the row shows nothing.
"""

import argparse
import os
import sys
import time

from benchmarks.faults.found import Found, Row, keep, table
from benchmarks.faults.rows import PLANS, Place, Plan, place
from benchmarks.provenance import heading, provenance


def play(number: int, plan: Plan, at: Place) -> Row:
    """One row: the service, then the naive variants."""
    began, run_facts = time.monotonic(), provenance()
    real = plan.real(at)
    print(f"row {number}: {_told(real)}", flush=True)
    naive: dict[str, Found] = {}
    for name, run in plan.naive.items():
        naive[name] = run(at)
        print(f"row {number}, naive ({name}): {_told(naive[name])}", flush=True)
    facts = {"seed": at.seed, "seconds": round(time.monotonic() - began), "run": run_facts}
    return Row(number, plan.fault, plan.injected, real, naive, facts)


def _told(found: Found) -> str:
    kinds = ", ".join(f"{count} {kind}" for kind, count in found.wrong.items() if count) or "none"
    return f"{found.violations} violations of {found.count} ({kinds}); {found.figure}"


def main() -> int:
    """Play rows, print the table, keep it if wanted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, nargs="+", choices=sorted(PLANS), default=sorted(PLANS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="store these rows under benchmarks/results")
    args = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    print(heading("faults"))
    rows: list[Row] = []
    for number in args.rows:
        with place(args.seed) as at:
            rows.append(play(number, PLANS[number], at))
        if args.write:
            keep(rows[-1:])
    print(table([row.as_json() for row in rows]))
    held = all(row.real.violations == 0 for row in rows)
    shown = all(found.violations > 0 for row in rows for found in row.naive.values())
    return 0 if held and shown else 1


if __name__ == "__main__":
    sys.exit(main())
