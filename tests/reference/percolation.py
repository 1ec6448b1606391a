"""Percolation around a torus, by flooding each component and counting the edges crossed."""

from itertools import product


def steps_of(dim, reach):
    """All steps to neighbours of which at most `reach` indices differ."""
    return [s for s in product((-1, 0, 1), repeat=dim) if 0 < sum(map(abs, s)) <= reach]


def flood(mask, reach, periodic=True):
    """Booleans -> number of the component of each pixel, from 1, and the set of windings met."""
    labels, crossings, found, count = {}, {}, set(), 0
    for start in product(*map(range, mask.shape)):
        if not mask[start] or start in labels:
            continue
        count += 1
        labels[start], crossings[start] = count, (0,) * mask.ndim
        todo = [start]
        while todo:
            here = todo.pop()
            for step in steps_of(mask.ndim, reach):
                moved = [i + s for i, s in zip(here, step, strict=True)]
                around, there = zip(*map(divmod, moved, mask.shape), strict=True)
                if not mask[there] or (any(around) and not periodic):
                    continue
                crossed = tuple(a + b for a, b in zip(crossings[here], around, strict=True))
                if there not in labels:
                    labels[there], crossings[there] = count, crossed
                    todo.append(there)
                elif crossings[there] != crossed:
                    found.add(tuple(a - b for a, b in zip(crossed, crossings[there], strict=True)))
    return labels, found


def percolates(mask, corners=True):
    """(n0, n1) booleans -> whether something goes around along each axis."""
    return percolates_within(mask, 2 if corners else 1)


def percolates_within(mask, reach):
    """Booleans -> whether something goes around along each axis."""
    found = flood(mask, reach)[1]
    return [any(w[axis] for w in found) for axis in range(mask.ndim)]
