"""Two-sided bounds of voxels: exact cases, finer voxels, and what no flux may do."""

import numpy as np
import pytest

import pearlite as pl


def finer(field, times):
    for axis in range(3):
        field = field.repeat(times, axis)
    return field


def spheres(n, radius):
    place = (np.arange(n) + 0.5) / n - 0.5
    return sum(x**2 for x in np.meshgrid(place, place, place, indexing="ij")) < radius**2


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_layers_meet_both_bounds(axis):
    layers = np.moveaxis(np.ones((6, 4, 5)), 0, axis)
    np.moveaxis(layers, axis, 0)[::2] = 10
    lower, upper = pl.bounds(layers, dim=3)
    expected = np.full(3, 5.5)
    expected[axis] = 20 / 11
    assert np.allclose(lower, np.diag(expected), rtol=0, atol=5e-6)
    assert np.allclose(upper, np.diag(expected), rtol=0, atol=5e-6)


@pytest.mark.parametrize("spacing", [None, (1.0, 0.5, 2.0)])
def test_finer_voxels_lie_between_and_narrow_the_bracket(spacing):
    field = np.where(np.random.default_rng(0).random((4, 5, 4)) < 0.4, 10.0, 1.0)
    coarse = pl.bounds(field, dim=3, spacing=spacing)
    fine = pl.bounds(finer(field, 2), dim=3, spacing=spacing)
    for tensor in (fine.lower, fine.upper):
        assert np.linalg.eigvalsh(coarse.upper - tensor).min() > 0
        assert np.linalg.eigvalsh(tensor - coarse.lower).min() > 0
    widths = [np.trace(b.upper - b.lower) for b in (coarse, fine)]
    assert 0 < widths[1] < 0.7 * widths[0]
    assert (np.abs(fine.estimate - coarse.estimate) <= coarse.half_width).all()


@pytest.mark.parametrize("conductivity", [0.01, 10.0, 100.0])
def test_array_of_spheres_lies_above_hashin_and_shtrikman(conductivity):
    """The voxels are isotropic, so that Hashin and Shtrikman's bounds hold for them as well."""
    inside = spheres(12, 0.4)
    field = np.where(inside, conductivity, 1.0)
    lower, upper = pl.bounds(field, dim=3)
    share = inside.mean()
    values = sorted([(1.0, 1 - share), (conductivity, share)])
    (low, low_share), (high, high_share) = values
    least = low + high_share / (1 / (high - low) + low_share / (3 * low))
    most = high + low_share / (1 / (low - high) + high_share / (3 * high))
    assert lower[0, 0] <= upper[0, 0]
    assert upper[0, 0] >= least
    assert lower[0, 0] <= most
    assert np.allclose(upper, upper[0, 0] * np.eye(3), atol=1e-5 * upper[0, 0])
    assert np.allclose(lower, lower[0, 0] * np.eye(3), atol=1e-5 * lower[0, 0])


def test_batches_and_labels_agree_with_single_cells():
    rng = np.random.default_rng(3)
    labels = rng.integers(2, size=(2, 4, 4, 5), dtype=np.uint8)
    phases = np.array([[1.0, 7.0], [3.0, 0.5]])
    both = pl.bounds(labels, phases=phases, dim=3)
    assert both.lower.shape == both.upper.shape == both.estimate.shape == (2, 3, 3)
    for cell in range(2):
        one = pl.bounds(phases[cell][labels[cell]], dim=3)
        assert np.allclose(both.lower[cell], one.lower, rtol=1e-12)
        assert np.allclose(both.upper[cell], one.upper, rtol=1e-12)


def test_uniform_cells_meet_both_bounds():
    lower, upper = pl.bounds(np.full((3, 4, 5), 2.5), dim=3)
    assert np.allclose(lower, 2.5 * np.eye(3), rtol=1e-11)
    assert np.allclose(upper, 2.5 * np.eye(3), rtol=1e-11)


def test_voids_and_defects_are_refused():
    field = np.ones((3, 3, 3))
    field[1, 1, 1] = 0
    with pytest.raises(ValueError, match="two-sided bounds"):
        pl.bounds(field, dim=3)
    field[1, 1, 1] = np.nan
    with pytest.raises(ValueError, match=r"conductivity\[1, 1, 1\] is nan"):
        pl.bounds(field, dim=3)
