"""What the sampler's kernels do, by plain loops and sorts."""

from itertools import product

import numpy as np


def windows(image, side, periodic):
    """All patches of an image (C, m0, m1) as rows (count, C * side²), in the order of corners."""
    _, m0, m1 = image.shape
    last0, last1 = (m0, m1) if periodic else (m0 - side + 1, m1 - side + 1)
    rows = np.arange(side)
    return np.array(
        [
            image[:, (i + rows)[:, None] % m0, (j + rows) % m1].ravel()
            for i, j in product(range(last0), range(last1))
        ]
    )


def transport(values, wanted, _=None):
    """The monotone map: each value goes to the wanted one of its own rank."""
    rank = (np.argsort(np.argsort(values)) + 0.5) / len(values)
    return np.quantile(wanted, rank, method="hazen")


def binned_transport(values, wanted, filter_, bins=1024):
    """The same between histograms: linear between the edges of bins over all possible values."""
    low, high = np.minimum(filter_, 0).sum(), np.maximum(filter_, 0).sum()
    margin = 1e-3 * (high - low) + 1e-6
    edges = np.linspace(low - margin, high + margin, bins + 1)
    share = np.histogram(wanted, edges)[0] / len(wanted)
    rank = np.append(0, np.cumsum(np.histogram(values, edges)[0])) / len(values)
    passed = np.append(0, np.cumsum(share))
    moved = []
    for r in rank:
        b = int(np.argmax((passed[1:] >= r - 1e-12) & (share > 0)))  # the bin that holds this rank
        moved.append(edges[b] + (r - passed[b]) / share[b] * (edges[1] - edges[0]))
    return np.interp(values, edges, moved)


def sliced_step(field, exemplar, filters, transport):
    """The mean change (C, n0, n1) of pixels over the patches that they lie in, for each filter."""
    components, n0, n1 = field.shape
    side = filters.shape[-1]
    patches, wanted = windows(field, side, True), windows(exemplar, side, False)
    change = np.zeros(field.shape)
    for w in filters.reshape(len(filters), -1):
        values = patches @ w
        moves = np.outer(transport(values, wanted @ w, w) - values, w)
        for move, (i, j) in zip(moves, product(range(n0), range(n1)), strict=True):
            block = move.reshape(components, side, side)
            for a, b in product(range(side), range(side)):
                change[:, (i + a) % n0, (j + b) % n1] += block[:, a, b]
    return change / len(filters)


def chord_counts(line, phases, bins):
    """Chords of a periodic line by phase and length, (phases, bins)."""
    n = len(line)
    counts = np.zeros((phases, bins), int)
    starts = [i for i in range(n) if line[i] != line[i - 1]] or [0]
    for i in starts:
        length = 1
        while length < n and line[(i + length) % n] == line[i]:
            length += 1
        counts[line[i], min(length, bins - 1)] += 1
    return counts


def pattern_counts(labels, offsets, phases):
    """Codes Σ_j label_j P^j of a pattern at every pixel of periodic labels (n0, n1, n2)."""
    counts = np.zeros(phases ** len(offsets), int)
    for x in product(*map(range, labels.shape)):
        code = 0
        for j, offset in enumerate(offsets):
            y = tuple((a + b) % n for a, b, n in zip(x, offset, labels.shape, strict=True))
            code += int(labels[y]) * phases**j
        counts[code] += 1
    return counts


def covariance(image, phase, shift):
    """Σ M(x) M(x + r) within an image, over the number of such x, less the square of the mean."""
    pairs = []
    for x in np.ndindex(image.shape):
        y = tuple(np.add(x, shift))
        if all(0 <= b < n for b, n in zip(y, image.shape, strict=True)):
            pairs.append(image[x] == phase and image[y] == phase)
    return np.mean(pairs) - np.mean(image == phase) ** 2
