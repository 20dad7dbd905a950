"""Opaque ids that sort by the time they were drawn: a prefix that names the noun, 48 bits of time, 80 random bits."""

import functools
import secrets
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32: no i, l, o, u, so that an id survives being read aloud; its order is the order of ASCII."""
_RANDOM = 16
"""Random digits of an id."""
_DIGIT_OF_BYTE = bytes(ord(_ALPHABET[byte & 31]) for byte in range(256))


def new_id(prefix: str) -> str:
    """Draw an id such as `cmp_01k9zq3v7e8m5r2t4w6y8a0b1c`. Ids of one prefix sort by millisecond of creation."""
    return new_ids(prefix, 1)[0]


def new_ids(prefix: str, count: int) -> list[str]:
    """Draw several at once: the system is asked for random bytes once, not once for each."""
    drawn = secrets.token_bytes(_RANDOM * count).translate(_DIGIT_OF_BYTE).decode("ascii")  # 5 random bits of each byte
    head = f"{prefix}_{_millisecond(time.time_ns() // 1_000_000)}"
    return [head + drawn[k : k + _RANDOM] for k in range(0, _RANDOM * count, _RANDOM)]


@functools.lru_cache(maxsize=4)
def _millisecond(number: int) -> str:
    """48 bits of time as 10 digits; a batch draws thousands of ids within one."""
    return "".join(_ALPHABET[(number >> shift) & 31] for shift in range(45, -1, -5))
