"""Percolation around a torus, by flooding each component and counting the edges crossed."""

from itertools import product


def windings(mask, corners):
    """(n0, n1) booleans -> the set of windings (a, b) met when components are flooded."""
    n0, n1 = mask.shape
    steps = [
        (di, dj) for di, dj in product((-1, 0, 1), repeat=2) if corners or abs(di) + abs(dj) == 1
    ]
    crossings, found = {}, set()
    for start in product(range(n0), range(n1)):
        if not mask[start] or start in crossings:
            continue
        crossings[start] = (0, 0)
        todo = [start]
        while todo:
            i, j = todo.pop()
            for di, dj in steps:
                a, k = divmod(i + di, n0)
                b, m = divmod(j + dj, n1)
                if not mask[k, m]:
                    continue
                here = (crossings[i, j][0] + a, crossings[i, j][1] + b)
                if (k, m) not in crossings:
                    crossings[k, m] = here
                    todo.append((k, m))
                elif crossings[k, m] != here:
                    there = crossings[k, m]
                    found.add((here[0] - there[0], here[1] - there[1]))
    return found


def percolates(mask, corners=True):
    """(n0, n1) booleans -> whether something goes around along each axis."""
    found = windings(mask, corners)
    return [any(w[axis] for w in found) for axis in (0, 1)]
