"""Langevin steps and normal numbers by their definitions, one pixel or number after the other."""

import numpy as np


def philox(counter, key):
    """Four words of Philox 4x32-10, after Salmon et al. (2011)."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        a, b = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1, c2, c3 = (b >> 32) ^ c1 ^ k0, b & 0xFFFFFFFF, (a >> 32) ^ c3 ^ k1, a & 0xFFFFFFFF
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return c0, c1, c2, c3


def words(index, seed, sample, step, stream=0):
    """Return the pair of words, and those that continue them, that number `index` comes from."""
    tile, place = divmod(index, 64)
    j, lane = divmod(place, 16)
    key = seed & 0xFFFFFFFF, seed >> 32
    found = []
    for more in (0, 1):
        third = 0xE0000000 | sample >> 32 << 12 | stream << 5 | more << 4 | lane
        block = philox((tile, step, third, sample & 0xFFFFFFFF), key)
        found += block[j - j % 2], block[j - j % 2 + 1]
    return found[:2], found[2:], j % 2


def normal(index, seed, sample=0, step=0, *, wide=True, stream=0):
    """Return number `index` of a sample, in extended precision; `wide`: that of float64."""
    (first, second), (more_first, more_second), odd = words(index, seed, sample, step, stream)
    k, i, bits = first >> 1 & 0x3FFFFFFF, second >> 1 & 0x1FFFFFFF, 0
    if wide:
        k, i, bits = k << 32 | more_first, i << 32 | more_second, 32
    # Numerators of u and of θ, which float32 rounds at once.
    u, angle = 2 * k + 1, 2 * i + 1
    if not wide:
        u, angle = int(np.float32(u)), int(np.float32(angle))
    whole = 1 << (31 + bits)
    if 2 * u > whole:  # 1 − u has the digits that u lacks
        log = np.log1p(-np.ldexp(np.longdouble(whole - u), -31 - bits))
    else:
        log = np.log(np.ldexp(np.longdouble(u), -31 - bits))
    theta = np.longdouble("3.14159265358979323846264") / 4
    theta *= np.ldexp(np.longdouble(angle), -30 - bits)
    pair = [np.cos(theta), np.sin(theta)]
    if second & 0x40000000:
        pair.reverse()
    sign = -1 if (first, second)[odd] & 0x80000000 else 1
    return sign * np.sqrt(-2 * log) * pair[odd]


def phase_counts(interior):
    """interior: (C, *shape) -> counts of phases (P,), without uncertain pixels."""
    pixels = interior.reshape(len(interior), -1)
    if len(pixels) == 1:
        ones = int((pixels[0] > 0.5).sum())
        return np.array([pixels.shape[1] - ones, ones])
    total = pixels[0].copy()
    for row in pixels[1:]:
        total += row
    certain = ~(1 - total > pixels.max(axis=0))
    return np.bincount(pixels.argmax(axis=0)[certain], minlength=len(pixels))


def step(x, score, alpha, z, *, fraction=None, sigma=1.0, padding=0, low=-np.inf, high=np.inf,
         noise=1.0):  # fmt: skip
    """One image (C, *shape + 2 padding), one step, in its own precision; z: (C, *shape).

    -> the new image, its counts
    """
    inside = (slice(None), *(slice(padding, n - padding) for n in x.shape[1:]))
    m, kind = x[inside], x.dtype.type
    shift = np.zeros(len(m))
    before = phase_counts(m)
    if fraction is not None and before.sum():
        means = before / before.sum()
        means = means[1:] if len(m) == 1 else means
        shift = -alpha * (means - fraction) / (m[0].size * sigma**2)
    shift = shift.reshape(-1, *(1,) * (m.ndim - 1))
    y = m + shift.astype(kind) + kind(alpha) * score[inside]
    y = np.clip(y + kind(noise * np.sqrt(2 * alpha)) * z.astype(kind), low, high).astype(kind)
    widths = [(0, 0)] + [(padding, padding)] * (m.ndim - 1)
    return np.pad(y, widths, mode="wrap"), phase_counts(y)
