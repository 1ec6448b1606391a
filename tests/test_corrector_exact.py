"""homogenize on microstructures whose effective tensor is known in closed form."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from reference import corrector as reference
from reference import microstructures

import pearlite as pl

QUARTER_TURN = np.array([[0, -1], [1, 0]])


def bracket(conductivity, rtol=1e-9):
    """Lower and upper bound of the continuum's tensor: Rᵀ A_h(1/k)⁻¹ R and A_h(k)."""
    dual = pl.homogenize(1 / conductivity, rtol=rtol)
    upper = pl.homogenize(conductivity, rtol=rtol)
    return QUARTER_TURN.T @ np.linalg.inv(dual) @ QUARTER_TURN, upper


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("contrast", [1, 10, 1e4])
@pytest.mark.parametrize("shape", [(2, 2), (5, 3), (32, 32), (97, 24)], ids=str)
def test_uniform_cell(shape, contrast, dtype):
    effective = pl.homogenize(np.full(shape, contrast, dtype=dtype))
    assert_allclose(effective, contrast * np.eye(2), rtol=1e-6, atol=1e-6 * contrast)


@pytest.mark.parametrize("shape", [(2, 2), (16, 24), (31, 7)], ids=str)
def test_uniform_tensor(shape):
    tensor = microstructures.rotated(0.4, 1.0, 100.0)
    field = np.broadcast_to(tensor, (*shape, 2, 2))
    for spacing in (None, (1, 3)):
        effective = pl.homogenize(field, tensor=True, spacing=spacing)
        assert_allclose(effective, tensor, rtol=1e-6, atol=1e-6 * np.linalg.norm(tensor))


@pytest.mark.parametrize("spacing", [(1, 1), (1, 0.25), (3, 1)], ids=str)
@pytest.mark.parametrize("rtol", [1e-6, 1e-10])
@pytest.mark.parametrize("contrast", [2, 100, 1e4])
@pytest.mark.parametrize("shape", [(2, 2), (32, 32), (31, 18), (128, 100)], ids=str)
def test_laminates_along_both_axes(shape, contrast, rtol, spacing):
    """Bilinear elements hold the exact solution: harmonic mean across, arithmetic along."""
    rng = np.random.default_rng(shape[0])
    for axis in (0, 1):
        values = rng.choice([1.0, contrast], size=shape[axis])
        field = np.broadcast_to(values[:, None] if axis == 0 else values, shape)
        means = np.array([1 / np.mean(1 / values), values.mean()])
        exact = np.diag(means if axis == 0 else means[::-1])
        effective = pl.homogenize(field, rtol=rtol, spacing=spacing)
        assert np.linalg.norm(effective - exact) <= rtol * np.linalg.norm(exact)


@pytest.mark.parametrize("spacing", [(1, 1), (1, 0.28), (1, 0.34), (3.6, 1)], ids=str)
@pytest.mark.parametrize("shape", [(20, 192), (193, 17), (150, 101), (67, 256)], ids=str)
def test_many_laminates(shape, spacing):
    """Long and oblong cells, where a slow smooth error is easily taken for convergence."""
    rng = np.random.default_rng(shape)
    fields, exact = [], []
    for index in range(60):
        axis, count = index % 2, int(rng.integers(2, 14))
        values = (10 ** rng.uniform(0.5, 4)) ** rng.random(count)
        values = rng.choice(values, size=shape[axis])
        fields.append(np.broadcast_to(values[:, None] if axis == 0 else values, shape))
        means = [1 / np.mean(1 / values), values.mean()]
        exact.append(np.diag(means if axis == 0 else means[::-1]))
    errors = np.linalg.norm(pl.homogenize(np.stack(fields), spacing=spacing) - exact, axis=(1, 2))
    assert np.max(errors / np.linalg.norm(exact, axis=(1, 2))) <= 1e-6


@pytest.mark.parametrize("spacing", [(1, 1), (1, 0.309), (1, 0.393), (4, 1)], ids=str)
@pytest.mark.parametrize("shape", [(16, 16), (48, 34), (80, 80), (150, 150)], ids=str)
def test_one_pixel_checkerboards(shape, spacing):
    """The period of 2×2 pixels has the same tensor."""
    i, j = np.indices(shape)
    for contrast in 10 ** np.linspace(0.2, 4, 12):
        field = np.where((i + j) % 2, contrast, 1.0)
        exact = reference.homogenize(field[:2, :2], spacing)
        for rtol in (1e-6, 1e-8):
            effective = pl.homogenize(field, spacing=spacing, rtol=rtol)
            assert np.linalg.norm(effective - exact) <= rtol * np.linalg.norm(exact)


@pytest.mark.parametrize("axis", [0, 1])
def test_laminates_of_turned_tensors(axis):
    """Continuity of the normal flux and of the tangential gradient gives the exact tensor."""
    rng = np.random.default_rng(7)
    tensors = microstructures.phase_tensors(rng, 20, 100)
    shape = (20, 13) if axis == 0 else (13, 20)
    rows = tensors[:, None] if axis == 0 else tensors[None]
    field = np.broadcast_to(rows, (*shape, 2, 2))

    along = 1 - axis
    a_nn, a_nt = tensors[:, axis, axis], tensors[:, axis, along]
    exact = np.zeros((2, 2))
    exact[axis, axis] = 1 / np.mean(1 / a_nn)
    exact[0, 1] = exact[1, 0] = exact[axis, axis] * np.mean(a_nt / a_nn)
    exact[along, along] = (
        np.mean(tensors[:, along, along] - a_nt**2 / a_nn)
        + exact[axis, axis] * np.mean(a_nt / a_nn) ** 2
    )
    effective = pl.homogenize(field, tensor=True, rtol=1e-9)
    assert_allclose(effective, exact, rtol=0, atol=2e-9 * np.linalg.norm(exact))


def test_oblique_laminate():
    """Layers at 45°, whose stepped faces converge to flat ones as the pixels shrink."""
    harmonic, arithmetic = 20 / 11, 5.5  # of 1 and 10 in equal parts
    plus, minus = (harmonic + arithmetic) / 2, (harmonic - arithmetic) / 2
    exact = np.array([[plus, minus], [minus, plus]])
    bounds = []
    for n in (16, 32, 64, 128):
        i, j = np.indices((n, n))
        bounds.append(bracket(np.where((i + j) % n < n // 2, 1.0, 10.0)))
    bounds = np.array(bounds)  # (refinement, lower and upper, 2, 2)
    errors = np.linalg.norm(bounds - exact, axis=(2, 3))
    # The steps spoil a band of one pixel about each face: first order in the pixel, so that what
    # is left after one Richardson extrapolation is smaller by another order.
    assert np.all(errors[:-1] / errors[1:] > 1.8)
    extrapolated = 2 * bounds[-1] - bounds[-2]
    left = np.linalg.norm(extrapolated - exact, axis=(1, 2))
    assert np.max(left) < 0.1 * np.max(errors[-1])


@pytest.mark.parametrize("contrast", [3, 10])
def test_dykhne_checkerboard(contrast):
    """The 2×2 checkerboard has √(k1 k2), and its bounds multiply to k1 k2 exactly."""
    exact, excess = np.sqrt(contrast), []
    for n in (32, 64, 128):
        i, j = np.indices((n, n)) // (n // 2)
        lower, upper = bracket(np.where((i + j) % 2, contrast, 1.0))
        assert_allclose(upper, upper[0, 0] * np.eye(2), atol=1e-8 * upper[0, 0])
        assert_allclose(lower[0, 0] * upper[0, 0], contrast, rtol=1e-8)
        assert lower[0, 0] < exact < upper[0, 0]
        excess.append(upper[0, 0] - exact)
    # About the corner the potential goes as r^λ, λ = (4/π) atan(1/√contrast), and the energy's
    # error as h^(2λ); the next term of the expansion is still .009 of the order at contrast 10.
    order = np.log2(np.divide(excess[:-1], excess[1:]))
    exponent = 8 / np.pi * np.arctan(1 / exact)
    assert_allclose(order[-1], exponent, atol=0.01)


def test_obnosov_square_inclusion():
    """A square inclusion of a quarter of the cell, σ = 10: √((1 + 3σ)/(3 + σ))."""
    exact = np.sqrt(31 / 13)
    assert exact == pytest.approx(1.5442199923)
    widths, middles = [], []
    for n in (16, 32, 64, 128):
        field = np.ones((n, n))
        field[: n // 2, : n // 2] = 10
        lower, upper = bracket(field)
        assert_allclose(upper[0, 1], 0, atol=1e-8)
        assert lower[0, 0] < exact < upper[0, 0]
        widths.append(upper[0, 0] - lower[0, 0])
        middles.append(np.sqrt(lower[0, 0] * upper[0, 0]))
    assert np.all(np.divide(widths[:-1], widths[1:]) > 2)
    assert widths[-1] < 1e-3
    # The errors of the two bounds nearly cancel in their geometric mean.
    assert_allclose(middles[-1], exact, rtol=2e-6)
