"""Every rule of a film, checked from its definition: fluxes, fractions and commands, device by device.

It reads a problem's fields and a film's arrays, and shares no code with the science.
"""

import numpy as np

NEAR = 1e-9


def broken_rules(problem, film):
    """Name every rule that a film breaks by more than 1e-9."""
    space, geometry = problem.space, problem.film
    broken = _devices(space, geometry, film) + _between_the_ends(space, geometry, film) + _process(space, film)
    if geometry.choices:
        broken += [] if any(_is_choice(space, choice, film) for choice in geometry.choices) else ["not in the list"]
    return broken + (_commands(space, geometry, film) if geometry.grid is not None else [])


def broken_composition_rules(space, x):
    """Name every rule that one composition breaks by more than 1e-9, those on presence among them."""
    broken = _composition(space, x)
    for g in space.groups:
        present = [e for e, value in zip(space.elements, x, strict=True) if e in g.elements and value > NEAR]
        if g.max_present is not None and len(present) > g.max_present:
            broken.append(f"{len(present)} of {g.name} present")
    return broken


def _positions(geometry):
    if geometry.positions is not None:
        return list(geometry.positions)
    return [0.5] if geometry.devices == 1 else [k / (geometry.devices - 1) for k in range(geometry.devices)]


def _fluxes(space, geometry, film):
    """Atoms per element at both ends, up to one factor."""
    if geometry.grid is None:
        return np.array(film.a), geometry.flux_ratio * np.array(film.b)
    rate = {source.element: source.rate for source in geometry.grid.sources}
    rates = np.array([rate[e] for e in space.elements])
    return rates * film.commands.a, rates * film.commands.b


def _devices(space, geometry, film):
    u, v = _fluxes(space, geometry, film)
    positions, made = _positions(geometry), film.compositions()
    broken = [] if len(made) == len(positions) else [f"{len(made)} devices"]
    for t, x in zip(positions, made, strict=True):
        atoms = (1.0 - t) * u + t * v
        if np.abs(atoms / atoms.sum() - x).max() > NEAR:
            broken.append(f"position {t}: not what the wedge leaves there")
        broken += [f"position {t}: {rule}" for rule in _composition(space, x)]
    return broken


def _composition(space, x):
    part = dict(zip(space.elements, x, strict=True))
    broken = [] if abs(sum(part.values()) - 1.0) <= NEAR else ["sum"]
    broken += [f"{e} negative" for e, value in part.items() if value < -NEAR]
    for b in space.bounds:
        if not b.lower - NEAR <= part[b.element] <= b.upper + NEAR:
            broken.append(f"bounds of {b.element}")
        if b.absent_or_at_least is not None and NEAR < part[b.element] < b.absent_or_at_least - NEAR:
            broken.append(f"{b.element} present with less than it may")
    for g in space.groups:
        if not g.lower - NEAR <= sum(part[e] for e in g.elements) <= g.upper + NEAR:
            broken.append(f"total of {g.name}")
    for rule in space.linear:
        size = max(abs(c) for c in rule.coefficients.values()) or 1.0
        total = sum(c * part[e] for e, c in rule.coefficients.items())
        if rule.lower is not None and total < rule.lower - NEAR * size:
            broken.append(f"{rule.name} from below")
        if rule.upper is not None and total > rule.upper + NEAR * size:
            broken.append(f"{rule.name} from above")
    return broken


def _between_the_ends(space, geometry, film):
    broken = []
    for g in space.groups:
        members = [k for k, e in enumerate(space.elements) if e in g.elements]
        present = sum(max(film.a[k], film.b[k]) > NEAR for k in members)
        if g.max_present is not None and present > g.max_present:
            broken.append(f"{present} of {g.name} present")
    change = np.abs(np.array(film.a) - np.array(film.b))
    if change.max() > geometry.span_max + NEAR or change.max() < geometry.span_min - NEAR:
        broken.append(f"span {change.max()}")
    if geometry.grading == "pair" and geometry.grid is None and (change > NEAR).sum() > 2:
        broken.append("more than a pair changes")
    return broken


def _process(space, film):
    broken, columns = [], list(film.process)
    for v in space.process:
        if v.kind == "categorical":
            part, columns = columns[: len(v.choices)], columns[len(v.choices) :]
            if sorted(part) != [0.0] * (len(v.choices) - 1) + [1.0]:
                broken.append(f"choice of {v.name}")
            continue
        share, columns = columns[0], columns[1:]
        if not 0.0 <= share <= 1.0:
            broken.append(f"range of {v.name}")
        if v.step is not None:
            steps = share * (v.upper - v.lower) / v.step
            if abs(steps - round(steps)) * v.step > NEAR * (v.upper - v.lower):
                broken.append(f"steps of {v.name}")
    return broken + (["process columns left over"] if columns else [])


def _is_choice(space, choice, film):
    ends = [[end.get(e, 0.0) for e in space.elements] for end in (choice.a, choice.b)]
    return np.abs(np.array(ends) - np.array([film.a, film.b])).max() <= NEAR


def _commands(space, geometry, film):
    broken = []
    sources = {source.element: source for source in geometry.grid.sources}
    moved = []
    for k, e in enumerate(space.elements):
        source, told = sources[e], (film.commands.a[k], film.commands.b[k])
        moved.append(abs(told[0] - told[1]) > NEAR * source.step)
        if any(abs(c / source.step - round(c / source.step)) > NEAR for c in told):
            broken.append(f"{e} off its steps")
        off = told == (0.0, 0.0)
        if not off and not all(source.lower - NEAR <= c <= source.upper + NEAR for c in told):
            broken.append(f"{e} told {told}")
    u, v = _fluxes(space, geometry, film)
    if abs(v.sum() / u.sum() / geometry.flux_ratio - 1.0) > geometry.grid.ratio_within + NEAR:
        broken.append("flux ratio")
    for end, told in ((film.a, film.commands.a), (film.b, film.commands.b)):
        flux = np.array([sources[e].rate * c for e, c in zip(space.elements, told, strict=True)])
        if np.abs(flux / flux.sum() - end).max() > NEAR:
            broken.append("an end is not what the commands make")
    if geometry.grading == "pair":
        fixed = ~np.array(moved)
        if sum(moved) > 2:
            broken.append("more than a pair of sources changes")
        if (np.abs(film.a - film.b)[fixed] > geometry.grid.constant_within + NEAR).any():
            broken.append("a fixed element is not constant")
    return broken
