"""Sends the tables of an instrument's folder on: `filmloop-watch FOLDER --mapping FILE`, with this client alone."""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NoReturn

from filmloop_client.client import Client
from filmloop_client.mapping import Mapping
from filmloop_client.offline import OfflineInstrument
from filmloop_client.watcher import Watcher

LOOK_S = 1.0
"""Pause between two looks at the folder."""
FLUSH_S = 60.0
"""How long a single look waits for what it found to be stored."""
SPOOL = ".filmloop"
"""Folder in the watched one where readings wait, if no other is named."""


@dataclass(frozen=True)
class Standing:
    """How it stands with a folder."""

    waiting: int
    """Readings that are not stored yet."""
    aside: tuple[dict[str, object], ...]
    """Rows that are no readings, or that were refused: `number`, `reason`, `row`."""
    trouble: str | None
    """Why readings wait; None if all is well."""
    unreadable: dict[str, str]
    """Why files cannot be read, by name."""

    @property
    def all_well(self) -> bool:
        """Whether every row of the folder is stored."""
        return not (self.waiting or self.aside or self.unreadable)

    def as_json(self) -> dict[str, object]:
        """All of it."""
        return asdict(self)

    def lines(self, *, with_rows: bool = False) -> list[str]:
        """For people; the rows that were set aside only if they are wanted."""
        first = f"{self.waiting} readings wait, {len(self.aside)} set aside"
        trouble = [f"  {self.trouble}"] if self.trouble and self.waiting else []
        rows = [f"  aside {a['number']}: {a['reason']}  {a['row']}" for a in self.aside] if with_rows else []
        return [first, *trouble, *rows, *(f"  {name}: {reason}" for name, reason in self.unreadable.items())]


def look_once(watcher: Watcher, instrument: OfflineInstrument) -> Standing:
    """Take what is there, every file as it stands, and wait until it is stored."""
    watcher.look(settled=True)
    instrument.flush(FLUSH_S)
    return _standing(watcher, instrument)


def look_on(watcher: Watcher, instrument: OfflineInstrument, say: Callable[[Standing], None]) -> NoReturn:
    """Look again and again; `say` is told whenever something changed."""
    before: Standing | None = None
    while True:
        watcher.look()
        now = _standing(watcher, instrument)
        if now != before:
            say(now)
            before = now
        time.sleep(LOOK_S)


def _standing(watcher: Watcher, instrument: OfflineInstrument) -> Standing:
    aside = tuple({"number": a.number, "reason": a.reason, "row": a.row} for a in instrument.aside())
    waiting = instrument.waiting
    return Standing(waiting, aside, instrument.trouble if waiting else None, dict(watcher.unreadable))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command `filmloop-watch`; ends with 0 if all is well, 1 if rows were not taken, 2 if called wrongly."""
    parser = argparse.ArgumentParser("filmloop-watch", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the instrument's software writes its tables")
    parser.add_argument("--mapping", "-m", type=Path, required=True, help="TOML: which column is what")
    parser.add_argument("--campaign", help="id of the campaign, if the mapping does not say it")
    parser.add_argument("--spool", type=Path, help=f"where readings wait [default: {SPOOL} in FOLDER]")
    parser.add_argument("--once", action="store_true", help="take what is there, and end when it is stored")
    parser.add_argument("--url", help="where Filmloop runs [default: FILMLOOP_URL; the key is that of FILMLOOP_KEY]")
    parser.add_argument("--json", action="store_true", help="say it as JSON")
    given = parser.parse_args(arguments)
    try:
        mapping = Mapping.load(given.mapping)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    campaign_id = given.campaign or mapping.campaign
    if campaign_id is None or not given.folder.is_dir():
        parser.error("name the campaign" if campaign_id is None else f"{given.folder} is no folder")

    def say(standing: Standing) -> None:
        lines = [json.dumps(standing.as_json())] if given.json else standing.lines(with_rows=given.once)
        print("\n".join(lines), flush=True)

    spool = given.spool or given.folder / SPOOL
    with Client(given.url) as client, client.offline_instrument(campaign_id, mapping.instrument, spool) as instrument:
        watcher = Watcher(given.folder, mapping, instrument.spool, campaign_id)
        if given.once:
            say(found := look_once(watcher, instrument))
            return int(not found.all_well)
        with suppress(KeyboardInterrupt):
            look_on(watcher, instrument, say)
    return 0


if __name__ == "__main__":
    sys.exit(main())
