"""Opaque ids that sort by the time they were drawn: a prefix that names the noun, 48 bits of time, 80 random bits."""

import secrets
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32: no i, l, o, u, so that an id survives being read aloud; its order is the order of ASCII."""


def new_id(prefix: str) -> str:
    """Draw an id such as `cmp_01k9zq3v7e8m5r2t4w6y8a0b1c`. Ids of one prefix sort by millisecond of creation."""
    number = (time.time_ns() // 1_000_000 << 80) | secrets.randbits(80)
    return prefix + "_" + "".join(_ALPHABET[(number >> shift) & 31] for shift in range(125, -1, -5))
