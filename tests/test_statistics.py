"""Statistics of labels: against loops over pixels, and where they are known exactly."""

from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from reference import statistics as reference

import pearlite as pl

stats = pl.statistics
SHAPES = [(5, 7), (8, 6), (2, 9), (3, 4, 5), (2, 6, 2)]
shapes = pytest.mark.parametrize("shape", SHAPES, ids=str)
borders = pytest.mark.parametrize("periodic", [True, False], ids=["periodic", "open"])


def labels_of(shape, phases=3, seed=0):
    """Blobs and single pixels of a few phases."""
    rng = np.random.default_rng([seed, *shape])
    image = rng.integers(0, phases, shape)
    image[: shape[0] // 2] = rng.integers(0, phases)
    return np.where(rng.random(shape) < 0.5, image, np.roll(image, 1, axis=-1))


def directions(dim):
    found = [[1, 0], [0, 1], [1, 1], [2, -1], [0, 3]]
    return np.array([[0, *d] for d in found] + [[1, 0, 0], [1, -1, 1]] if dim == 3 else found)


# Fractions ---------------------------------------------------------------------------------------


def test_fractions_of_a_batch():
    image = labels_of((3, 5, 7)) * 10
    found = stats.volume_fractions(image)
    expected = [[(part == phase).mean() for phase in (0, 10, 20)] for part in image]
    assert_array_equal(found, expected)
    assert_array_equal(
        stats.volume_fractions(image, [20, 5]), np.take(expected, [2, 2], 1) * [1, 0]
    )
    whole = [(image == phase).mean() for phase in (0, 10, 20)]
    assert_array_equal(stats.volume_fractions(image, dim=3), whole)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, ">i4", np.uint16, np.int64, np.uint64])
def test_any_integers_are_labels(dtype):
    image = np.array([[3, 100], [3, 3]], dtype)
    assert_array_equal(stats.volume_fractions(image), [0.75, 0.25])
    assert_array_equal(stats.volume_fractions(image, [100, -2, 70000]), [0.25, 0, 0])


def test_booleans_are_two_phases():
    assert_array_equal(stats.volume_fractions(np.zeros((2, 2), bool)), [1, 0])


# Three points ------------------------------------------------------------------------------------


@shapes
@borders
def test_three_point_by_definition(shape, periodic):
    rng = np.random.default_rng(1)
    dim = len(shape)
    image, field = labels_of(shape), rng.normal(size=shape)
    pairs = rng.integers(-1, 2, (2, 3, 2, dim))
    pairs[..., np.array(shape) == 2] = np.abs(pairs[..., np.array(shape) == 2])  # or none fits
    options = {"periodic": periodic, "dim": dim}
    found = stats.three_point(image, pairs, phases=(0, 1, 2), **options)
    real = stats.three_point(field, pairs, **options)
    for index in np.ndindex(2, 3):
        r, s = pairs[index]
        indicators = [(image == phase) * 1.0 for phase in (0, 1, 2)]
        assert found[index] == reference.three_point(indicators, r, s, periodic)
        expected = reference.three_point([field] * 3, r, s, periodic)
        assert real[index] == pytest.approx(expected, rel=1e-12)
    batch = stats.three_point(np.stack([image, image]), pairs, phases=(0, 1, 2), **options)
    assert_array_equal(batch, [found, found])


def test_two_of_three_points_are_two_points():
    image = labels_of((9, 8)) == 1
    s2 = pl.correlation.two_point(image)
    vectors = np.indices((9, 8)).reshape(2, -1).T
    pairs = np.stack([vectors, np.zeros_like(vectors)], axis=1)
    assert_allclose(stats.three_point(image, pairs).reshape(9, 8), s2, rtol=0, atol=1e-15)


# Chords and lineal paths -------------------------------------------------------------------------


@shapes
@borders
def test_chords_by_definition(shape, periodic):
    dim = len(shape)
    image, steps = labels_of(shape), directions(len(shape))
    found = stats.chord_lengths(
        image, phases=[2, 0], directions=steps, periodic=periodic, dim=dim, threads=2
    )
    for (p, phase), (d, step) in product(enumerate([2, 0]), enumerate(steps)):
        whole, cut, closed = reference.chords(image == phase, tuple(step), periodic)
        for counts, expected in ((found.counts, whole), (found.cut, cut)):
            histogram = counts[p, d]
            assert {k: histogram[k] for k in np.flatnonzero(histogram)} == expected
        assert found.around[p, d] * found.line_length[d] == closed
    assert_allclose(found.step, np.linalg.norm(steps, axis=1))


@shapes
@borders
def test_lineal_path_by_definition(shape, periodic):
    dim = len(shape)
    image, steps = labels_of(shape, phases=2), directions(len(shape))
    found = stats.lineal_path(
        image, directions=steps, periodic=periodic, dim=dim, steps=9, phases=[0, 1, 7]
    )
    assert found.values.shape == (3, len(steps), 9)
    for p in (0, 1, 2):
        for d, step in enumerate(steps):
            expected = reference.lineal_path(image == [0, 1, 7][p], tuple(step), 9, periodic)
            assert_array_equal(found.values[p, d], expected)
    assert_allclose(found.distance[0], np.arange(9) * np.linalg.norm(steps[0]))


@pytest.mark.parametrize("length", [1, 2, 7, 8, 9, 15, 16, 17, 33, 100])
def test_runs_of_any_length_and_place(length):
    """What compares eight pixels at a time sees each change, wherever it is."""
    rng = np.random.default_rng(length)
    for share in (0.02, 0.3, 0.5):
        line = rng.random((2, max(length, 2))) < share
        found = stats.chord_lengths(line, phases=[1], directions=(0, 1))
        whole, _, closed = reference.chords(line, (0, 1), True)
        assert {k: n for k, n in enumerate(found.counts[0, 0]) if n} == whole
        assert found.around[0, 0] * line.shape[1] == closed


@borders
def test_chords_make_up_the_phases(periodic):
    image = labels_of((4, 40, 37))
    found = stats.chord_lengths(image, directions=[(1, 0), (3, 2)], periodic=periodic)
    lengths = np.arange(found.counts.shape[-1])
    total = ((found.counts + found.cut) * lengths).sum(-1) + found.around * found.line_length
    expected = stats.volume_fractions(image)[..., None] * 40 * 37
    assert_allclose(total, np.broadcast_to(expected, total.shape), rtol=1e-14)
    pooled = found.pooled()
    assert_array_equal(pooled.counts, found.counts.sum(axis=0))
    number = pooled.counts.sum(-1)
    assert_allclose(pooled.mean * number / found.step, (pooled.counts * lengths).sum(-1))
    assert_allclose(pooled.distribution.sum(-1), 1)


def test_spacing_scales_lengths():
    image = labels_of((12, 10))
    steps = [(1, 0), (0, 1), (1, 1)]
    plain = stats.chord_lengths(image, directions=steps)
    scaled = stats.chord_lengths(image, directions=steps, spacing=(3, 4))
    assert_array_equal(scaled.counts, plain.counts)
    assert_allclose(scaled.step, [3, 4, 5])
    assert_allclose(scaled.mean / plain.mean, np.broadcast_to([3, 4, 5 / np.sqrt(2)], (3, 3)))
    assert_allclose(scaled.lengths[2, :3], [0, 5, 10])


def test_more_threads_count_the_same():
    image = np.random.default_rng(0).integers(0, 3, (2, 300, 310))
    steps = [(1, 0), (0, 1), (1, 1)]
    one, two = (stats.chord_lengths(image, directions=steps, threads=n) for n in (1, 2))
    assert_array_equal(one.counts, two.counts)
    each = [stats.chord_lengths(part, directions=steps) for part in image]
    for part, whole in zip(each, one.counts, strict=True):
        assert_array_equal(part.counts, whole[..., : part.counts.shape[-1]])


# Surfaces ----------------------------------------------------------------------------------------


@shapes
@borders
def test_interfaces_by_definition(shape, periodic):
    dim = len(shape)
    image = labels_of(shape)
    sizes = np.array([1.0, 0.5, 2.0][:dim])
    options = {"periodic": periodic, "spacing": sizes, "dim": dim}
    faces = stats.interface_area(image, method="faces", **options)
    crofton = stats.interface_area(image, **options)
    steps = [s for s in np.ndindex((3,) * dim) if s > (1,) * dim]
    steps = np.array(steps) - 1
    weights = stats._surface.solid_angles(steps, sizes)
    for a, b in ((0, 1), (1, 2), (0, 2)):
        expected = sum(
            reference.differing(image, a, b, axis, periodic) / h
            for axis, h in zip(np.eye(dim, dtype=int), sizes, strict=True)
        )
        assert_allclose(faces[a, b], expected, rtol=1e-13)
        expected = {2: np.pi / 2, 3: 2}[dim] * sum(
            weight * reference.differing(image, a, b, step, periodic) / np.linalg.norm(step * sizes)
            for weight, step in zip(weights, steps, strict=True)
        )
        assert_allclose(crofton[a, b], expected, rtol=1e-13)
    assert_array_equal(crofton, crofton.T)
    assert_array_equal(np.diagonal(crofton), 0)
    assert_allclose(crofton.sum(axis=1), stats.surface_area(image, **options), rtol=1e-13)
    assert_allclose(
        stats.surface_area(image, phases=[2, 1], **options), crofton.sum(axis=1)[[2, 1]], rtol=1e-13
    )


def test_weights_of_directions():
    """They sum to one, have the symmetry of the pixels, and are nearest-direction shares."""
    square = stats._surface.solid_angles(stats._surface.half_neighbours(2), np.ones(2))
    assert_allclose(square, 1 / 4)
    steps = stats._surface.half_neighbours(3)
    cube = stats._surface.solid_angles(steps, np.ones(3))
    by_kind = {k: cube[np.abs(steps).sum(axis=1) == k] for k in (1, 2, 3)}
    # Ohser and Mücklich's constants, of 26 directions.
    for kind, weight in ((1, 0.0457779), (2, 0.0369806), (3, 0.0351956)):
        assert_allclose(by_kind[kind], 2 * weight, rtol=1e-5)
    for sizes in ([1, 2], [1, 0.2, 3]):
        sizes = np.array(sizes, float)
        steps = stats._surface.half_neighbours(len(sizes))
        shares = stats._surface.solid_angles(steps, sizes)
        assert shares.sum() == pytest.approx(1)
        normal = np.random.default_rng(0).normal(size=(100_000, len(sizes)))
        units = steps * sizes / np.linalg.norm(steps * sizes, axis=1)[:, None]
        nearest = np.abs(normal @ units.T).argmax(axis=1)
        drawn = np.bincount(nearest, minlength=len(steps)) / len(normal)
        assert_allclose(shares, drawn, atol=5 * 0.5 / np.sqrt(len(normal)))


# Exact structures --------------------------------------------------------------------------------


@pytest.mark.parametrize("dim", [2, 3])
def test_stripes(dim):
    """Layers of 3 pixels of phase 1 and 5 of phase 0, normal to axis 0."""
    image = np.zeros((16, *(6,) * (dim - 1)), np.uint8)
    image[[0, 1, 2, 8, 9, 10]] = 1
    assert_array_equal(stats.volume_fractions(image, dim=dim), [5 / 8, 3 / 8])
    chords = stats.chord_lengths(image, dim=dim, spacing=0.5)
    assert_array_equal(chords.mean[:, 0], [2.5, 1.5])
    assert np.isnan(chords.mean[:, 1:]).all()
    assert_array_equal(chords.around[:, 1:], [[c * 6 ** (dim - 2)] * (dim - 1) for c in (10, 6)])
    path = stats.lineal_path(image, dim=dim, phases=[1]).values[0]
    assert_array_equal(path[0, :4], [3 / 8, 2 / 8, 1 / 8, 0])
    assert_array_equal(path[1:], 3 / 8)
    faces = stats.surface_area(image, method="faces", spacing=0.5, dim=dim)
    assert_array_equal(faces, [0.5, 0.5])
    assert_array_equal(stats.percolates(image, 1, dim=dim), [False, *[True] * (dim - 1)])
    assert int(stats.components(image, 1, dim=dim).counts) == 2
    # Between layers of one phase there is no path: C2 is S2 of a single layer, twice.
    single = (image == 1) & (np.arange(16) < 5).reshape(-1, *(1,) * (dim - 1))
    expected = 2 * pl.correlation.two_point(single, dim=dim)
    assert_allclose(stats.two_point_cluster(image, 1, dim=dim), expected, atol=1e-15)


@pytest.mark.parametrize("dim", [2, 3])
def test_checkerboard(dim):
    """Tiles of 4 pixels: their edges touch, and no more."""
    image = (np.indices((16,) * dim) // 4).sum(axis=0) % 2
    chords = stats.chord_lengths(image, dim=dim)
    expected = np.zeros(5)
    expected[4] = 1
    assert_array_equal(chords.distribution, np.broadcast_to(expected, (2, dim, 5)))
    assert_array_equal(stats.surface_area(image, method="faces", dim=dim), np.full(2, dim / 4))
    tiles = 4**dim // 2
    assert int(stats.components(image, 0, dim=dim).counts) == tiles
    assert not stats.percolates(image, 0, connectivity="faces", dim=dim).any()
    assert stats.percolates(
        image, 0, connectivity="edges" if dim == 3 else "corners", dim=dim
    ).all()
    # S2 along an axis is a triangle wave between 1/2 and 0.
    counts = pl.correlation.two_point(image == 0, counts=True, dim=dim)
    profile = stats.directional_profile(counts, np.eye(dim, dtype=int)[0], dim=dim)
    assert_array_equal(profile.values, np.array([4, 3, 2, 1, 0, 1, 2, 3, 4]) / 8 * image.size)


def test_white_noise():
    """Independent pixels: chords are geometric, S2 is φ², within five standard errors."""
    share, n = 0.3, 128
    images = np.random.default_rng(5).random((40, n, n)) < share
    chords = stats.chord_lengths(images, phases=[1])
    mean, _, error, _ = stats.ensemble(chords.mean[:, 0])
    assert_array_less_sigma(mean - 1 / (1 - share), error)
    k = np.arange(1, 5)
    mean, _, error, _ = stats.ensemble(chords.distribution[:, 0, :, 1:5])
    assert_array_less_sigma(mean - share ** (k - 1) * (1 - share), error)
    faces = stats.surface_area(images, phases=[1], method="faces")
    mean, _, error, _ = stats.ensemble(faces)
    assert_array_less_sigma(mean - 4 * share * (1 - share), error)
    radial = stats.radial_average(pl.correlation.two_point(images))
    mean, _, error, _ = stats.ensemble(radial.values[:, 1:])
    assert_array_less_sigma(mean - share**2, error)
    mean, _, error, _ = stats.ensemble(stats.lineal_path(images, phases=[1], steps=4).values)
    assert_array_less_sigma(mean - share ** np.arange(1, 5), error)
    pairs = [[(1, 0), (0, 1)], [(5, -3), (2, 2)]]
    mean, _, error, _ = stats.ensemble(stats.three_point(images, pairs))
    assert_array_less_sigma(mean - share**3, error)


def assert_array_less_sigma(difference, error):
    assert np.abs(difference / error).max() < 5


@pytest.mark.parametrize("dim", [2, 3])
def test_poisson_discs(dim):
    """The Boolean model: all that only asks for empty space has closed forms.

    A set of points is free of discs with probability exp(−ρ V), V the volume of the discs about
    them; of points in a row each disc adds the same to the union.
    """
    radius, shape, number = {2: (7.3, (128,) * 2, 60), 3: (5.2, (32,) * 3, 40)}[dim]
    density = {2: 0.004, 3: 0.0008}[dim]
    rng = np.random.default_rng(3)
    images = np.stack(
        [~reference.boolean_model(rng, shape, radius, density) for _ in range(number)]
    )
    ball = {2: np.pi * radius**2, 3: 4 / 3 * np.pi * radius**3}[dim]

    def common(distance):
        if dim == 2:
            return reference.lens(distance, radius)
        half = np.minimum(distance / (2 * radius), 1)
        return ball * (1 - 1.5 * half + 0.5 * half**3)

    added = ball - common(1)
    free = np.exp(-density * ball)

    found = stats.ensemble(stats.lineal_path(images, phases=[1], steps=15, dim=dim).values[:, 0])
    assert_array_less_sigma(
        found.mean - free * np.exp(-density * added * np.arange(15)), found.error
    )
    # A chord of k pixels: k in a row are free, and one before and one behind are not.
    counts = stats.chord_lengths(images, phases=[1], dim=dim).counts[:, 0, :, 1:16]
    in_a_row = free * np.exp(-density * added * np.arange(-1, 17))
    found = stats.ensemble(counts / images[0].size)
    assert_array_less_sigma(found.mean - np.diff(in_a_row, 2)[1:], found.error)
    profile = stats.directional_profile(
        pl.correlation.two_point(images, dim=dim), np.eye(dim, dtype=int)[0], dim=dim
    )
    expected = np.exp(-density * (2 * ball - common(profile.distance)))
    reach = profile.distance + 2 * radius < shape[0]  # or discs meet around the torus
    found = stats.ensemble(profile.values)
    assert_array_less_sigma((found.mean - expected)[reach], found.error[reach])

    surface = {2: 2 * np.pi * radius, 3: 4 * np.pi * radius**2}[dim] * density * free
    found = stats.ensemble(stats.surface_area(images, phases=[1], dim=dim)[:, 0])
    steps = stats._surface.half_neighbours(dim)
    lengths = np.linalg.norm(steps, axis=1)
    weights = stats._surface.solid_angles(steps, np.ones(dim)) / lengths
    rates = 2 * (free - np.exp(-density * (2 * ball - common(lengths))))
    assert_array_less_sigma(found.mean - {2: np.pi / 2, 3: 2}[dim] * weights @ rates, found.error)
    # A line of steps misses interfaces that are less than a step apart: first order in the pixel.
    assert found.mean == pytest.approx(surface, rel=0.07)
    assert found.mean < surface
    faces = stats.surface_area(images, phases=[1], method="faces", dim=dim).mean()
    assert faces == pytest.approx({2: 4 / np.pi, 3: 1.5}[dim] * surface, rel=0.05)
