"""Very high contrast, voids (conductivity 0) and perfect conductors (infinite)."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from reference import corrector as reference
from reference import percolation

import pearlite as pl

SHAPE = (24, 20)


def random_mask(seed, fraction, shape=SHAPE):
    return np.random.default_rng(seed).random(shape) < fraction


def blobs(seed, shape=(32, 32)):
    """Smooth random two-phase structure, percolating or not."""
    rng = np.random.default_rng(seed)
    k0, k1 = np.meshgrid(*(np.fft.fftfreq(n) * n for n in shape), indexing="ij")
    filtered = np.fft.fft2(rng.standard_normal(shape)) * np.exp(-(k0**2 + k1**2) / 18)
    field = np.fft.ifft2(filtered).real
    return field > np.quantile(field, rng.uniform(0.2, 0.7))


@pytest.mark.parametrize("contrast", [1e4, 1e6, 1e8])
@pytest.mark.parametrize("seed", range(6))
def test_high_contrast(contrast, seed):
    """The direct solution of the same matrix, to rtol; its own rounding is 1e-16 · contrast."""
    mask = random_mask(seed, 0.5) if seed % 2 else blobs(seed, SHAPE)
    field = np.where(mask, contrast, 1.0)
    exact = reference.homogenize(field)
    difference = np.linalg.norm(pl.homogenize(field) - exact)
    assert difference <= 1.1e-6 * np.linalg.norm(exact)


def dense_limit(field):
    """Effective tensor of a cell with voids, by dense least squares."""
    stiffness, loads = reference.assemble(field)
    correctors = np.linalg.lstsq(stiffness.toarray(), -loads, rcond=1e-12)[0]
    return reference.energy(field, stiffness, loads, correctors)


@pytest.mark.parametrize("seed", range(12))
def test_voids_against_least_squares(seed):
    rng = np.random.default_rng(seed)
    field = np.where(random_mask(seed, rng.uniform(0.3, 0.95), (14, 12)), rng.uniform(1, 5), 0)
    exact = dense_limit(field)
    # Least squares leave rounding where the cell does not conduct; the scale is the solid's.
    assert_allclose(pl.homogenize(field, rtol=1e-9), exact, rtol=0, atol=1e-8 * field.max())


@pytest.mark.parametrize("seed", range(12))
def test_a_void_is_the_limit_of_a_poor_conductor(seed):
    solid = blobs(seed)
    limit = pl.homogenize(np.where(solid, 3.0, 0.0), rtol=1e-9)
    poor, poorer = (pl.homogenize(np.where(solid, 3.0, e), rtol=1e-10) for e in (1e-4, 5e-5))
    assert_allclose(limit, 2 * poorer - poor, rtol=0, atol=3e-6)  # next order: (1e-4 · gap)²


@pytest.mark.parametrize("seed", range(12))
def test_a_perfect_conductor_is_the_limit_of_a_good_one(seed):
    metal = blobs(seed)
    if any(percolation.percolates(metal)):
        metal &= ~np.roll(np.eye(32, dtype=bool), 1, 1)
        metal[:, 5] = metal[9] = False
    good, better, best = (reference.homogenize(np.where(metal, s, 1.0)) for s in (2e4, 4e4, 8e4))
    first, second = 2 * better - good, 2 * best - better
    limit = pl.homogenize(np.where(metal, np.inf, 1.0), rtol=1e-8)
    exact = (4 * second - first) / 3
    left = np.abs(exact - second).max()  # what the last extrapolation changed
    assert_allclose(limit, exact, rtol=0, atol=0.05 * left + 1e-7 * np.abs(exact).max())


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("spacing", [None, (1.0, 3.0)])
def test_layers(axis, spacing):
    layers = np.ones((3, 6, 6))
    np.moveaxis(layers, axis + 1, 1)[0, 2] = 0
    np.moveaxis(layers, axis + 1, 1)[1, 2] = np.inf
    np.moveaxis(layers, axis + 1, 1)[2, [2, 4]] = [[0], [np.inf]]
    effective = pl.homogenize(layers, spacing=spacing)
    across, along = effective[:, axis, axis], effective[:, 1 - axis, 1 - axis]
    assert_allclose(across, [0, 6 / 5, 0], rtol=1e-6)
    assert_allclose(along, [5 / 6, np.inf, np.inf], rtol=1e-6)
    assert_array_equal(effective[:, 0, 1], 0)


def test_nothing_but_limits():
    assert_array_equal(pl.homogenize(np.zeros((4, 5))), np.zeros((2, 2)))
    assert_array_equal(pl.homogenize(np.full((4, 5), np.inf)), np.diag([np.inf, np.inf]))
    islands = np.zeros((6, 6))
    islands[1:3, 1:3] = 7
    islands[4, 4] = np.inf
    assert_array_equal(pl.homogenize(islands), np.zeros((2, 2)))
    solution = pl.solve_correctors(islands)
    assert solution.converged
    assert np.isnan(solution.correctors).all()


def test_oblique_path_conducts_along_itself():
    """A staircase of pixels on the diagonal: A* is a multiple of ww^T with w = (1, 1)."""
    stairs = np.eye(8) + np.roll(np.eye(8), 1, axis=1)
    effective = pl.homogenize(stairs)
    assert effective[0, 0] > 0
    assert_allclose(effective, effective[0, 0], rtol=1e-12)
    assert_array_equal(pl.homogenize(np.where(stairs > 0, np.inf, 1)), np.inf)
    assert_array_equal(pl.homogenize(np.where(stairs > 0, np.inf, 1)[::-1])[0, 1], -np.inf)


def test_floating_islands_change_nothing():
    channel = np.zeros((10, 12))
    channel[:, 3:6] = 2.0
    islands = channel.copy()
    islands[2:4, 8:10] = 1e6
    assert_allclose(pl.homogenize(islands), pl.homogenize(channel), rtol=1e-9, atol=0)
    assert_allclose(pl.homogenize(channel), [[2 * 3 / 12, 0], [0, 0]], rtol=1e-9)


@pytest.mark.parametrize("width", [1, 2, 3])
def test_one_pixel_channels_and_gaps(width):
    """Channels one to three pixels wide, exactly laminates, on odd and even grids."""
    for n in (7, 16, 33):
        field = np.ones((n, 5))
        field[:width] = 1e4
        f = width / n
        expected = np.diag([1 / (f / 1e4 + 1 - f), 1e4 * f + 1 - f])
        assert_allclose(pl.homogenize(field), expected, rtol=1e-6, atol=1e-3)


@pytest.mark.parametrize("shape", [(2, 9), (9, 2), (2, 64), (64, 2), (2, 2)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_strips(shape, dtype):
    field = np.exp(3 * np.random.default_rng(1).standard_normal(shape)).astype(dtype)
    exact = reference.homogenize(field)
    assert np.linalg.norm(pl.homogenize(field) - exact) <= 1.2e-6 * np.linalg.norm(exact)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("value", [1.0, 0.1, 3e-30, 7e30])
def test_uniform_cells_are_exact(value, dtype):
    solution = pl.solve_correctors(np.full((2, 6, 5), value, dtype))
    assert_array_equal(solution.effective, np.broadcast_to(dtype(value) * np.eye(2), (2, 2, 2)))
    assert_array_equal(solution.correctors, 0)


def test_limits_in_one_batch():
    """A void in one cell changes nothing in the others."""
    rng = np.random.default_rng(5)
    fields = np.exp(rng.standard_normal((20, 16, 16)))
    expected = pl.homogenize(fields)
    fields[3], fields[11, 4] = 0, np.inf
    effective = pl.homogenize(fields)
    others = np.delete(np.arange(20), [3, 11])
    assert_allclose(effective[others], expected[others], rtol=1e-6, atol=1e-7)
    assert_array_equal(effective[3], 0)
    assert effective[11, 1, 1] == np.inf
    assert np.isfinite(effective[11, 0, 0])


def test_phases_and_tensors_with_limits():
    labels = np.zeros((8, 8), np.uint8)
    labels[2:5] = 1
    layers = pl.homogenize(labels, phases=[2.0, 0.0])
    assert_allclose(layers, [[0, 0], [0, 2 * 5 / 8]], rtol=1e-6)
    tensors = np.array([[[2.0, 0.5], [0.5, 1.0]], np.zeros((2, 2))])
    exact = dense_limit(tensors[labels])
    assert_allclose(pl.homogenize(labels, phases=tensors, tensor=True), exact, atol=1e-6)


@pytest.mark.parametrize("connectivity", ["corners", "edges"])
@pytest.mark.parametrize("fraction", [0.2, 0.4, 0.5, 0.6, 0.8])
def test_percolation_against_flooding(connectivity, fraction):
    masks = np.stack([random_mask(seed, fraction, (9, 7)) for seed in range(40)])
    expected = [percolation.percolates(mask, connectivity == "corners") for mask in masks]
    found = pl.statistics.percolates(masks, connectivity=connectivity)
    assert_array_equal(found, expected)
    assert_array_equal(pl.statistics.percolates(masks + 3, 4, connectivity=connectivity), expected)


def test_percolation_refuses_nonsense():
    with pytest.raises(TypeError, match="labels has dtype float64"):
        pl.statistics.percolates(np.ones((4, 4)), 1)
    with pytest.raises(ValueError, match="labels has shape"):
        pl.statistics.percolates(np.ones((4, 1), int), 1)
    with pytest.raises(TypeError, match="phase is None"):
        pl.statistics.percolates(np.ones((4, 4), int))
    with pytest.raises(ValueError, match="connectivity is 'sides'"):
        pl.statistics.percolates(np.ones((4, 4), bool), connectivity="sides")
