"""A wedge deposition, atom by atom in time: what a moving shutter leaves on the substrate."""

import numpy as np


def deposited(u, v, position, *, steps=20_000):
    """Composition at `position` after source u closes from end B to A while source v opens from A to B.

    Each source delivers its flux at every instant during which the shutter leaves the position open. At instant T in
    [0, 1] the shutter over source u has covered everything beyond 1 - T, and the one over source v has uncovered
    everything beyond 1 - T.

    Args:
        u: Atoms of each element per unit of time from the first source.
        v: The same from the second source.
        position: Place along the gradient, 0 at end A, 1 at end B.
        steps: Instants.
    """
    instants = (np.arange(steps) + 0.5) / steps
    edge = 1.0 - instants
    atoms = np.zeros(len(u))
    atoms += np.asarray(u) * np.mean(position <= edge)
    atoms += np.asarray(v) * np.mean(position > edge)
    return atoms / atoms.sum()
