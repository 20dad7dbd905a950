"""What prior data are worth: campaigns on real plates that begin with data from elsewhere, against ones that do not.

    python -m benchmarks.transfer --seeds 10

Each plate is a campaign of 6 films of 5 devices (T1, film offsets of 0.3 sd), begun with

| arm | prior data |
| --- | --- |
| none | none: two random films first, as T1 has it |
| other plate | readings of another plate at compositions of the elements that both have, as they are |
| same plate | readings of the same plate by another lab: two spreads too high, three times the noise |
| shuffled | the same with the values dealt out anew among the compositions |
| inverted | the same with the values mirrored: what was good is bad |

at no more than 120 compositions, drawn by seed. With prior data the first film is chosen by the model, the second one
fills space, as a campaign does it by default. Arms are paired: plate, seed, the noise of film k. Every campaign has a
regret after each film: how far the best true value of its own films is from the best of the plate.
"""

import argparse
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray

from benchmarks.decisions.campaign import extended
from benchmarks.decisions.figures import in_words, paired
from benchmarks.decisions.noise import Noise
from benchmarks.decisions.plates import PLATES, Plate, Tenths
from benchmarks.provenance import heading, markdown_table, provenance, write_study
from models.dataset import Dataset, joined
from models.film import Film
from models.propose import propose
from models.surrogates.base import ModelBundle
from models.train import train

Array = NDArray[np.float64]

FILMS = 6
OFFSET = 0.3
"""Standard deviation of what all devices of a film have in common, in spreads of the plate."""
MOST = 120
SHIFT = 2.0
"""How far the other lab's readings of the same plate lie above, in spreads."""
OTHER_NOISE = 0.15
"""Standard deviation of the other lab's noise, in spreads; a campaign's own is 0.05."""
PARTNER = {"3496": "3851", "3851": "3496", "4098": "3496"}
ARMS = ("none", "other plate", "same plate", "shuffled", "inverted")
REPORTED = (1, 2, 3, 4, 6)
"""Numbers of films after which regrets are reported."""
RESULTS = Path(__file__).parent / "results" / "transfer"


def elsewhere(number: str, arm: str, seed: int) -> Dataset | None:
    """The prior data of an arm; None without any."""
    plate, rng = Plate.load(number), np.random.default_rng([int(number), seed, 1])
    if arm == "none":
        return None
    source = Plate.load(PARTNER[number]) if arm == "other plate" else plate
    table = shared(source, plate)
    keys = [sorted(table)[k] for k in rng.permutation(len(table))[:MOST]]
    values, spread = np.array([table[key] for key in keys]), float(plate.sd[0])
    noise = spread * OTHER_NOISE * rng.standard_normal(len(values))
    if arm == "shuffled":
        values = rng.permutation(values)
    if arm == "inverted":
        values = 2.0 * np.median(values) - values
    shift = 0.0 if arm == "other plate" else SHIFT * spread
    Y = (values + noise + shift)[:, None]
    names = np.array([f"{k:04d}" for k in range(len(keys))])
    plain = Dataset(
        np.array(keys) / 10.0, Y, np.full_like(Y, np.nan), np.full(len(keys), "elsewhere"), 0.0 * Y[:, 0], names
    )
    return Dataset(**{**vars(plain), "sources": np.full(len(keys), "elsewhere")})


def shared(source: Plate, plate: Plate) -> dict[Tenths, float]:
    """Values of a plate at the compositions that another one can have, in the order of the latter's elements."""
    found = {}
    for key, value in source.table.items():
        made = {element: tenths for element, tenths in zip(source.elements, key, strict=True) if tenths}
        if set(made) <= set(plate.elements):
            found[tuple(made.get(element, 0) for element in plate.elements)] = value
    return found


@dataclass
class Campaign:
    """One campaign, film by film."""

    plate: Plate
    seed: int
    prior: Dataset | None
    films: int = FILMS
    made: list[Film] = field(default_factory=list)
    regret: list[float] = field(default_factory=list)
    correlation: list[float] = field(default_factory=list)
    """What the model believed of the prior data, before each film that it chose."""
    _last: ModelBundle | None = None

    def run(self) -> dict[str, Any]:
        """Make every film; JSON-able figures."""
        began, own = time.process_time(), Dataset.empty(len(self.plate.elements))
        noise, best = Noise(offset=OFFSET), np.inf
        for number in range(self.films):
            film = self._next(own, number)
            reading = noise.measure(self.plate, self.seed, number, film)
            own = extended(own, film, reading.y, number)
            best = min(best, float(np.nanmin(np.where(np.isnan(reading.y), np.inf, reading.true))))
            self.regret.append(best - self.plate.best)
        seconds = time.process_time() - began
        return {"regret": self.regret, "correlation": self.correlation, "cpu_seconds": round(seconds, 2)}

    def _next(self, own: Dataset, number: int) -> Film:
        starts = self.plate.starts(self.seed)
        if self.prior is None and number < len(starts):
            return starts[number]
        dataset = own if self.prior is None else joined([own, self.prior])
        problem = self.plate.problem
        self._last = train(problem, dataset, seed=self.seed, previous=self._last)
        if self.prior is not None:
            self.correlation.append(self._last.metrics["prior_data"]["overpotential"][0]["correlation"])
        return propose(problem, self._last, dataset, pending=[], count=1, seed=self.seed)[0].film


def campaign(key: tuple[str, str, int], films: int = FILMS) -> dict[str, Any]:
    """Run the campaign of a plate, an arm and a seed."""
    plate, arm, seed = key
    outcome = Campaign(Plate.load(plate), seed, elsewhere(plate, arm, seed), films).run()
    return {"plate": plate, "arm": arm, "seed": seed, **outcome}


def wanted(seeds: int) -> Iterator[tuple[str, str, int]]:
    """Plate, arm and seed of every campaign; seed by seed, so that arms stay paired if it is interrupted."""
    return ((plate, arm, seed) for seed in range(seeds) for plate in PLATES for arm in ARMS)


def tables(records: list[dict[str, Any]]) -> tuple[list[dict[str, object]], dict[str, str]]:
    """Mean regret by arm and number of films, and each arm against none in words."""
    regret = {arm: np.array([r["regret"] for r in records if r["arm"] == arm]) for arm in ARMS}
    believed = {arm: [r["correlation"] for r in records if r["arm"] == arm] for arm in ARMS}
    rows: list[dict[str, object]] = []
    for arm, paths in regret.items():
        after = {f"{n} films": _mean(paths[:, n - 1]) for n in REPORTED if n <= paths.shape[1]}
        first, last = ("", "") if arm == "none" else (_believed(believed[arm], 0), _believed(believed[arm], -1))
        rows.append({"arm": arm, "campaigns": len(paths), **after, "first correlation": first, "last": last})
    compared = {
        f"{arm}, {n} films": in_words(paired(regret[arm][:, n - 1], regret["none"][:, n - 1]))
        for arm in ARMS[1:]
        for n in REPORTED
        if n <= regret[arm].shape[1]
    }
    return rows, compared


def _mean(values: Array) -> str:
    return f"{values.mean():.1f} ± {values.std(ddof=1) / np.sqrt(len(values)):.1f}"


def _believed(paths: list[list[float]], number: int) -> str:
    return f"{np.mean([path[number] for path in paths]):.2f}"


def _read(raw: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in raw.read_text().splitlines()] if raw.exists() else []


def main() -> None:
    """Run what is missing, then print and write the tables."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seeds", type=int, default=10, help="seeds 0 ... N - 1, for each of three plates")
    seeds = options.parse_args().seeds
    print(heading("transfer"))
    raw = RESULTS / "campaigns.jsonl"
    raw.parent.mkdir(parents=True, exist_ok=True)
    done = {(r["plate"], r["arm"], r["seed"]) for r in _read(raw)}
    for key in [key for key in wanted(seeds) if key not in done]:
        record = campaign(key)
        with raw.open("a") as file:
            file.write(json.dumps(record) + "\n")
        print(*key, f"{record['regret'][-1]:.1f} mV in {record['cpu_seconds']} s", flush=True)
    records = [r for r in _read(raw) if r["seed"] < seeds]
    rows, compared = tables(records)
    facts = {"unit of regret": "mV, mean ± standard error", "seeds per plate": seeds, **provenance()}
    write_study("transfer", facts | {f"against none: {arm}": words for arm, words in compared.items()}, rows)
    print(markdown_table(rows), *compared.items(), sep="\n")


if __name__ == "__main__":
    main()
