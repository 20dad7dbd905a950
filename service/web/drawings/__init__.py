"""What each page draws: from what the record tells to figures, in the visitor's language.

A drawing takes what an operation found and `t`, the catalogue in one language. It reads nothing and decides nothing.
"""

from collections.abc import Callable

Words = Callable[..., str]
"""A text of the catalogue by its key, its places filled."""

CONFIDENT = 1.96
"""Standard deviations on either side within which a normal value lies with 95 %."""
