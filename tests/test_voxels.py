"""Homogenization in three dimensions: against a direct solver, and exact cases."""

import itertools

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tests.reference import voxels as reference

import pearlite as pl

SHAPES = [(4, 4, 4), (5, 6, 7), (2, 3, 2), (8, 5, 16), (3, 17, 4), (9, 9, 9), (2, 2, 33)]


def random_phases(shape, contrast, seed=0):
    rng = np.random.default_rng(seed)
    return np.where(rng.random(shape) < 0.4, contrast, 1.0)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("contrast", [10.0, 1e4])
def test_agrees_with_a_direct_solver(shape, contrast):
    field = random_phases(shape, contrast)
    expected, _ = reference.homogenize(field)
    effective = pl.homogenize(field, dim=3)
    assert np.linalg.norm(effective - expected) <= 1e-6 * np.linalg.norm(expected)


@pytest.mark.parametrize("spacing", [(1, 1, 2), (0.25, 1, 1), (3, 1, 0.4), (0.1, 0.1, 1)])
def test_pixels_of_any_proportions(spacing):
    field = random_phases((6, 9, 8), 30.0)
    expected, correctors = reference.homogenize(field, spacing)
    solution = pl.solve_correctors(field, dim=3, spacing=spacing, rtol=1e-10)
    error = np.linalg.norm(solution.effective - expected)
    assert error <= 1e-9 * np.linalg.norm(expected)
    assert np.abs(solution.correctors - correctors).max() <= 2e-4 * np.abs(correctors).max()


@pytest.mark.parametrize("rtol", [1e-2, 1e-4, 1e-6, 1e-8, 1e-10])
def test_tolerance_is_kept(rtol):
    field = random_phases((12, 10, 8), 50.0)
    expected, _ = reference.homogenize(field)
    effective = pl.homogenize(field, dim=3, rtol=rtol)
    assert np.linalg.norm(effective - expected) <= rtol * np.linalg.norm(expected)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("shape", [(8, 8, 8), (12, 7, 10)])
def test_laminates(axis, shape):
    layers = np.where(np.arange(shape[axis]) % 2 == 0, 1.0, 10.0)
    harmonic, arithmetic = 1 / np.mean(1 / layers), np.mean(layers)
    turned = layers.reshape([-1 if d == axis else 1 for d in range(3)])
    effective = pl.homogenize(np.broadcast_to(turned, shape), dim=3)
    expected = np.diag([harmonic if d == axis else arithmetic for d in range(3)])
    assert np.abs(effective - expected).max() <= 1e-6 * arithmetic


def test_symmetries_of_the_cube_turn_the_tensor():
    field = random_phases((6, 6, 6), 20.0)
    effective = pl.homogenize(field, dim=3, rtol=1e-9)
    for order in itertools.permutations(range(3)):
        turned = pl.homogenize(field.transpose(order), dim=3, rtol=1e-9)
        assert np.allclose(turned, effective[np.ix_(order, order)], rtol=0, atol=1e-7)
    mirrored = pl.homogenize(field[::-1], dim=3, rtol=1e-9)
    signs = np.diag([-1, 1, 1])
    assert np.allclose(mirrored, signs @ effective @ signs, rtol=0, atol=1e-7)


def test_shifts_change_nothing():
    field = random_phases((6, 7, 9), 20.0)
    effective = pl.homogenize(field, dim=3, rtol=1e-9)
    shifted = pl.homogenize(np.roll(field, (2, 3, 4), (0, 1, 2)), dim=3, rtol=1e-9)
    assert np.allclose(shifted, effective, rtol=1e-7)


def test_a_plane_extended_is_the_plane():
    plane = random_phases((12, 10), 10.0)
    flat = pl.homogenize(plane, rtol=1e-9)
    solid = pl.homogenize(np.broadcast_to(plane[:, None], (12, 5, 10)), dim=3, rtol=1e-9)
    assert np.allclose(solid[np.ix_([0, 2], [0, 2])], flat, rtol=1e-7)
    assert solid[1, 1] == pytest.approx(plane.mean(), rel=1e-7)


def test_labels_batches_and_dtypes_agree():
    rng = np.random.default_rng(1)
    labels = rng.integers(3, size=(2, 3, 6, 8, 5), dtype=np.uint8)
    phases = np.array([1.0, 5.0, 25.0])
    effective = pl.homogenize(labels, phases=phases, dim=3)
    assert effective.shape == (2, 3, 3, 3)
    assert effective.dtype == np.float64
    field = pl.homogenize(phases[labels].astype(np.float32), dim=3)
    assert field.dtype == np.float32
    assert np.allclose(field, effective, rtol=2e-6, atol=1e-5)
    one = pl.homogenize(labels[1, 2], phases=phases, dim=3)
    assert np.array_equal(one, effective[1, 2])


@pytest.mark.parametrize("shape", [(48, 24, 20), (31, 20, 22)])
def test_threads_change_nothing(shape):
    field = random_phases(shape, 10.0)
    one, two, three = (pl.homogenize(field, dim=3, threads=n) for n in (1, 2, 3))
    assert np.array_equal(one, two)
    assert np.array_equal(one, three)


def test_what_calls_before_left_in_memory_changes_nothing():
    """Calls lend each other memory: of other sizes, types and proportions, and one that fails."""
    fields = [random_phases(shape, 10.0) for shape in [(7, 12, 20), (16, 16, 16), (5, 31, 9)]]
    fields.append(fields[0][..., np.newaxis, np.newaxis] * np.eye(3))

    def solve(field, **keywords):
        return pl.homogenize(field, dim=3, tensor=field.ndim == 5, threads=1, **keywords)

    alone = [solve(field) for field in fields]
    bad = np.where(fields[1] > 1, 1e30, 1e-30)
    assert np.isnan(solve(bad, on_failure="nan")).all()
    for order in [(0, 1, 2, 3), (3, 2, 1, 0), (1, 3, 0, 2)]:
        for k in order:
            solve(fields[k], spacing=(1.0, 0.3, 2.0), rtol=1e-9)
            assert np.array_equal(solve(fields[k]), alone[k])


def test_voids_agree_with_the_limit_of_small_conductivities():
    field = np.where(random_phases((10, 8, 9), 2.0) > 1, 0.0, 1.0)
    effective = pl.homogenize(field, dim=3)
    small = pl.homogenize(np.maximum(field, 1e-7), dim=3)
    assert np.allclose(effective, small, atol=2e-6)


def test_conductors_agree_with_the_limit_of_large_conductivities():
    field = np.ones((10, 8, 9))
    field[2:6, 2:5, 3:8] = np.inf
    effective = pl.homogenize(field, dim=3)
    large = pl.homogenize(np.minimum(field, 1e7), dim=3)
    assert np.allclose(effective, large, rtol=2e-6)


def test_exact_zeros_and_infinities():
    rods = np.zeros((6, 6, 6))
    rods[1:3, 2:4] = 1.0  # along axis 2
    effective = pl.homogenize(rods, dim=3)
    assert effective[2, 2] == pytest.approx(4 / 36, rel=1e-6)
    effective[2, 2] = 0
    assert not effective.any()
    sheet = np.ones((6, 6, 6))
    sheet[1] = np.inf  # normal to axis 0
    effective = pl.homogenize(sheet, dim=3)
    assert effective[0, 0] == pytest.approx(6 / 5, rel=1e-5)
    assert np.isposinf(effective[1, 1])
    assert np.isposinf(effective[2, 2])


def test_uniform_cells():
    effective = pl.homogenize(np.full((4, 5, 6), 3.0), dim=3)
    assert np.array_equal(effective, 3 * np.eye(3))


def test_defects_are_named():
    field = np.ones((2, 4, 4, 4))
    field[1, 2, 3, 0] = np.nan
    with pytest.raises(ValueError, match=r"conductivity\[1, 2, 3, 0\] is nan"):
        pl.homogenize(field, dim=3)
    with pytest.raises(ValueError, match=r"expected \(..., n0, n1, n2\)"):
        pl.homogenize(np.ones((4, 4)), dim=3)
    with pytest.raises(ValueError, match="dim is 4"):
        pl.homogenize(np.ones((4, 4, 4)), dim=4)
    with pytest.raises(ValueError, match="spacing has shape"):
        pl.homogenize(np.ones((4, 4, 4)), dim=3, spacing=(1, 2))


@pytest.mark.parametrize("spacing", [None, (1.0, 0.5, 2.0)])
def test_gradient_agrees_with_differences(spacing):
    rng = np.random.default_rng(2)
    field = rng.uniform(1, 9, (4, 5, 6))
    cotangent = rng.normal(size=(3, 3))
    keywords = {"dim": 3, "spacing": spacing}
    _, gradient = pl.homogenize_with_gradient(field, cotangent, gradient_rtol=1e-8, **keywords)
    assert gradient.shape == field.shape
    for place in [(0, 0, 0), (1, 2, 3), (3, 4, 5), (2, 0, 4)]:
        ends = []
        for step in (1e-4, -1e-4):
            moved = field.copy()
            moved[place] += step
            ends.append(np.sum(cotangent * pl.homogenize(moved, rtol=1e-10, **keywords)))
        assert gradient[place] == pytest.approx((ends[0] - ends[1]) / 2e-4, rel=1e-4, abs=1e-8)


def test_gradient_in_phases_is_the_sum_over_voxels():
    labels = np.random.default_rng(3).integers(3, size=(2, 6, 5, 7), dtype=np.uint8)
    phases = np.array([1.0, 4.0, 20.0])
    cotangent = np.eye(3)
    effective, gradient = pl.homogenize_with_gradient(labels, cotangent, phases=phases, dim=3)
    _, voxels = pl.homogenize_with_gradient(phases[labels], cotangent, dim=3)
    sums = [voxels[labels == k].sum() for k in range(3)]
    assert np.allclose(gradient, sums, rtol=1e-3)
    # A* is homogeneous of degree 1.
    assert gradient @ phases == pytest.approx(np.trace(effective, axis1=1, axis2=2).sum(), rel=1e-4)


MAGNITUDES = st.floats(-30, 30).map(lambda power: 10.0**power)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    values=st.tuples(MAGNITUDES, MAGNITUDES),
    picked=hnp.arrays(np.int8, hnp.array_shapes(min_dims=3, max_dims=3, min_side=2, max_side=6),
                      elements=st.integers(0, 1)),
    spacing=st.sampled_from([1.0, (1.0, 3.0, 1.0), (1e-3, 1.0, 1.0), (1.0, 1.0, 1e-3), 1e-300]),
    rtol=st.sampled_from([1e-3, 1e-6, 1e-10]),
)  # fmt: skip
def test_what_converges_lies_between_the_means(values, picked, spacing, rtol):
    """Wiener's bounds hold for any cell: the harmonic and the arithmetic mean."""
    field = np.asarray(values)[picked]
    effective = pl.homogenize(field, dim=3, spacing=spacing, rtol=rtol, on_failure="nan", threads=1)
    if np.isnan(effective).any():
        return
    wide = field.astype(np.longdouble)
    upper, lower = float(wide.mean()), float(1 / (1 / wide).mean())
    eigenvalues = np.linalg.eigvalsh(effective / upper)
    slack = rtol + 1e-9
    assert eigenvalues[-1] <= 1 + 2 * slack
    assert eigenvalues[0] >= lower / upper - 2 * slack
