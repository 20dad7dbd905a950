"""Many descents at once: each walks on its own, but all of them ask for their values together.

A value costs little more for many points than for one. Every walk runs in a thread that waits most of the time; the
caller's thread computes, for all walks that still go on, one batch per step. The batches depend on the walks only, not
on the machine: the same starts end at the same points, to the last bit.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

import numpy as np
from numpy.typing import NDArray

from models.polytope import MOST_STEPS, Polytope, descend

Array = NDArray[np.float64]
Valued = tuple[float, Array]
Losses = Callable[[Sequence[int], Sequence[Array]], Sequence[Valued]]
"""Values and gradients for some walks, given by number, at their inner coordinates in units of `STEP`."""


class _Ended(Exception):
    """The caller gave up; the walk ends."""


def descend_together(
    regions: Sequence[Polytope], starts: Sequence[Array], losses: Losses, *, close: float, steps: int = MOST_STEPS
) -> list[Array]:
    """Walk from many points, each in its own region, to minima nearby; see `models.polytope.descend`.

    Args:
        regions: One for each walk.
        starts: `v` each, inside.
        losses: Called from this thread only. What it raises ends every walk and is raised here.
        close: A walk ends when a step lowers its function by less.
        steps: Most steps of one walk.

    Returns:
        `v` each, inside.
    """
    asked: SimpleQueue[tuple[int, Array | None]] = SimpleQueue()
    answers: list[SimpleQueue[Valued | None]] = [SimpleQueue() for _ in regions]

    def walk(k: int) -> Array:
        def loss(v: Array) -> Valued:
            asked.put((k, v.copy()))
            answer = answers[k].get()
            if answer is None:
                raise _Ended
            return answer

        try:
            return descend(regions[k], starts[k], loss, close=close, steps=steps)
        finally:
            asked.put((k, None))

    with ThreadPoolExecutor(max(1, len(regions)), thread_name_prefix="walk") as threads:
        walks = [threads.submit(walk, k) for k in range(len(regions))]
        try:
            _answer(len(regions), asked, answers, losses)
        except BaseException:
            for answer in answers:
                answer.put(None)
            raise
        return [w.result() for w in walks]


def _answer(
    count: int,
    asked: "SimpleQueue[tuple[int, Array | None]]",
    answers: "Sequence[SimpleQueue[Valued | None]]",
    losses: Losses,
) -> None:
    """Whenever every walk that goes on has asked, answer all of them."""
    walking, waiting = count, dict[int, Array]()
    while walking:
        k, v = asked.get()
        if v is None:
            walking -= 1
        else:
            waiting[k] = v
        if waiting and len(waiting) == walking:
            numbers = sorted(waiting)
            for number, answer in zip(numbers, losses(numbers, [waiting[n] for n in numbers]), strict=True):
                answers[number].put(answer)
            waiting.clear()
