"""The network is unplugged while instruments measure: `python -m benchmarks.faults.unplugged --down 60`.

Instruments are processes that share a folder. Meanwhile the API is killed and started again, and one instrument is
killed, too. At the end everything that an instrument had put on its disk must be stored once, in its order.
"""

import argparse
import asyncio
import itertools
import json
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

from sqlalchemy import text

from benchmarks.faults.found import Found
from benchmarks.faults.loop import Loop, record
from benchmarks.faults.proxy import Proxy
from benchmarks.faults.rows import place
from benchmarks.faults.served import served, wait_for
from benchmarks.provenance import heading, provenance, write_study
from filmloop_client import Client, Reading
from service.store.session import Sessions

INSTRUMENTS = ("squid-1", "squid-2")
PAUSE_S = 0.02
"""Between two readings of an instrument."""
LAST_EVENT = "campaign.aborted"


class Cable(Proxy):
    """A proxy that can be unplugged."""

    def __init__(self, port: int) -> None:
        """Prepare; it is plugged in."""
        super().__init__(port, {"none": 1.0}, seed=0)
        self._unplugged = False

    def unplug(self) -> None:
        """Cut what is connected, and whatever tries to."""
        self._unplugged = True
        asyncio.run_coroutine_threadsafe(self.cut_all(), self._loop).result(10)

    def plug_in(self) -> None:
        """Let it through again."""
        self._unplugged = False

    async def _serve(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        if self._unplugged:
            back.close()
            return
        try:
            await super()._serve(client, back)
        except OSError:  # nobody listens behind it
            back.close()
        except asyncio.CancelledError:  # unplugged; a stream's callback takes a cancelled task for a fault
            return


def instrument(url: str, campaign_id: str, film_id: str, folder: Path, name: str) -> None:
    """What the process of an instrument does until it is told to end: puts readings, and notes that it has."""
    stop, notes = folder / "stop", folder / f"{name}.txt"
    begun = len(notes.read_text().splitlines()) if notes.exists() else 0
    with Client(url, timeout=2) as client, notes.open("a") as noted:
        offline = client.offline_instrument(campaign_id, name, folder / "spool")
        for number in itertools.count(begun + 1):
            if stop.exists():
                break
            said = {"property": Loop.PROPERTY, "unit": Loop.UNIT, "value": float(number)}
            offline.put([Reading.model_validate(said | {"film_id": film_id, "device": number % Loop.DEVICES})])
            noted.write(f"{number}\n")
            noted.flush()
            time.sleep(PAUSE_S)
        offline.close(0.0)


class Follower:
    """Somebody who follows the campaign past the restart of the API, until it is over."""

    def __init__(self, url: str, campaign_id: str) -> None:
        """Begin."""
        self._url, self._campaign_id = url, campaign_id
        self._seen: list[int] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with Client(self._url) as client:
            for event in client.campaigns.get(self._campaign_id).follow(after=0):
                self._seen.append(event.seq)
                if event.type == LAST_EVENT:
                    break

    def wrong(self, sessions: Sessions) -> int:
        """How many events were missed or told twice; ends the campaign, and with it what is followed."""
        with Client(self._url) as client:
            client.campaigns.get(self._campaign_id).act("abort")
        self._thread.join(30)
        assert not self._thread.is_alive(), "the end of the campaign was not heard of"
        with sessions() as session:
            until = text("select seq from event where seq <= (select seq from event where type = :last)")
            told = session.execute(until, {"last": LAST_EVENT}).scalars().all()
        heard = Counter(self._seen)
        return sum(heard[seq] != 1 for seq in {*told, *heard})


def run(database_url: str, folder: Path, *, down_s: float, plugged_s: float = 1.0) -> Found:
    """Measure, unplug, kill what there is, plug in, measure on, and look what is stored.

    Args:
        database_url: A database with the schema.
        folder: For the spool and for logs.
        down_s: How long the network is down.
        plugged_s: How long it is up before and after.
    """
    with record(database_url) as sessions, served(database_url, folder / "api") as api, Cable(api.port) as cable:
        campaign_id, film_id = Loop(sessions).made()
        follower = Follower(api.url, campaign_id)
        players = {name: _play(cable.url, campaign_id, film_id, folder, name) for name in INSTRUMENTS}
        wait_for(lambda: len(_stored(sessions)) > len(INSTRUMENTS), within_s=60)
        time.sleep(plugged_s)
        cable.unplug()
        time.sleep(0.5)  # a batch that the service had whole when the cable went is stored
        before = sum(_stored(sessions).values())
        time.sleep(down_s / 3)
        killed = INSTRUMENTS[0]
        players[killed].kill()
        players[killed].wait()
        api.end()
        time.sleep(down_s / 3)
        players[killed] = _play(cable.url, campaign_id, film_id, folder, killed)
        api.start()
        resumed = _noted(folder, killed)
        wait_for(lambda: _noted(folder, killed) > resumed, within_s=60)
        time.sleep(down_s / 3)
        through = sum(_stored(sessions).values()) - before
        cable.plug_in()
        time.sleep(plugged_s)
        (folder / "stop").touch()
        began = time.monotonic()
        assert [player.wait(60) for player in players.values()] == [0] * len(players)
        _send_the_rest(cable.url, campaign_id, folder)
        caught_up_s = time.monotonic() - began
        wrong = judge(sessions, folder) | {"came through nevertheless": through}
        wrong["events missed or told twice"] = follower.wrong(sessions)
    put = sum(_noted(folder, name) for name in INSTRUMENTS)
    figure = f"{put} readings, {down_s:g} s without network, all stored {caught_up_s:.1f} s after the last one"
    return Found(put, wrong, figure)


def judge(sessions: Sessions, folder: Path) -> dict[str, int]:
    """Whether what was noted is stored once and in order, and nothing else.

    An instrument that was killed may have put one reading that it had no time to note: it measures that one again.
    """
    held = _stored(sessions)
    wrong = Counter({"lost": 0, "doubled": 0, "unknown": 0, "out of order": 0})
    for name in INSTRUMENTS:
        noted, allowed = _noted(folder, name), int(name == INSTRUMENTS[0])
        mine = {number: count for (who, number), count in held.items() if who == name}
        doubled = sum(count - 1 for count in mine.values())
        wrong["lost"] += sum(number not in mine for number in range(1, noted + 1))
        wrong["doubled"] += max(0, doubled - allowed)
        wrong["unknown"] += sum(number > noted for number in mine)
        wrong["out of order"] += sum(later < earlier for earlier, later in itertools.pairwise(_order(sessions, name)))
    return dict(wrong)


def _play(url: str, campaign_id: str, film_id: str, folder: Path, name: str) -> subprocess.Popen[bytes]:
    given = json.dumps([url, campaign_id, film_id, str(folder), name])
    return subprocess.Popen([sys.executable, "-m", "benchmarks.faults.unplugged", "--instrument", given])


def _send_the_rest(url: str, campaign_id: str, folder: Path) -> None:
    with Client(url) as client, client.offline_instrument(campaign_id, "nobody", folder / "spool") as offline:
        assert offline.flush(120)
        assert offline.aside() == []


def _noted(folder: Path, name: str) -> int:
    return len((folder / f"{name}.txt").read_text().splitlines())


def _stored(sessions: Sessions) -> Counter[tuple[str, int]]:
    query = (
        "select i.name, value, count(*) from measurement m join instrument i on i.id = m.instrument_id group by 1, 2"
    )
    with sessions() as session:
        return Counter({(name, int(value)): count for name, value, count in session.execute(text(query))})


def _order(sessions: Sessions, name: str) -> list[int]:
    """Values of an instrument in the order of revisions; what came in one batch has one."""
    query = (
        "select m.value from measurement m join instrument i on i.id = m.instrument_id"
        " where i.name = :name order by m.revision, m.value"
    )
    with sessions() as session:
        return [int(value) for (value,) in session.execute(text(query), {"name": name})]


def main() -> int:
    """Play it, print what was found, keep it if wanted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--down", type=float, default=60.0, help="seconds without network")
    parser.add_argument("--write", action="store_true", help="store the figures under benchmarks/results")
    parser.add_argument("--instrument", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.instrument:
        url, campaign_id, film_id, folder, name = json.loads(args.instrument)
        instrument(url, campaign_id, film_id, Path(folder), name)
        return 0
    print(heading("unplugged"))
    facts = provenance()
    with place(1) as at:
        found = run(at.database(), at.new_folder(), down_s=args.down)
    print(found.figure, dict(found.wrong))
    if args.write:
        row = {"without network (s)": args.down, "readings": found.count, **found.wrong, "figure": found.figure}
        write_study("unplugged", facts, [row])
    return int(found.violations > 0)


if __name__ == "__main__":
    sys.exit(main())
