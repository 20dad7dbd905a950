"""Minutes from nothing to the demo's picture, and to a campaign of one's own with data of one's own, by the documents.

A copy of the committed source in a bare folder, a home of its own, a virtual environment of its own.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.provenance import heading, markdown_table, provenance, write_study

ROOT = Path(__file__).parents[1]


class Newcomer:
    """Somebody with a shell in an empty home."""

    def __init__(self, folder: Path) -> None:
        """Unpack the source."""
        self.source, self.home = folder / "filmloop", folder / "home"
        self.source.mkdir()
        self.home.mkdir()
        packed = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, check=True, capture_output=True).stdout  # noqa: S607
        subprocess.run(["tar", "-x"], cwd=self.source, input=packed, check=True)  # noqa: S607
        kept = {name: told for name, told in os.environ.items() if name in {"PATH", "LANG"} or name.startswith("PIP_")}
        self._environment = kept | {"HOME": str(self.home)}
        self.steps: list[dict[str, object]] = []

    def block(self, page: str, language: str = "", number: int = 0) -> str:
        """A block of code of a page."""
        text = (self.source / page).read_text(encoding="utf-8")
        found = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
        return [code for told, code in found if told == language][number]

    def does(self, what: str, commands: str) -> None:
        """Run commands as they stand, in the environment that was made, and note how long they took."""
        made = self.source / ".venv/bin/activate"
        began = time.monotonic()
        subprocess.run(
            ["bash", "-euo", "pipefail", "-c", f"[ ! -e {made} ] || . {made}\n{commands}"],  # noqa: S607
            cwd=self.source,
            env=self._environment,
            check=True,
            stdout=sys.stderr,
        )
        self.steps.append({"step": what, "minutes": (time.monotonic() - began) / 60})
        print(self.steps[-1], flush=True)


def walk(folder: Path) -> list[dict[str, object]]:
    """All steps, each with its minutes."""
    newcomer = Newcomer(folder)
    install, _, demo = newcomer.block("README.md").strip().rpartition(" && ")
    newcomer.does("install", install)
    newcomer.does("demo, to its picture", f"{demo}\ntest -s demo.png")
    # The service stays when the shell of this step ends, as in a terminal of its own.
    up = "nohup filmloop up > up.log 2>&1 & echo $! > up.pid; until grep -q 'to stop' up.log; do sleep 0.2; done"
    newcomer.does("start the service", up)
    try:
        own = "".join(newcomer.block("docs/commands.md", "bash", number) for number in (0, 1))
        newcomer.does("own campaign with own data, first film read", own)
    finally:
        newcomer.does(
            "stop the service", "kill $(cat up.pid); while kill -0 $(cat up.pid) 2> /dev/null; do sleep 0.2; done"
        )
    return newcomer.steps


def main() -> None:
    """Walk, print, keep if wanted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--write", action="store_true", help="store the figures under benchmarks/results")
    args = parser.parse_args()
    print(heading("first steps"))
    facts = provenance()
    with tempfile.TemporaryDirectory(prefix="filmloop-first-") as folder:
        steps = walk(Path(folder))
    print(markdown_table(steps))
    if args.write:
        write_study("first_steps", facts, steps)


if __name__ == "__main__":
    main()
