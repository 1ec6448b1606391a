"""The CUDA kernels of homogenization, on the emulated card, beside the CPU's."""

import numpy as np
import pytest
from emulator import stand_in as cupy
from homogenized_on_card import error, hold, hold_gradients, with_and_without_card

import pearlite as pl
from pearlite import _gradient_card

TYPES = [np.float32, np.float64]
# Below, at and above a warp and a block, primes, thin ones, and one for a block of 512 threads that
# does not fit into shared memory in double precision.
SHAPES = [(2, 2), (2, 3), (3, 2), (7, 9), (5, 31), (16, 16), (17, 33), (2, 40), (61, 3), (50, 49)]


@pytest.fixture(autouse=True)
def _card(monkeypatch):
    monkeypatch.setenv("PEARLITE_CUDA", "emulate")


def two_phases(shape, contrast, dtype=np.float64, batch=2, seed=0):
    """-> (batch, *shape)"""
    rng = np.random.default_rng(seed)
    return np.where(rng.random((batch, *shape)) < 0.5, 1.0, contrast).astype(dtype)


def tensors(shape, batch=2, seed=0):
    a = np.random.default_rng(seed).normal(size=(batch, *shape, 2, 2))
    return a @ a.swapaxes(-1, -2) + 0.1 * np.eye(2)


def check(conductivity, bound=1e-6, **options):
    """Hold the card's result against one that is far better; -> the solution."""
    got, cpu = hold(conductivity, bound, **options)
    # Colours in place of rows: a step more or less.
    assert np.abs(got.iterations.get() - cpu.iterations).max(initial=0) <= 2
    return got


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_shapes(dtype, shape):
    check(two_phases(shape, 30, dtype))


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("contrast", [1, 10, 1e3, 1e4])
def test_contrasts(dtype, contrast):
    """What does not converge in single precision is solved again in double."""
    check(two_phases((24, 20), contrast, dtype, seed=1))


@pytest.mark.parametrize("rtol", [1e-3, 1e-8, 1e-10])
def test_tolerances(rtol):
    check(two_phases((12, 13), 10), max(rtol, 3e-10), rtol=rtol)


def test_tensors_and_oblong_pixels():
    check(tensors((11, 8)), tensor=True)
    check(tensors((9, 12)).astype(np.float32), tensor=True, spacing=(2.0, 1.0))
    check(two_phases((12, 13), 10), spacing=(1.0, 2.5))
    check(two_phases((12, 13), 10, np.float32), spacing=(3.0, 1.0))


@pytest.mark.parametrize("kind", ["uint8", "uint16", "int32", "int64", "bool"])
def test_labels(kind):
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 2, (3, 9, 14)).astype(kind)
    check(labels, phases=np.array([1.0, 5.0]))
    check(labels, phases=np.array([1.0, 5.0], np.float32))
    check(labels, phases=rng.random((3, 4)) + 0.5)
    turned = np.array([[[2, 0.5], [0.5, 1]], [[30, -3], [-3, 20.0]]])
    got = check(labels, phases=turned, tensor=True)
    alike = pl.solve_correctors(cupy.asarray(labels), phases=cupy.asarray(turned), tensor=True)
    np.testing.assert_array_equal(got.effective.get(), alike.effective.get())


@pytest.mark.parametrize("value", [0.0, np.inf])
@pytest.mark.parametrize("share", [0.25, 0.45, 0.7])
def test_voids_and_conductors(value, share):
    """Exact zeros and infinities, whichever way they percolate."""
    rng = np.random.default_rng(3)
    kinds = rng.choice([1.0, 3.0], (8, 16, 17))
    cells = np.where(rng.random(kinds.shape) < share, value, kinds)
    channels = np.ones((2, 12, 13))
    channels[0, 3] = channels[1, np.arange(12), np.arange(12)] = value
    for some in (cells, cells.astype(np.float32), channels):
        got = pl.homogenize(cupy.asarray(some)).get()
        wanted = pl.homogenize(some.astype(float), rtol=1e-9)
        np.testing.assert_array_equal(np.isinf(got), np.isinf(wanted))
        np.testing.assert_array_equal(got == 0, wanted == 0)
        finite = np.isfinite(wanted)
        np.testing.assert_allclose(got[finite], wanted[finite], rtol=2e-6, atol=2e-6)


def test_nothing_conducts_and_all_does():
    cells = np.array([0.0, np.inf, 2.0])[:, None, None] * np.ones((3, 4, 5))
    got = pl.solve_correctors(cupy.asarray(cells))
    wanted = pl.solve_correctors(cells)
    for name in got.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(got, name).get(), getattr(wanted, name))


@pytest.mark.parametrize("seed", range(6))
def test_windings(seed):
    """Diagonal bands and spirals: A* is a multiple of wwᵀ, w the way around the torus."""
    rng = np.random.default_rng(seed)
    n0, n1 = rng.integers(3, 20, 2)
    steps = rng.integers(1, 3, 2)
    cell = np.zeros((n0, n1))
    at = np.arange(2 * n0 * n1)
    cell[at * steps[0] // steps.max() % n0, at * steps[1] // steps.max() % n1] = 1
    got = pl.homogenize(cupy.asarray(cell)).get()
    np.testing.assert_allclose(got, pl.homogenize(cell), atol=1e-6)


@pytest.mark.parametrize("dtype", TYPES)
def test_correctors(dtype):
    for some, options in (
        (two_phases((9, 14), 10, dtype), {}),
        (two_phases((9, 14), 10, dtype), {"spacing": (1.0, 2.0)}),
        (tensors((8, 7)).astype(dtype), {"tensor": True}),
    ):
        got = pl.solve_correctors(cupy.asarray(some), rtol=1e-10, **options).correctors.get()
        wanted = pl.solve_correctors(some, rtol=1e-10, **options).correctors
        scale = np.abs(wanted).max()
        np.testing.assert_allclose(
            got, wanted, atol=(1e-4 if dtype == np.float32 else 2e-5) * scale
        )
        np.testing.assert_allclose(got.mean(axis=(-1, -2)), 0, atol=1e-6 * scale)


def test_memory_and_order_do_not_matter(monkeypatch):
    """In shared memory or in global memory, whatever the order of threads and blocks: equal."""
    cells = two_phases((18, 17), 30, np.float32, batch=5)
    results = []
    for most, order in ((99 * 1024, 0), (4700, 0), (99 * 1024, 1), (4700, 77)):
        monkeypatch.setattr(cupy, "_MOST_SHARED", most)
        monkeypatch.setattr(cupy.machine, "order", order)
        cupy.machine.launches.clear()
        results.append(pl.homogenize(cupy.asarray(cells)).get())
        kernels = [launch.kernel for launch in cupy.machine.launches]
        assert kernels == ["survey", "classify", "solve", "limits"]
        assert (cupy.machine.launches[2].shared > 10000) == (most > 5000)
    assert all(np.array_equal(result, results[0]) for result in results)


def test_cells_do_not_influence_one_another():
    cells = np.concatenate([two_phases((8, 9), c, seed=int(c)) for c in (1, 10, 1000)])
    together = pl.homogenize(cupy.asarray(cells)).get()
    alone = [pl.homogenize(cupy.asarray(cell)).get() for cell in cells]
    np.testing.assert_array_equal(together, alone)


def test_bracketed():
    labels = np.random.default_rng(4).integers(0, 2, (2, 8, 9))
    turned = np.array([[[2, 0.5], [0.5, 1]], [[30, -3], [-3, 20.0]]])
    for some, options in (
        (two_phases((8, 9), 10), {}),
        (labels, {"phases": [1.0, 10.0]}),
        (labels, {"phases": turned, "tensor": True}),
        (tensors((6, 7)), {"tensor": True}),
    ):
        got = pl.homogenize(cupy.asarray(some), estimate="bracketed", **options)
        wanted = pl.homogenize(some, estimate="bracketed", rtol=1e-9, **options)
        assert error(got, wanted) <= 2e-6
    with pytest.raises(ValueError, match="conductivity ranges from 0"):
        pl.homogenize(cupy.asarray(np.eye(4) + np.eye(4)[::-1]), estimate="bracketed")


# Gradients ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("spacing", [None, (1.0, 2.0)])
def test_gradients(dtype, spacing):
    rng = np.random.default_rng(5)
    labels = rng.integers(0, 3, (2, 9, 8)).astype(np.uint16)
    phases = np.array([1.0, 5.0, 20.0], dtype)
    tables = (rng.random((2, 3)) + 0.5).astype(dtype)
    turned = (np.eye(2) * phases[:, None, None]).astype(dtype)
    cases = [
        (two_phases((9, 8), 10, dtype), {}),
        (tensors((9, 8)).astype(dtype), {"tensor": True}),
        (labels, {"phases": phases}),
        (labels, {"phases": tables}),
        (labels, {"phases": turned, "tensor": True}),
    ]
    cotangent = rng.normal(size=(2, 2, 2)).astype(dtype)
    for some, options in cases:
        options = options | {"spacing": spacing, "gradient_rtol": 1e-7}
        got = hold_gradients(some, cotangent, **options)
    alike = pl.homogenize_with_gradient(cupy.asarray(some), cotangent, **options)
    np.testing.assert_array_equal(alike[1].get(), got[1].get())


def test_sums_over_slices_of_cells(monkeypatch):
    """As many blocks as a large cell has give the sums of one."""
    torch = pytest.importorskip("torch")
    labels = np.random.default_rng(8).integers(0, 3, (2, 30, 31))
    found = []
    for pixels in (2**15, 200):
        monkeypatch.setattr(_gradient_card, "_SLICE", pixels)
        phases = leaf([1.0, 4.0, 9.0])
        effective = pl.homogenize(torch.from_numpy(labels), phases=phases, gradient_rtol=1e-7)
        (first,) = torch.autograd.grad(effective.square().sum(), phases, create_graph=True)
        (second,) = torch.autograd.grad(first.square().sum(), phases)
        found.append((first.detach().numpy(), second.numpy()))
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9)


def leaf(array):
    torch = pytest.importorskip("torch")
    return torch.from_numpy(np.ascontiguousarray(array)).requires_grad_()


def test_derivatives_of_torch_tensors():
    """First and second ones, of effective tensors and correctors, against differences."""
    torch = pytest.importorskip("torch")
    cells = leaf(1 + np.random.default_rng(6).random((2, 5, 4)))
    settings = {"rtol": 1e-10, "gradient_rtol": 1e-8, "spacing": (1.0, 1.5)}

    def effective(a):
        return pl.homogenize(a, **settings)

    def fields(a):
        return pl.solve_correctors(a, **settings).correctors

    check = torch.autograd.gradcheck
    cupy.machine.launches.clear()
    assert check(effective, (cells,), fast_mode=True, atol=1e-5)
    assert check(fields, (cells[:1],), fast_mode=True, atol=1e-5)
    assert torch.autograd.gradgradcheck(effective, (cells[:1],), fast_mode=True, atol=1e-4)
    some = leaf(tensors((4, 3), 1))
    sym = lambda a: a + a.mT  # noqa: E731
    turned = lambda a: pl.homogenize(sym(a), tensor=True, rtol=1e-10, gradient_rtol=1e-8)  # noqa: E731
    assert check(turned, (some,), fast_mode=True, atol=1e-5)
    assert torch.autograd.gradgradcheck(turned, (some,), fast_mode=True, atol=1e-4)
    kernels = {launch.kernel for launch in cupy.machine.launches}
    assert kernels == {
        "survey", "classify", "solve", "limits", "pull_back", "push_forward", "direction_loads",
    }  # fmt: skip


def test_phases_of_torch_tensors(monkeypatch):
    torch = pytest.importorskip("torch")
    labels = np.random.default_rng(7).integers(0, 3, (2, 6, 7))
    phases = leaf([1.0, 4.0, 9.0])
    found = list(with_and_without_card(monkeypatch, labels, phases, gradient_rtol=1e-7))
    for mine, theirs in found:
        np.testing.assert_allclose(mine, theirs, rtol=3e-6)
    monkeypatch.setenv("PEARLITE_CUDA", "emulate")
    plain = pl.homogenize(torch.from_numpy(labels), phases=[1.0, 4.0, 9.0])
    np.testing.assert_allclose(plain.numpy(), found[0][0], rtol=3e-6)
    with pytest.raises(ValueError, match=r"conductivity\[0, 0, 0\] is 7; expected a label"):
        pl.homogenize(torch.full((1, 3, 3), 7), phases=phases)


def test_the_stream_of_torch(monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(cupy.machine, "torch_stream", 4711)
    cupy.machine.launches.clear()
    pl.homogenize(torch.from_numpy(two_phases((4, 5), 3)))
    assert {launch.stream for launch in cupy.machine.launches} == {4711}
    cupy.machine.launches.clear()
    with cupy.cuda.Device(1):
        cells = cupy.asarray(two_phases((4, 5), 3))
    with cupy.cuda.Stream() as stream:
        got = pl.homogenize(cells)
    assert got.device.id == 1
    assert {(at.device, at.stream) for at in cupy.machine.launches} == {(1, stream.ptr)}


# What is refused ---------------------------------------------------------------------------------


def test_failures():
    """Contrasts beyond double precision: an error that names the worst cell, or NaN."""
    cells = two_phases((8, 8), 2)
    cells[1] = np.where(cells[1] > 1, 1e15, 1.0)
    with pytest.raises(pl.ConvergenceError, match=r"1 of 2 cells did not reach rtol=1e-06.*\[1\]"):
        pl.homogenize(cupy.asarray(cells))
    got = pl.solve_correctors(cupy.asarray(cells), on_failure="nan")
    assert got.converged.get().tolist() == [True, False]
    assert np.isnan(got.effective.get()[1]).all()
    assert np.isnan(got.correctors.get()[1]).all()
    assert np.isfinite(got.effective.get()[0]).all()
    pulled = pl.homogenize_with_gradient(cupy.asarray(cells), np.eye(2), on_failure="nan")
    assert np.isnan(pulled[1].get()[1]).all()


def test_empty_batches():
    got = pl.solve_correctors(cupy.zeros((0, 3, 4)))
    assert got.effective.shape == (0, 2, 2)
    assert got.correctors.shape == (0, 2, 3, 4)
    labels = cupy.zeros((0, 3, 4), np.uint8)
    effective, gradient = pl.homogenize_with_gradient(labels, np.eye(2), phases=[1.0, 2.0])
    assert (effective.shape, gradient.get().tolist()) == ((0, 2, 2), [0, 0])


@pytest.mark.parametrize(
    ("value", "expected"),
    [(-1.0, "normal number"), (np.nan, "numbers"), (1e-310, "normal number")],
)
def test_pixels_without_meaning(value, expected):
    cells = np.ones((2, 3, 4))
    cells[1, 2, 1] = value
    with pytest.raises(ValueError, match=rf"conductivity\[1, 2, 1\] is .*; expected .*{expected}"):
        pl.homogenize(cupy.asarray(cells))
    with pytest.raises(ValueError, match=r"phases\[1\] is"):
        pl.homogenize(cupy.zeros((2, 3), np.uint8), phases=[1.0, value])


@pytest.mark.parametrize("spacing", [(1e300, 1e-300), (1e-160, 1e160)])
@pytest.mark.parametrize("dim", [2, 3])
def test_spacings_whose_quotients_underflow(spacing, dim):
    """They end as on the CPU."""
    cells = two_phases((3, 4, 2)[:dim], 3, batch=1)
    sizes = (*spacing, 1.0)[:dim]
    for array in (cells, cupy.asarray(cells)):
        with pytest.raises(pl.ConvergenceError, match="1 of 1 cells did not reach rtol"):
            pl.homogenize(array, dim=dim, spacing=sizes)


def test_what_is_refused():
    cells = cupy.asarray(np.ones((4, 5)))
    with pytest.raises(ValueError, match="conductivity has 31 axes; expected at most 30"):
        pl.homogenize(cells.reshape(*(1,) * 29, 4, 5))
    skew = cupy.asarray(np.broadcast_to(np.array([[1, 0.5], [0.1, 1]]), (3, 3, 2, 2)).copy())
    with pytest.raises(ValueError, match=r"conductivity\[0, 0\] is .* expected a symmetric"):
        pl.homogenize(skew, tensor=True)
    with pytest.raises(ValueError, match=r"conductivity\[0, 0\] is 3; expected a label"):
        pl.homogenize(cupy.full((2, 2), 3), phases=[1.0, 2.0])
    with pytest.raises(TypeError, match="values from 0 to 8589934592"):
        pl.homogenize(cupy.asarray(np.array([[0, 2**33], [0, 0]])), phases=[1.0])
    with pytest.raises(TypeError, match="conductivity has dtype int64: labels need phases"):
        pl.homogenize(cells.astype(np.int64))
    with pytest.raises(TypeError, match="conductivity has dtype float64; with phases"):
        pl.homogenize(cells, phases=[1.0])
    with pytest.raises(TypeError, match="conductivity is a ndarray; expected a cupy array"):
        pl.homogenize(np.zeros((2, 2), int), phases=cupy.ones(2))
    with pytest.raises(ValueError, match="conductivity has shape"):
        pl.homogenize(cells[:1])
    with pytest.raises(ValueError, match="estimate is 'best'"):
        pl.homogenize(cells, estimate="best")
    with pytest.raises(ValueError, match="cotangent has shape"):
        pl.homogenize_with_gradient(cells, cells)
    with cupy.cuda.Device(1):
        other = cupy.ones((2, 2))
    with pytest.raises(ValueError, match="cotangent is on device 1; expected 0"):
        pl.homogenize_with_gradient(cells, other)
    with pytest.raises(ValueError, match="phases is on device 1; expected 0"):
        pl.homogenize(cells.astype(np.int32), phases=other[0])
