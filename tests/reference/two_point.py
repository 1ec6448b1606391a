"""Two-point correlations by their definition, one shift at a time."""

import itertools

import numpy as np


def two_point(first, second, valid, periodic):
    """⟨M(x) M'(x + r)⟩ of one pair of fields, and the number of x in each mean."""
    shape = first.shape
    shifts = [range(n) if periodic else range(-n + 1, n) for n in shape]
    sums = np.zeros([len(s) for s in shifts])
    numbers = np.zeros_like(sums)
    for index, r in zip(np.ndindex(sums.shape), itertools.product(*shifts), strict=True):
        for x in np.ndindex(shape):
            y = tuple(a + b for a, b in zip(x, r, strict=True))
            if periodic:
                y = tuple(a % n for a, n in zip(y, shape, strict=True))
            elif not all(0 <= a < n for a, n in zip(y, shape, strict=True)):
                continue
            if valid[x] and valid[y]:
                sums[index] += first[x] * second[y]
                numbers[index] += 1
    return sums, numbers
