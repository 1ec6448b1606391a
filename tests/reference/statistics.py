"""Statistics of one image straight from their definitions: loops over pixels."""

from itertools import product

import numpy as np


def pixels(image):
    return product(*map(range, image.shape))


def moved(x, r, shape, periodic):
    """x + r, or None where it is not in the image."""
    y = tuple(a + b for a, b in zip(x, r, strict=True))
    if periodic:
        return tuple(a % n for a, n in zip(y, shape, strict=True))
    return y if all(0 <= a < n for a, n in zip(y, shape, strict=True)) else None


def vectors(shape, periodic):
    """Index of a map -> the vector that it stands for."""
    for index in product(*(range(n if periodic else 2 * n - 1) for n in shape)):
        yield index, tuple(i if periodic else i - n + 1 for i, n in zip(index, shape, strict=True))


def chords(mask, direction, periodic):
    """Whole chords and cut ones by length, and pixels that belong to closed lines."""
    back = tuple(-d for d in direction)
    whole, cut, seen = {}, {}, set()
    for x in pixels(mask):
        before = moved(x, back, mask.shape, periodic)
        if not mask[x] or (before is not None and mask[before]):
            continue  # a chord does not begin here
        length, end = 0, x
        while end is not None and mask[end]:
            seen.add(end)
            length += 1
            end = moved(end, direction, mask.shape, periodic)
        kind = cut if before is None or end is None else whole
        kind[length] = kind.get(length, 0) + 1
    return whole, cut, int(mask.sum()) - len(seen)


def lineal_path(mask, direction, steps, periodic):
    """Share of the segments of 0 … steps−1 steps that lie in the mask."""
    values = []
    for r in range(steps):
        found = []
        for x in pixels(mask):
            segment = [
                moved(x, tuple(k * d for d in direction), mask.shape, periodic)
                for k in range(r + 1)
            ]
            if None not in segment:
                found.append(all(mask[y] for y in segment))
        values.append(np.mean(found) if found else np.nan)
    return values


def three_point(fields, r, s, periodic):
    first, second, third = fields
    products = []
    for x in pixels(first):
        y, z = (moved(x, v, first.shape, periodic) for v in (r, s))
        if y is not None and z is not None:
            products.append(first[x] * second[y] * third[z])
    return np.mean(products)


def same_component(labels, periodic):
    """Share of the pairs x, x + r that are in one component, for each r. labels: 0 outside."""
    shape = labels.shape
    result = np.empty([n if periodic else 2 * n - 1 for n in shape])
    for index, r in vectors(shape, periodic):
        found = []
        for x in pixels(labels):
            y = moved(x, r, shape, periodic)
            if y is not None:
                found.append(labels[x] > 0 and labels[x] == labels[y])
        result[index] = np.mean(found)
    return result


def differing(image, first, second, r, periodic):
    """Share of the pairs x, x + r that are of the two phases, in either order."""
    found = []
    for x in pixels(image):
        y = moved(x, r, image.shape, periodic)
        if y is not None:
            found.append({image[x], image[y]} == {first, second})
    return np.mean(found)


def lens(distance, radius):
    """Area common to two discs."""
    half = np.minimum(distance / (2 * radius), 1)
    return 2 * radius**2 * (np.arccos(half) - half * np.sqrt(1 - half**2))


def boolean_model(rng, shape, radius, density):
    """Periodic discs or spheres at Poisson points, sampled at the centres of pixels."""
    image = np.zeros(shape, bool)
    axes = [np.arange(n) for n in shape]
    for centre in rng.random((rng.poisson(density * np.prod(shape)), len(shape))) * shape:
        away = [np.abs(a - c) for a, c in zip(axes, centre, strict=True)]
        away = [np.minimum(a, n - a) ** 2 for a, n in zip(away, shape, strict=True)]
        image |= sum(np.ix_(*away)) < radius**2
    return image
