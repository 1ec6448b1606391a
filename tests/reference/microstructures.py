"""Random periodic microstructures for tests and studies, plain numpy and scipy.

A geometry takes (rng, shape, count) and returns labels (n0, n1) in 0..count-1.
"""

import numpy as np
from scipy.spatial import cKDTree
from scipy.special import gamma, kv


def pixel_centres(shape):
    """-> (n0, n1, 2) in the unit cell."""
    axes = [(np.arange(n) + 0.5) / n for n in shape]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)


def nearest_site(sites, shape):
    """Index of the periodically nearest site, (n0, n1)."""
    return cKDTree(sites, boxsize=1).query(pixel_centres(shape))[1]


def voronoi(rng, shape, count):
    sites = rng.random((int(rng.integers(count, count + 60)), 2))
    phase = rng.permutation(np.arange(len(sites)) % count)
    return phase[nearest_site(sites, shape)]


def discs(rng, shape, count):
    """Overlapping discs of phases 1.. in a matrix of phase 0."""
    labels = np.zeros(shape, dtype=int)
    for i in range(int(rng.integers(count, 25 + count))):
        offset = np.abs(pixel_centres(shape) - rng.random(2))
        distance = np.hypot(*np.moveaxis(np.minimum(offset, 1 - offset), -1, 0))
        labels[distance < rng.uniform(0.03, 0.18)] = 1 + i % (count - 1)
    return labels


def checkerboard(rng, shape, count):
    """Blocks, cut at the seam where the period does not divide the cell."""
    block = int(rng.integers(2, max(3, min(shape) // 3)))
    i, j = np.indices(shape) // block
    return (i + j) % count


def pixel_checkerboard(rng, shape, count):
    i, j = np.indices(shape)
    return (i + int(rng.integers(1, 3)) * j) % count


def gaussian_field(rng, shape, length):
    """Periodic Gaussian noise of correlation length `length` pixels and unit variance."""
    q0, q1 = np.fft.fftfreq(shape[0]), np.fft.rfftfreq(shape[1])
    envelope = np.exp(-((np.pi * length) ** 2) * (q0[:, None] ** 2 + q1**2))
    field = np.fft.irfft2(np.fft.rfft2(rng.standard_normal(shape)) * envelope, s=shape)
    return (field - field.mean()) / field.std()


def threshold(rng, field, count):
    """Cut a field at random quantiles."""
    cuts = np.sort(rng.uniform(0.05, 0.95, count - 1))
    return np.searchsorted(np.quantile(field, cuts), field)


def coarse_noise(rng, shape, count):
    return threshold(rng, gaussian_field(rng, shape, rng.uniform(0.05, 0.15) * min(shape)), count)


def fine_noise(rng, shape, count):
    return threshold(rng, gaussian_field(rng, shape, rng.uniform(0.7, 2.5)), count)


def random_pixels(rng, shape, count):
    return rng.choice(count, size=shape, p=rng.dirichlet(np.ones(count)))


def single_pixels(rng, shape, count):
    """Sparse one-pixel inclusions."""
    labels = rng.integers(1, count, size=shape)
    return np.where(rng.random(shape) < rng.uniform(0.01, 0.15), labels, 0)


def islands(rng, shape, count):
    """Small blobs that touch no other blob: stiff, they float freely in the soft matrix."""
    labels = np.zeros(shape, dtype=int)
    pitch = int(rng.integers(3, 8))
    for i in range(0, shape[0] - pitch, pitch):
        for j in range(0, shape[1] - pitch, pitch):
            size = rng.integers(1, pitch - 1, 2)
            labels[i : i + size[0], j : j + size[1]] = rng.integers(0, count)
    return labels


def channels(rng, shape, count):
    """One- or two-pixel random walks across the cell, some closed, some broken."""
    labels = np.zeros(shape, dtype=int)
    for k in range(int(rng.integers(1, 6))):
        width, along = int(rng.integers(1, 3)), int(rng.integers(2))
        n, across = shape[along], shape[1 - along]
        path = int(rng.integers(across)) + np.cumsum(rng.integers(-1, 2, n))
        kept = n if rng.random() < 0.7 else int(rng.integers(n // 2, n))
        view = labels if along == 0 else labels.T
        for w in range(width):
            view[np.arange(kept), (path[:kept] + w) % across] = 1 + k % (count - 1)
    return labels


def laminate(rng, shape, count):
    """Layers normal to axis 0, to axis 1, or stepped along the diagonal."""
    i, j = np.indices(shape)
    position = (i, j, i + j)[int(rng.integers(3))]
    return rng.integers(0, count, size=sum(shape))[position]


GEOMETRIES = {
    f.__name__: f
    for f in (voronoi, discs, checkerboard, pixel_checkerboard, coarse_noise, fine_noise,
              random_pixels, single_pixels, islands, channels, laminate)
}  # fmt: skip


def phase_values(rng, count, contrast):
    """`count` conductivities in random order, log-uniform, with exactly this contrast."""
    values = contrast ** rng.random(count)
    values[:2] = 1, contrast
    return rng.permutation(values)


def lognormal(rng, shape, contrast):
    """A continuous field with exactly this contrast, (n0, n1)."""
    field = gaussian_field(rng, shape, rng.uniform(0.5, 0.1 * min(shape)))
    return np.exp(np.log(contrast) * (field - field.min()) / np.ptp(field))


def rotated(angle, first, second):
    """Tensors with eigenvalue `first` along `angle` and `second` across it, (..., 2, 2)."""
    c, s = np.cos(angle), np.sin(angle)
    off = (first - second) * c * s
    rows = [first * c * c + second * s * s, off, off, first * s * s + second * c * c]
    return np.stack(rows, axis=-1).reshape(*np.shape(angle), 2, 2)


def phase_tensors(rng, count, contrast):
    """Tensors with turned axes: anisotropy to 100, eigenvalues within the contrast."""
    anisotropy = min(contrast, 100) ** rng.random(count)
    first = (contrast / anisotropy) ** rng.random(count)
    return rotated(rng.uniform(0, np.pi, count), first, first * anisotropy)


def scores(sites, weights, points, metric):
    """What seeds (K, d) compete by at points (..., d) of the unit torus, (..., K)."""
    gap = np.abs(points[..., None, :] - sites)
    gap = np.minimum(gap, 1 - gap)
    squares = (gap**2).sum(axis=-1)
    return (np.sqrt(squares) if metric == "additive" else squares) - weights


def grid_points(shape):
    """-> (*shape, d) in the unit cell, in any dimension."""
    axes = [(np.arange(n) + 0.5) / n for n in shape]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)


def neumann_mode(field, j, k, point):
    """The square root of the eigenvalue (j, k) times its normalized eigenfunction at a point."""
    side = 1 + 2 * field.extension
    eigenvalue = (np.pi**2 * (j**2 + k**2) / side**2 + field.tau**2) ** -field.beta
    x, y = (point[0] + field.extension) / side, (point[1] + field.extension) / side
    return np.sqrt(eigenvalue) * 2 / side * np.cos(j * np.pi * x) * np.cos(k * np.pi * y)


def neumann_value(field, normals, point):
    """The field of coefficients (M, M) at one point, term by term."""
    return sum(
        normals[j - 1, k - 1] * neumann_mode(field, j, k, point)
        for j in range(1, field.modes + 1)
        for k in range(1, field.modes + 1)
    )


def neumann_covariance(field, first, second):
    """The covariance of the truncated field between two points, term by term."""
    return sum(
        neumann_mode(field, j, k, first) * neumann_mode(field, j, k, second)
        for j in range(1, field.modes + 1)
        for k in range(1, field.modes + 1)
    )


def matern(r, tau, beta, dim):
    """The covariance of (-Δ + τ²)^(-β) in the whole space, at distances r > 0."""
    nu = beta - dim / 2
    scale = 2 ** (1 - nu) / ((4 * np.pi) ** (dim / 2) * gamma(beta) * tau ** (2 * nu))
    return scale * (tau * r) ** nu * kv(nu, tau * r)


def neumann_limit(field, first, second):
    """The covariance of the field of all modes j, k >= 1, between two different points.

    By the method of images, up to six cells away, less the modes with j = 0 or k = 0.
    """
    side = 1 + 2 * field.extension
    images = [
        [sign * (y + field.extension) + 2 * m * side for sign in (1, -1) for m in range(-6, 7)]
        for y in second
    ]
    x = [s + field.extension for s in first]
    tau, beta = field.tau, field.beta
    both = sum(
        matern(np.hypot(x[0] - a, x[1] - b), tau, beta, 2) for a in images[0] for b in images[1]
    )
    along = [
        sum(matern(abs(x[axis] - a), tau, beta, 1) for a in images[axis]) / side for axis in (0, 1)
    ]
    return both - sum(along) + tau ** (-2 * beta) / side**2
