"""homogenize and solve_correctors against the small direct reference, for every form of input."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from reference import corrector as reference
from reference import microstructures

import pearlite as pl

SHAPES = [(2, 2), (2, 7), (3, 5), (16, 16), (17, 31), (31, 64), (64, 64), (97, 50), (128, 96)]
CONTRASTS = [1, 10, 100, 1e3, 1e4]
FAMILIES = ["voronoi", "discs", "pixel_checkerboard", "fine_noise", "random_pixels", "islands"]


def relative_error(effective, exact):
    """Frobenius, of each cell."""
    return np.linalg.norm(effective - exact, axis=(-2, -1)) / np.linalg.norm(exact, axis=(-2, -1))


def draw(shape, contrast, *, family="voronoi", count=5, seed=0):
    """-> labels (n0, n1) and phase values (count,)."""
    rng = np.random.default_rng(seed)
    labels = microstructures.GEOMETRIES[family](rng, shape, count)
    return labels, microstructures.phase_values(rng, count, contrast)


def draw_field(shape, contrast, **options):
    labels, values = draw(shape, contrast, **options)
    return values[labels]


def draw_tensors(shape, contrast, seed=0):
    rng = np.random.default_rng(seed)
    labels = microstructures.voronoi(rng, shape, 6)
    return labels, microstructures.phase_tensors(rng, 6, contrast)


def families_of(shape):
    # The other geometries need room for a disc or an island.
    return FAMILIES if min(shape) >= 16 else ["voronoi", "random_pixels"]


@pytest.mark.parametrize("contrast", CONTRASTS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_agrees_with_reference(shape, contrast):
    families = families_of(shape)
    fields = np.stack([draw_field(shape, contrast, family=family) for family in families])
    exact = np.stack([reference.homogenize(field) for field in fields])
    # The contract is 1e-10; a factor of ten covers the direct solver's own rounding.
    assert relative_error(pl.homogenize(fields, rtol=1e-10), exact).max() < 1e-9
    assert relative_error(pl.homogenize(fields), exact).max() < 1e-6


@pytest.mark.parametrize("family", microstructures.GEOMETRIES)
@pytest.mark.parametrize("contrast", CONTRASTS)
def test_float32_fields_are_good_to_the_default_rtol(family, contrast):
    shapes = [(32, 32), (37, 53)]
    for shape in shapes:
        cells = [draw_field(shape, contrast, family=family, seed=s) for s in range(3)]
        fields = np.stack(cells).astype(np.float32)
        exact = np.stack([reference.homogenize(field) for field in fields])
        effective = pl.homogenize(fields)
        assert effective.dtype == np.float32
        # The result is rounded to float32 once, 6e-8; the solver's error leaves room for it.
        assert relative_error(effective, exact).max() < 1e-6


@pytest.mark.parametrize("family", microstructures.GEOMETRIES)
@pytest.mark.parametrize("spacing", [(1, 0.3), (1, 3.5)], ids=str)
def test_oblong_pixels_of_every_family(family, spacing):
    """Strong coupling along one axis: errors there hide from the smoother and from estimates."""
    for shape in ((80, 80), (33, 48), (101, 20)):
        for contrast in (10, 300, 1e4):
            cells = [draw(shape, contrast, family=family, count=c, seed=c) for c in (2, 3, 10)]
            fields = np.stack([values[labels] for labels, values in cells])
            exact = np.stack([reference.homogenize(field, spacing) for field in fields])
            assert relative_error(pl.homogenize(fields, spacing=spacing), exact).max() < 1e-6
            single = fields.astype(np.float32)  # which moves the exact tensor by 6e-8
            assert relative_error(pl.homogenize(single, spacing=spacing), exact).max() < 1.1e-6


@pytest.mark.parametrize("anisotropy", [10, 100])
@pytest.mark.parametrize("shape", [(33, 127), (101, 20), (64, 64)], ids=str)
def test_two_turned_axes(shape, anisotropy):
    """Anisotropy oblique to the grid, where no smoother along the axes helps."""
    rng = np.random.default_rng(shape)
    fields = []
    for _ in range(10):
        angles, sizes = rng.uniform(0, np.pi, 2), 10 ** rng.uniform(0, 1.5, 2)
        tensors = microstructures.rotated(angles, sizes, sizes * anisotropy)
        fields.append(tensors[microstructures.voronoi(rng, shape, 2)])
    exact = np.stack([reference.homogenize(field) for field in fields])
    assert relative_error(pl.homogenize(np.stack(fields), tensor=True), exact).max() < 1e-6


@pytest.mark.parametrize("rtol", [1e-1, 1e-3, 1e-5, 1e-8])
@pytest.mark.parametrize("contrast", [10, 1e4])
def test_rtol_bounds_the_error(rtol, contrast):
    fields = np.stack([draw_field((48, 53), contrast, family=family) for family in FAMILIES])
    exact = np.stack([reference.homogenize(field) for field in fields])
    solution = pl.solve_correctors(fields, rtol=rtol)
    assert relative_error(solution.effective, exact).max() <= rtol
    assert solution.residual.max() <= rtol
    assert solution.converged.all()


@pytest.mark.parametrize("contrast", [10, 1e4])
def test_continuous_fields(contrast):
    rng = np.random.default_rng(5)
    fields = np.stack([microstructures.lognormal(rng, (40, 51), contrast) for _ in range(4)])
    exact = np.stack([reference.homogenize(field) for field in fields])
    assert relative_error(pl.homogenize(fields, rtol=1e-10), exact).max() < 1e-9


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32])
@pytest.mark.parametrize("shape", [(17, 31), (64, 64)], ids=str)
def test_labels_equal_fields(dtype, shape):
    cells = [draw(shape, 50, seed=seed)[0] for seed in range(3)]
    labels, values = np.stack(cells).astype(dtype), np.array([1, 3, 50, 7, 20.0])
    effective = pl.homogenize(labels, phases=values, rtol=1e-10)
    # Both within 1e-10 of the same exact tensor.
    assert relative_error(effective, pl.homogenize(values[labels], rtol=1e-10)).max() < 2e-10


def test_more_labels_than_a_byte_holds():
    rng = np.random.default_rng(3)
    labels = rng.permutation(32 * 32).reshape(32, 32).astype(np.uint16)
    values = rng.uniform(1, 10, 32 * 32)
    exact = reference.homogenize(values[labels])
    assert relative_error(pl.homogenize(labels, phases=values, rtol=1e-10), exact) < 1e-9


def test_phases_of_each_cell():
    labels = np.stack([draw((20, 24), 10, seed=seed)[0] for seed in range(4)]).astype(np.uint8)
    phases = np.random.default_rng(1).uniform(1, 100, (4, 5))
    fields = np.stack([table[cell] for cell, table in zip(labels, phases, strict=True)])
    exact = np.stack([reference.homogenize(field) for field in fields])
    assert relative_error(pl.homogenize(labels, phases=phases, rtol=1e-10), exact).max() < 1e-9


def test_phases_broadcast_with_the_batch():
    """One image with many tables, and many images with many tables."""
    labels = np.stack([draw((20, 24), 10, seed=seed)[0] for seed in range(3)]).astype(np.uint8)
    phases = np.random.default_rng(1).uniform(1, 100, (4, 5))
    one = pl.homogenize(labels[0], phases=phases, rtol=1e-10)
    assert one.shape == (4, 2, 2)
    assert_allclose(one, pl.homogenize(phases[:, labels[0]], rtol=1e-10), rtol=0, atol=1e-7)
    grid = pl.homogenize(labels, phases=phases[:, None], rtol=1e-10)
    assert grid.shape == (4, 3, 2, 2)
    assert relative_error(grid[2, 1], reference.homogenize(phases[2][labels[1]])) < 1e-9


@pytest.mark.parametrize("contrast", [10, 100, 1e4])
@pytest.mark.parametrize("shape", [(2, 3), (16, 16), (31, 44), (64, 64)], ids=str)
def test_tensor_pixels(shape, contrast):
    cells = [draw_tensors(shape, contrast, seed) for seed in range(3)]
    fields = np.stack([values[labels] for labels, values in cells])
    exact = np.stack([reference.homogenize(field) for field in fields])
    assert relative_error(pl.homogenize(fields, tensor=True, rtol=1e-10), exact).max() < 1e-9
    single = pl.homogenize(fields.astype(np.float32), tensor=True)
    exact = np.stack([reference.homogenize(field) for field in fields.astype(np.float32)])
    assert single.dtype == np.float32
    assert relative_error(single, exact).max() < 1e-6


def test_tensor_phases():
    cells = [draw_tensors((24, 33), 100, seed) for seed in range(3)]
    labels = np.stack([labels for labels, _ in cells]).astype(np.uint8)
    phases = np.stack([values for _, values in cells])
    exact = np.stack([reference.homogenize(values[cell]) for cell, values in cells])
    effective = pl.homogenize(labels, phases=phases, tensor=True, rtol=1e-10)
    assert relative_error(effective, exact).max() < 1e-9
    shared = pl.homogenize(labels, phases=phases[0], tensor=True, rtol=1e-10)
    assert relative_error(shared[0], exact[0]) < 1e-9


@pytest.mark.parametrize("spacing", [(1, 2), (0.3, 0.1), (1e-6, 4e-6)], ids=str)
@pytest.mark.parametrize("shape", [(24, 24), (31, 50)], ids=str)
def test_oblong_pixels(shape, spacing):
    field = draw_field(shape, 100)
    labels, tensors = draw_tensors(shape, 100)
    effective = pl.homogenize(field, spacing=spacing, rtol=1e-10)
    assert relative_error(effective, reference.homogenize(field, spacing)) < 1e-9
    field = tensors[labels]
    effective = pl.homogenize(field, tensor=True, spacing=spacing, rtol=1e-10)
    assert relative_error(effective, reference.homogenize(field, spacing)) < 1e-9


@pytest.mark.parametrize("batch", [(), (1,), (3,), (2, 3), (2, 1, 2)], ids=str)
def test_batch_axes(batch):
    count = int(np.prod(batch))
    fields = np.stack([draw_field((12, 15), 20, seed=seed) for seed in range(count)])
    exact = np.stack([reference.homogenize(field) for field in fields]).reshape(*batch, 2, 2)
    solution = pl.solve_correctors(fields.reshape(*batch, 12, 15), rtol=1e-10)
    assert solution.effective.shape == (*batch, 2, 2)
    assert solution.correctors.shape == (*batch, 2, 12, 15)
    for scalars in (solution.iterations, solution.residual, solution.converged):
        assert scalars.shape == batch
    assert np.max(relative_error(solution.effective, exact)) < 1e-9


def test_result_is_symmetric():
    effective = pl.homogenize(draw_field((64, 64), 100))
    assert effective[0, 1] == effective[1, 0]


@pytest.mark.parametrize("tensor", [False, True], ids=["scalar", "tensor"])
@pytest.mark.parametrize("spacing", [None, (1, 1), (0.5, 2)], ids=str)
@pytest.mark.parametrize("shape", [(16, 16), (33, 20), (64, 64)], ids=str)
def test_correctors(shape, spacing, tensor):
    field = draw_field(shape, 100)
    if tensor:
        labels, values = draw_tensors(shape, 100)
        field = values[labels]
    # Without a spacing the longer side of the cell is 1.
    sizes = (1 / max(shape), 1 / max(shape)) if spacing is None else spacing
    exact, fields = reference.solve_correctors(field, sizes)
    solution = pl.solve_correctors(field, tensor=tensor, spacing=spacing, rtol=1e-10)
    scale = np.abs(fields).max()

    assert_allclose(solution.correctors.mean((-2, -1)), 0, atol=1e-12 * scale)
    # The corrector's energy exceeds A* by the square of its error: within rtol by the contract,
    # which leaves about its root, 1e-5, in the corrector itself.
    stiffness, loads = reference.assemble(field, sizes)
    columns = solution.correctors.reshape(2, -1).T
    energy = reference.energy(field, stiffness, loads, columns)
    assert_allclose(energy, solution.effective, rtol=0, atol=1e-9 * np.linalg.norm(exact))
    excess = np.linalg.eigvalsh(energy - exact) / np.linalg.norm(exact)
    assert excess[0] > -1e-11
    assert excess[1] <= 1e-10 + 1e-11
    assert_allclose(solution.correctors, fields, rtol=0, atol=1e-4 * scale)
    # The discrete equation K X = -f itself, in the norm of f.
    residual = np.linalg.norm(stiffness @ columns + loads, axis=0)
    assert np.all(residual < 1e-4 * np.linalg.norm(loads, axis=0))


def test_correctors_of_float32_fields_are_float32():
    field = draw_field((32, 32), 10).astype(np.float32)
    solution = pl.solve_correctors(field)
    assert solution.correctors.dtype == np.float32
    _, exact = reference.solve_correctors(field, (1 / 32, 1 / 32))
    # rtol is 1e-6, the corrector is good to its root.
    assert_allclose(solution.correctors, exact, rtol=0, atol=3e-3 * np.abs(exact).max())


@pytest.fixture
def one_iteration(monkeypatch):
    """Let the solver give up after one step, where hard cells are far from converged."""
    monkeypatch.setattr("pearlite.corrector._MAX_ITERATIONS", 1)


@pytest.mark.usefixtures("one_iteration")
class TestNotConverged:
    def batch(self):
        easy = np.full((32, 32), 3.0)
        hard = draw_field((32, 32), 1e4, family="random_pixels", seed=1)
        return np.stack([easy, hard, easy, hard]).reshape(2, 2, 32, 32)

    def test_raises_with_the_worst_cell(self):
        with pytest.raises(pl.ConvergenceError, match="2 of 4 cells") as caught:
            pl.homogenize(self.batch())
        assert caught.value.index in {(0, 1), (1, 1)}
        assert caught.value.residual > 1e-6

    def test_gives_nan_when_asked_to(self):
        effective = pl.homogenize(self.batch(), on_failure="nan")
        assert_array_equal(np.isnan(effective).all((-2, -1)), [[False, True], [False, True]])
        assert_allclose(effective[:, 0], 3 * np.broadcast_to(np.eye(2), (2, 2, 2)), atol=1e-12)

    def test_reports_it_in_the_correctors(self):
        solution = pl.solve_correctors(self.batch(), on_failure="nan")
        assert_array_equal(solution.converged, [[True, False], [True, False]])
        assert np.isnan(solution.correctors[:, 1]).all()
        assert np.isfinite(solution.correctors[:, 0]).all()
        assert np.all(solution.residual[:, 1] > 1e-6)
