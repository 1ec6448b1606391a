"""Voxels whose conductivities are tensors: against a direct solver, exact cases and symmetries."""

import itertools

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from tests.reference import voxels as reference

import pearlite as pl

SHAPES = [(4, 4, 4), (5, 6, 7), (2, 3, 2), (8, 5, 16), (3, 17, 4), (9, 9, 9), (2, 2, 33)]
TIGHT = {"dim": 3, "tensor": True, "rtol": 1e-10}


def random_tensors(count, spread, seed=0):
    """Turned tensors (count, 3, 3) with eigenvalues between 1 and `spread`."""
    rng = np.random.default_rng(seed)
    turns = Rotation.random(count, rng=rng).as_matrix()
    values = np.exp(rng.random((count, 3)) * np.log(spread))
    tensors = np.einsum("kij,kj,klj->kil", turns, values, turns)
    return (tensors + tensors.swapaxes(-1, -2)) / 2


def random_field(shape, spread, seed=0):
    return random_tensors(int(np.prod(shape)), spread, seed).reshape(*shape, 3, 3)


def relative_error(found, exact):
    return np.linalg.norm(found - exact) / np.linalg.norm(exact)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("spread", [10.0, 1e4])
def test_agrees_with_a_direct_solver(shape, spread):
    field = random_field(shape, spread)
    exact, _ = reference.homogenize(field)
    for dtype in (np.float32, np.float64):
        effective = pl.homogenize(field.astype(dtype), dim=3, tensor=True)
        assert effective.dtype == dtype
        assert relative_error(effective, exact) <= 1.2e-6
    assert relative_error(pl.homogenize(field, **TIGHT), exact) <= 1e-9


@pytest.mark.parametrize("spacing", [(1, 1, 2), (0.25, 1, 1), (3, 1, 0.4), (0.1, 0.1, 1)])
def test_voxels_of_any_proportions(spacing):
    field = random_field((6, 9, 8), 30.0)
    exact, correctors = reference.homogenize(field, spacing)
    solution = pl.solve_correctors(field, spacing=spacing, **TIGHT)
    assert relative_error(solution.effective, exact) <= 1e-9
    assert np.abs(solution.correctors - correctors).max() <= 2e-4 * np.abs(correctors).max()


@pytest.mark.parametrize("kind", ["spread", "phases", "one axis"])
@pytest.mark.parametrize("rtol", [1e-2, 1e-6, 1e-9])
def test_tolerance_is_kept(kind, rtol):
    shape = (12, 8, 9)
    field = random_field(shape, 100.0, 1)
    if kind == "phases":
        high = np.random.default_rng(2).random(shape) < 0.3
        field = field * np.where(high, 100.0, 1.0)[..., None, None]
    elif kind == "one axis":
        field = (
            random_tensors(1, 100.0, 3)[0]
            * np.exp(np.random.default_rng(4).random(shape))[..., None, None]
        )
    exact, _ = reference.homogenize(field)
    effective = pl.homogenize(field, dim=3, tensor=True, rtol=rtol)
    assert relative_error(effective, exact) <= rtol


def test_uniform_tensors():
    tensor = random_tensors(1, 100.0)[0]
    field = np.broadcast_to(tensor, (4, 6, 5, 3, 3))
    for spacing in (None, (1.0, 3.0, 0.5)):
        effective = pl.homogenize(field, spacing=spacing, **TIGHT)
        assert relative_error(effective, tensor) <= 1e-12


def laminate(tensors, axis):
    """A* of layers of equal thickness: what is continuous across them is the normal flux and the
    gradients along them, so that these have the means that the cell has."""
    order = [axis, *(d for d in range(3) if d != axis)]
    turned = tensors[:, order][:, :, order]
    normal, cross, along = turned[:, 0, 0], turned[:, 0, 1:], turned[:, 1:, 1:]
    a_nn = 1 / np.mean(1 / normal)
    a_nt = a_nn * np.mean(cross / normal[:, None], axis=0)
    schur = along - np.einsum("ki,kj->kij", cross, cross) / normal[:, None, None]
    result = np.empty((3, 3))
    result[0, 0] = a_nn
    result[0, 1:] = result[1:, 0] = a_nt
    result[1:, 1:] = schur.mean(axis=0) + np.outer(a_nt, a_nt) / a_nn
    back = np.argsort(order)
    return result[np.ix_(back, back)]


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("spacing", [None, (1.0, 3.0, 0.5)])
def test_laminates_of_turned_tensors(axis, spacing):
    layers = random_tensors(7, 100.0, axis)
    shape = [4, 5, 6]
    shape[axis] = 7
    labels = np.empty(shape, np.uint8)
    labels[...] = np.arange(7).reshape([-1 if d == axis else 1 for d in range(3)])
    effective = pl.homogenize(labels, phases=layers, spacing=spacing, **TIGHT)
    assert relative_error(effective, laminate(layers, axis)) <= 1e-9


def test_rotations_and_reflections_of_the_cube_turn_the_tensor():
    """Each of the 48 turns the crystals with their places."""
    field = random_field((5, 5, 5), 30.0)
    effective = pl.homogenize(field, **TIGHT)
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((1, -1), repeat=3):
            turn = np.diag(signs)[list(order)]
            moved = field[tuple(slice(None, None, sign) for sign in signs)].transpose(*order, 3, 4)
            turned = pl.homogenize(turn @ moved @ turn.T, **TIGHT)
            assert relative_error(turned, turn @ effective @ turn.T) <= 1e-9


def test_isotropic_tensors_are_scalars():
    field = np.random.default_rng(0).uniform(1, 50, (6, 7, 8))
    tensors = field[..., None, None] * np.eye(3)
    for spacing in (None, (1.0, 0.5, 2.0)):
        scalars = pl.homogenize(field, dim=3, spacing=spacing, rtol=1e-10)
        assert relative_error(pl.homogenize(tensors, spacing=spacing, **TIGHT), scalars) <= 1e-9


def test_diagonal_tensors_are_boxes():
    """Voxels with sides h are cubes of conductivity a / h² along each axis."""
    field = np.random.default_rng(1).uniform(1, 50, (6, 7, 8))
    sides = np.array([1.0, 0.5, 2.0])
    boxes = pl.homogenize(field, dim=3, spacing=tuple(sides), rtol=1e-10)
    cubes = pl.homogenize(field[..., None, None] * np.diag(1 / sides**2), **TIGHT)
    assert relative_error(cubes * np.outer(sides, sides), boxes) <= 1e-9


def test_a_plane_extended_is_the_plane():
    plane = random_field((8, 6), 30.0)
    plane[..., 1, ::2] = plane[..., ::2, 1] = 0  # what couples the plane (0, 2) with axis 1
    flat = np.ascontiguousarray(plane[..., ::2, ::2])
    solid = np.broadcast_to(plane[:, None], (8, 4, 6, 3, 3))
    effective = pl.homogenize(solid, **TIGHT)
    expected = pl.homogenize(flat, tensor=True, rtol=1e-10)
    assert relative_error(effective[::2, ::2], expected) <= 1e-9
    assert effective[1, 1] == pytest.approx(plane[..., 1, 1].mean(), rel=1e-9)


@pytest.mark.parametrize("spread", [3.0, 1e3])
def test_means_of_voigt_and_reuss_are_bounds(spread):
    field = random_field((6, 6, 6), spread, 5)
    effective = pl.homogenize(field, **TIGHT)
    upper = field.mean(axis=(0, 1, 2))
    lower = np.linalg.inv(np.linalg.inv(field).mean(axis=(0, 1, 2)))
    assert np.linalg.eigvalsh(upper - effective).min() > 0
    assert np.linalg.eigvalsh(effective - lower).min() > 0


def test_labels_batches_and_threads_agree():
    labels = np.random.default_rng(1).integers(4, size=(2, 3, 6, 8, 5), dtype=np.uint8)
    phases = random_tensors(4, 30.0)
    effective = pl.homogenize(labels, phases=phases, dim=3, tensor=True)
    assert effective.shape == (2, 3, 3, 3)
    field = pl.homogenize(phases[labels], dim=3, tensor=True)
    assert np.allclose(field, effective, rtol=1e-12)
    tables = np.stack([phases, 2 * phases, phases[::-1]])
    several = pl.homogenize(labels[0], phases=tables, dim=3, tensor=True)
    assert np.allclose(several[1], 2 * effective[0, 1], rtol=1e-6)
    wide = random_field((40, 20, 20), 10.0)
    one, two, three = (pl.homogenize(wide, dim=3, tensor=True, threads=n) for n in (1, 2, 3))
    assert np.array_equal(one, two)
    assert np.array_equal(one, three)


def test_voids_agree_with_the_limit_of_small_conductivities():
    field = random_field((8, 6, 7), 10.0)
    field[np.random.default_rng(2).random((8, 6, 7)) < 0.3] = 0
    effective = pl.homogenize(field, dim=3, tensor=True)
    small = field + 1e-8 * np.eye(3)
    assert np.allclose(effective, pl.homogenize(small, dim=3, tensor=True), atol=3e-6)
    rods = np.zeros((6, 6, 6, 3, 3))
    rods[1:3, 2:4] = random_tensors(1, 10.0)[0]  # along axis 2
    effective = pl.homogenize(rods, dim=3, tensor=True)
    exact = 1 / np.linalg.inv(rods[1, 2, 0])[2, 2] * 4 / 36  # no flux across the rod
    assert effective[2, 2] == pytest.approx(exact, rel=1e-6)
    effective[2, 2] = 0
    assert not effective.any()


def test_bounds():
    layers = random_tensors(4, 10.0)
    field = np.broadcast_to(layers[:, None, None], (4, 3, 5, 3, 3))
    lower, upper = pl.bounds(field, dim=3, tensor=True)
    exact = laminate(layers, 0)
    assert relative_error(lower, exact) <= 2e-6
    assert relative_error(upper, exact) <= 2e-6
    field = random_field((4, 5, 4), 10.0)
    coarse = pl.bounds(field, dim=3, tensor=True, spacing=(1.0, 0.5, 2.0))
    finer = field.repeat(2, 0).repeat(2, 1).repeat(2, 2)
    fine = pl.bounds(finer, dim=3, tensor=True, spacing=(0.5, 0.25, 1.0))
    for tensor in (fine.lower, fine.upper):
        assert np.linalg.eigvalsh(coarse.upper - tensor).min() > 0
        assert np.linalg.eigvalsh(tensor - coarse.lower).min() > 0
    scalars = pl.bounds(np.linspace(1, 9, 60).reshape(3, 4, 5), dim=3)
    same = np.linspace(1, 9, 60).reshape(3, 4, 5)[..., None, None] * np.eye(3)
    tensors = pl.bounds(same, dim=3, tensor=True)
    assert np.allclose(tensors.lower, scalars.lower, rtol=1e-6)


def hold_defects(library):
    """Defects of arrays of numpy, or of what stands in for cupy, are named."""
    field = np.broadcast_to(np.eye(3), (2, 4, 4, 4, 3, 3)).copy()
    for entry, value, message in [
        ((0, 0), np.nan, "expected numbers; tensors finite"),
        ((0, 1), 0.5, "a symmetric tensor"),
        ((2, 2), -1.0, "a positive definite tensor"),
    ]:
        bad = field.copy()
        bad[(1, 2, 3, 0, *entry)] = value
        with pytest.raises(ValueError, match=r"conductivity\[1, 2, 3, 0\] is .*" + message):
            pl.homogenize(library.asarray(bad), dim=3, tensor=True)
    with pytest.raises(ValueError, match=r"expected \(..., n0, n1, n2, 3, 3\)"):
        pl.homogenize(library.ones((4, 4, 4, 2, 2)), dim=3, tensor=True)


def test_defects_are_named():
    hold_defects(np)
    with pytest.raises(ValueError, match=r"expected \(..., P, 3, 3\)"):
        pl.homogenize(np.zeros((4, 4, 4), np.uint8), phases=np.ones((2, 2, 2)), dim=3, tensor=True)


@pytest.mark.parametrize("spacing", [None, (1.0, 0.5, 2.0)])
def test_gradient_agrees_with_differences(spacing):
    field = random_field((3, 4, 5), 20.0)
    cotangent = np.random.default_rng(2).normal(size=(3, 3))
    keywords = {"dim": 3, "tensor": True, "spacing": spacing}
    _, gradient = pl.homogenize_with_gradient(field, cotangent, gradient_rtol=1e-8, **keywords)
    assert gradient.shape == field.shape
    assert np.allclose(gradient, gradient.swapaxes(-1, -2), rtol=1e-12)
    for place in [(0, 0, 0), (1, 2, 3), (2, 3, 4)]:
        direction = random_tensors(1, 5.0, sum(place))[0] - 2 * np.eye(3)
        ends = []
        for step in (1e-4, -1e-4):
            moved = field.copy()
            moved[place] += step * direction
            ends.append(np.sum(cotangent * pl.homogenize(moved, rtol=1e-10, **keywords)))
        slope = np.sum(gradient[place] * direction)
        assert slope == pytest.approx((ends[0] - ends[1]) / 2e-4, rel=1e-4, abs=1e-8)


def test_gradient_in_phases_is_the_sum_over_voxels():
    labels = np.random.default_rng(3).integers(3, size=(2, 6, 5, 7), dtype=np.uint8)
    phases = random_tensors(3, 20.0)
    effective, gradient = pl.homogenize_with_gradient(
        labels, np.eye(3), phases=phases, dim=3, tensor=True
    )
    assert gradient.shape == (3, 3, 3)
    # A* is homogeneous of degree 1.
    trace = np.trace(effective, axis1=1, axis2=2).sum()
    assert np.sum(gradient * phases) == pytest.approx(trace, rel=1e-4)
    _, voxels = pl.homogenize_with_gradient(phases[labels], np.eye(3), dim=3, tensor=True)
    sums = [voxels[labels == k].sum(axis=0) for k in range(3)]
    assert np.allclose(gradient, sums, rtol=1e-3, atol=1e-3 * np.abs(gradient).max())
