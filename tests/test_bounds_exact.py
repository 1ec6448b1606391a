"""Two-sided bounds where the effective tensor is known: on laminates, in rational arithmetic."""

from fractions import Fraction

import numpy as np
import pytest
from numpy.testing import assert_allclose
from reference import microstructures

import pearlite as pl

# Exact arithmetic. A tensor is [[a00, a01], [a01, a11]] of fractions.


def fractions(tensor):
    return [[Fraction(float(entry)) for entry in row] for row in tensor]


def exact_laminate(layers, axis):
    """The tensor of equal layers (n,) or (n, 2, 2) normal to `axis`, of exactly these numbers."""
    tensors = [np.diag([layer, layer]) if layer.ndim == 0 else layer for layer in layers]
    count, along = len(tensors), 1 - axis
    normal = [Fraction(float(t[axis, axis])) for t in tensors]
    cross = [(Fraction(float(t[0, 1])) + Fraction(float(t[1, 0]))) / 2 for t in tensors]
    tangential = [Fraction(float(t[along, along])) for t in tensors]
    across = count / sum(1 / n for n in normal)
    turn = sum(c / n for c, n in zip(cross, normal, strict=True)) / count
    rest = sum(t - c * c / n for t, c, n in zip(tangential, cross, normal, strict=True)) / count
    exact = [[across, across * turn], [across * turn, rest + across * turn**2]]
    return exact if axis == 0 else [row[::-1] for row in exact[::-1]]


def at_most(first, second):
    """Whether second − first has no negative eigenvalue, exactly."""
    (a, b), (_, d) = (
        [y - x for x, y in zip(*rows, strict=True)] for rows in zip(first, second, strict=True)
    )
    return a >= 0 and d >= 0 and a * d - b * b >= 0


def assert_encloses(bounds, exact, cell=()):
    assert at_most(fractions(bounds.lower[cell]), exact)
    assert at_most(exact, fractions(bounds.upper[cell]))
    estimate, error = fractions(bounds.estimate[cell]), fractions(bounds.half_width[cell])
    for i, j in np.ndindex(2, 2):
        assert abs(exact[i][j] - estimate[i][j]) <= error[i][j]


def draw_layers(rng, count, layers, contrast, tensor):
    """(count, layers) conductivities, or tensors of an anisotropy to 100."""
    if not tensor:
        two = rng.choice([1.0, contrast], (count, layers))
        return np.where(rng.random((count, 1)) < 0.5, two, contrast ** rng.random((count, layers)))
    return np.stack(
        [microstructures.phase_tensors(rng, layers, contrast) for _ in range(count)]
    )  # fmt: skip


def as_fields(layers, axis, width):
    """Fields (count, n0, n1[, 2, 2]) of layers normal to `axis`, `width` pixels wide."""
    expanded = np.expand_dims(layers, 2 - axis)
    return np.repeat(expanded, width, axis=2 - axis)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("tensor", [False, True], ids=["scalar", "tensor"])
@pytest.mark.parametrize("rtol", [1e-6, 1e-9])
def test_rigorous_where_both_bounds_are_exact(rtol, tensor, dtype):
    """1,024 random laminates, in rational arithmetic; the exact tensor leaves no room at all."""
    rng = np.random.default_rng([tensor, dtype == np.float32])
    widths = []
    for group in range(16):
        axis, count, width = group % 2, int(rng.integers(2, 13)), int(rng.integers(2, 9))
        contrast, unit = 10 ** rng.uniform(0, 4), 10 ** rng.uniform(-9, 9)
        layers = (unit * draw_layers(rng, 8, count, contrast, tensor)).astype(dtype)
        spacing = None if group % 4 < 2 else 10 ** rng.uniform(-0.5, 0.5, 2)
        bounds = pl.bounds(
            as_fields(layers, axis, width), tensor=tensor, spacing=spacing, rtol=rtol, threads=1
        )
        for cell in range(8):
            assert_encloses(bounds, exact_laminate(layers[cell], axis), cell)
        norm = np.linalg.norm(bounds.upper, axis=(1, 2))
        widths.append(np.linalg.norm(bounds.upper - bounds.lower, axis=(1, 2)) / norm)
    # Nor are the margins what makes it so.
    assert np.max(widths) < 10 * rtol


@pytest.mark.parametrize("contrast", [2, 50, 390])
def test_rigorous_in_single_precision(contrast):
    """A coarse `rtol` is met in single precision, whose rounding is enclosed too."""
    rng = np.random.default_rng(contrast)
    for axis in (0, 1):
        for dtype in (np.float32, np.float64):
            layers = draw_layers(rng, 16, 11, contrast, tensor=False).astype(dtype)
            bounds = pl.bounds(as_fields(layers, axis, 6), rtol=1e-4, threads=1)
            for cell in range(16):
                assert_encloses(bounds, exact_laminate(layers[cell], axis), cell)
            width = np.linalg.norm(bounds.upper - bounds.lower, axis=(1, 2))
            assert np.max(width / np.linalg.norm(bounds.upper, axis=(1, 2))) < 5e-3


@pytest.mark.parametrize("rtol", [1e-9, 1e-4])
@pytest.mark.parametrize("shape", [(2, 4096), (512, 3), (160, 160)], ids=str)
def test_rigorous_over_many_pixels(shape, rtol):
    """Rounding of long sums; two phases, in numbers whose sums are never exact."""
    rng = np.random.default_rng(shape[0])
    for axis in (0, 1):
        layers = rng.choice([1 / 3, 100 / 7], shape[axis])
        field = np.broadcast_to(layers[:, None] if axis == 0 else layers, shape)
        bounds = pl.bounds(field, rtol=rtol, threads=1)
        assert_encloses(bounds, exact_laminate(layers, axis))
        assert np.max(bounds.half_width) < max(1e-4, 10 * rtol) * bounds.upper.max()


@pytest.mark.parametrize("tensor", [False, True], ids=["scalar", "tensor"])
def test_uniform_cells(tensor):
    value = microstructures.rotated(0.4, 1 / 3, 100 / 3) if tensor else np.array(1 / 3)
    field = np.broadcast_to(value, (31, 17, *value.shape))
    for spacing in (None, (1, 3)):
        bounds = pl.bounds(field, tensor=tensor, spacing=spacing)
        assert_encloses(bounds, exact_laminate(value[None], 0))
        assert_allclose(bounds.estimate, value if tensor else value * np.eye(2), atol=1e-8)


def exact_discrete(pixels, spacing):
    """The minimum of the discrete energy, of tensors pixels[i][j] of fractions."""
    n0, n1, h = len(pixels), len(pixels[0]), [Fraction(float(size)) for size in spacing]
    half, twist = Fraction(1, 2), [1, -1, -1, 1]
    slopes = [[-half, half, -half, half], [-half, -half, half, half]]  # of corners 00, 10, 01, 11
    size = n0 * n1
    # Rows: stiffness and, in the last two columns, the loads.
    system = [[Fraction(0)] * (size + 2) for _ in range(size)]
    mean = [[Fraction(0)] * 2 for _ in range(2)]
    for i, j in np.ndindex(n0, n1):
        a = [[pixels[i][j][k][m] / (h[k] * h[m]) for m in range(2)] for k in range(2)]
        nodes = [(i + di) % n0 * n1 + (j + dj) % n1 for dj in (0, 1) for di in (0, 1)]
        for k, m in np.ndindex(2, 2):
            mean[k][m] += pixels[i][j][k][m] / size
            for p, q in np.ndindex(4, 4):
                system[nodes[p]][nodes[q]] += a[k][m] * slopes[k][p] * slopes[m][q]
            for p in range(4):
                system[nodes[p]][size + m] += a[k][m] * slopes[k][p] * h[m]
        for p, q in np.ndindex(4, 4):
            system[nodes[p]][nodes[q]] += (a[0][0] + a[1][1]) * twist[p] * twist[q] / 12
    return subtract_energy(mean, [row[1:] for row in system[1:]], size)  # node 0 stays at zero


def subtract_energy(mean, system, size):
    """mean − Fᵀ K⁻¹ F / size, where `system` is [K | F]: Gauss's elimination."""
    count = len(system)
    for k in range(count):
        pivot, loads = system[k][k], system[k][count:]
        for i, j in np.ndindex(2, 2):
            mean[i][j] -= loads[i] * loads[j] / pivot / size
        for row in system[k + 1 :]:
            factor = row[k] / pivot
            for column in range(k, count + 2):
                row[column] -= factor * system[k][column]
    return mean


@pytest.mark.parametrize("tensor", [False, True], ids=["scalar", "tensor"])
def test_never_below_the_discrete_minimum(tensor):
    """Cells of a few random pixels, whose energies are found by elimination, and their duals."""
    rng = np.random.default_rng(3)
    for shape in ((2, 2), (2, 3), (3, 3), (4, 2)):
        spacing = 10 ** rng.uniform(-0.5, 0.5, 2)
        values = draw_layers(rng, 4, shape[0] * shape[1], 10 ** rng.uniform(0, 4), tensor)
        fields = values.reshape(4, *shape, *values.shape[2:])
        bounds = pl.bounds(fields, tensor=tensor, spacing=spacing, rtol=1e-10, threads=1)
        for cell, field in enumerate(fields):
            tensors = field if tensor else field[..., None, None] * np.eye(2)
            pixels = [[fractions(pixel) for pixel in row] for row in tensors]
            assert at_most(exact_discrete(pixels, spacing), fractions(bounds.upper[cell]))
            dual = [[over_determinant(pixel) for pixel in row] for row in pixels]
            lower = over_determinant(exact_discrete(dual, spacing))
            assert at_most(fractions(bounds.lower[cell]), lower)


def over_determinant(tensor):
    """The inverse, turned by 90°."""
    (a, b), (_, d) = tensor
    return [[entry / (a * d - b * b) for entry in row] for row in tensor]


# Cells whose tensors are known in closed form: a corner of four conductivities, around it
# a, b, c, d (G. W. Milton, J. Math. Phys. 42, 4873, 2001), which includes two-phase checkerboards.
CORNERS = [(1, 10, 1, 10), (1, 100, 1, 100), (1, 3, 10, 30), (5, 1, 70, 2)]


def four_squares(a, b, c, d, size):
    exact = np.sqrt((a * b * c + a * b * d + a * c * d + b * c * d) / (a + b + c + d))
    ratio = np.sqrt((a + b) * (c + d) / ((a + d) * (b + c)))
    field = np.kron([[a, b], [d, c]], np.ones((size, size)))
    return field, np.diag([exact * ratio, exact / ratio])


@pytest.mark.parametrize("corner", CORNERS, ids=str)
def test_four_squares(corner):
    previous = np.inf
    for size in (2, 8, 32):
        field, exact = four_squares(*corner, size)
        bounds = pl.bounds(field, rtol=1e-9)
        assert np.linalg.eigvalsh(bounds.upper - exact)[0] > 0
        assert np.linalg.eigvalsh(exact - bounds.lower)[0] > 0
        # The errors of the two bounds cancel, at any size.
        assert_allclose(bounds.estimate, exact, rtol=0, atol=1e-8 * np.linalg.norm(exact))
        width = np.linalg.norm(bounds.half_width)
        assert width < 0.8 * previous
        previous = width


def test_bracketed_square_inclusion():
    """Obnosov's square of a quarter of the cell, √((1 + 3σ)/(3 + σ)), from 4×4 pixels on."""
    for contrast in (10, 100):
        for n in (4, 6, 24):
            field = np.ones((n, n))
            field[: n // 2, : n // 2] = contrast
            exact = np.sqrt((1 + 3 * contrast) / (3 + contrast)) * np.eye(2)
            mean = pl.homogenize(field, estimate="bracketed", rtol=1e-9)
            assert_allclose(mean, exact, atol=1e-8)


def test_bracketed_converges_faster():
    """An image of grains, refined: order 1.3 to 1.5 of the bound, 2 of the mean."""
    image = pl.microstructures.voronoi(1, (16, 16), sites=9, phases=2, seed=4)[0]
    errors = {}
    for estimate in ("variational", "bracketed"):
        values = [
            pl.homogenize(
                np.kron(image, np.ones((m, m), int)), phases=[1, 10], estimate=estimate, rtol=1e-9
            )
            for m in (1, 2, 4, 8)
        ]
        steps = np.linalg.norm(np.diff(values, axis=0), axis=(1, 2))
        errors[estimate] = steps
        assert np.all(np.log2(steps[:-1] / steps[1:]) > (1.1 if estimate == "variational" else 1.8))
    assert np.all(errors["bracketed"] < 0.3 * errors["variational"])
