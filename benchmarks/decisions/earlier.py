"""Campaigns of an earlier version of an arm that the present one would only repeat.

Most changes change no decision. So where the present version chose the very films of an earlier one in the first
campaigns of a task, the earlier one's other campaigns stand for its own, and say by which version they were played.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from benchmarks.decisions.records import Key, Record, key_of


def taken_over(records: Sequence[Record], wanted: Iterable[Key], first: int) -> Iterator[Record]:
    """Campaigns that need not be played.

    Args:
        records: Every finished campaign.
        wanted: Campaigns that are asked for.
        first: Number of first seeds in which the films must be the same.

    Yields:
        Campaigns of earlier versions, under the version that is asked for; `played_by` has their own.
    """
    known = {key_of(record): record for record in records}
    versions: dict[str, set[str]] = defaultdict(set)
    for key, record in known.items():
        if "played_by" not in record:
            versions[key.arm].add(key.version)
    for key in wanted:
        if key in known:
            continue
        for version in sorted(versions[key.arm] - {key.version}):
            earlier = known.get(key._replace(version=version))
            if earlier is not None and _same_films(known, key, version, first):
                yield {**earlier, "version": key.version, "played_by": version}
                break


def _same_films(known: dict[Key, Record], key: Key, version: str, first: int) -> bool:
    now = [known.get(key._replace(seed=seed)) for seed in range(first)]
    then = [known.get(key._replace(seed=seed, version=version)) for seed in range(first)]
    pairs = zip(now, then, strict=True)
    return first > 0 and all(a is not None and b is not None and a["made"] == b["made"] for a, b in pairs)
