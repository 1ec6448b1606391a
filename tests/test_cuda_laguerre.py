"""The CUDA kernels of tessellations, on the emulated card, beside the CPU's and the definition."""

import numpy as np
import pytest
from emulator import stand_in as cupy
from reference import laguerre as reference

import pearlite as pl

assign, relax = pl.laguerre.assign, pl.laguerre.relax
METRICS = ["power", "additive"]
TYPES = [np.float32, np.float64]


@pytest.fixture(autouse=True)
def _card(monkeypatch):
    monkeypatch.setenv("PEARLITE_CUDA", "emulate")


def seeds(batch, count, dimension, dtype=np.float64, spread=0.3, seed=0):
    """-> sites (*batch, K, d), weights and values (*batch, K)"""
    rng = np.random.default_rng(seed)
    sites = rng.random((*batch, count, dimension)).astype(dtype)
    scale = spread * count ** (-2 / dimension)
    weights = (scale * rng.normal(size=(*batch, count))).astype(dtype)
    return sites, weights, rng.normal(size=(*batch, count)).astype(dtype)


def sent(*arrays):
    return [cupy.asarray(a) for a in arrays]


SHAPES = [(2, 3), (8, 32), (9, 33), (40, 50), (7, 65), (4, 4, 16), (5, 6, 17), (9, 16, 20)]


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("count", [1, 2, 30])
def test_labels(dtype, metric, periodic, shape, count):
    """At sizes below, at and above a tile, the labels are those of the definition."""
    sites, weights, _ = seeds((2,), count, len(shape), dtype)
    options = {"shape": shape, "metric": metric, "periodic": periodic}
    got = assign(*sent(sites, weights), **options)
    assert isinstance(got, cupy.ndarray)
    assert got.dtype == np.uint8
    for b in range(2):
        wide = sites[b].astype(float), weights[b].astype(float)
        np.testing.assert_array_equal(
            got.get()[b], reference.assign(*wide, shape, metric, periodic)
        )


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("shape", [(70, 300), (13, 20, 140)])
@pytest.mark.parametrize("count", [255, 257, 700])
def test_labels_of_many_seeds(metric, shape, count):
    """More than a block looks at in one go: larger tiles are sifted first."""
    sites, weights, _ = seeds((), count, len(shape))
    cupy.machine.launches.clear()
    got = assign(*sent(sites, weights), shape=shape, metric=metric)
    kernels = [launch.kernel for launch in cupy.machine.launches]
    assert kernels == (["sift", "assign"] if count > 256 else ["assign"])
    np.testing.assert_array_equal(got.get(), assign(sites, weights, shape=shape, metric=metric))


@pytest.mark.parametrize("metric", METRICS)
def test_labels_where_all_seeds_matter(metric, monkeypatch):
    """Lists overflow where seeds are denser than pixels, and what larger tiles keep does."""
    monkeypatch.setattr("pearlite.laguerre._card._KEPT", 1)
    sites, weights, _ = seeds((), 1500, 2, spread=2)
    sites[:] = 0.5 + 0.01 * (sites - 0.5)
    got = assign(*sent(sites, weights), shape=(20, 40), metric=metric)
    wanted = assign(sites, weights, shape=(20, 40), metric=metric)
    np.testing.assert_array_equal(got.get(), wanted)


@pytest.mark.parametrize("order", [0, 1, 99])
def test_ties_go_to_the_first(order, monkeypatch):
    monkeypatch.setattr(cupy.machine, "order", order)
    grid = (np.indices((4, 4)).reshape(2, -1).T + 0.5) / 4
    sites = np.concatenate([grid, grid, grid[::-1]])
    got = assign(cupy.asarray(sites), shape=(32, 32)).get()
    np.testing.assert_array_equal(got, assign(sites, shape=(32, 32)))
    assert got.max() < 16


def test_types_batches_and_sites_anywhere():
    sites, weights, _ = seeds((3, 1), 20, 2)
    sites = sites * 7 - 3
    sites[0, 0, 0] = -1e-20
    got = assign(*sent(sites, weights[0]), shape=(16, 16), dtype="uint16")
    assert got.dtype == np.uint16
    np.testing.assert_array_equal(got.get(), assign(sites, weights[0], shape=(16, 16)))
    far = assign(cupy.asarray(sites), shape=(16, 16), periodic=False, dtype=np.int32)
    np.testing.assert_array_equal(far.get(), assign(sites, shape=(16, 16), periodic=False))
    empty = assign(cupy.zeros((0, 3, 2)), shape=(4, 4))
    assert empty.shape == (0, 4, 4)


# Relaxed -----------------------------------------------------------------------------------------

TOLERANCE = {np.float32: 3e-5, np.float64: 1e-11}


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("shape", [(2, 3), (16, 32), (17, 33), (40, 30), (8, 4, 16), (9, 5, 17)])
@pytest.mark.parametrize("width", [0.02, 0.5])
def test_relaxed_fields_and_gradients(dtype, metric, periodic, shape, width):
    """Beside the CPU's in float64, at sizes below, at and above a tile."""
    sites, weights, values = seeds((2,), 25, len(shape), dtype)
    spacing = 25 ** (-1 / len(shape))
    epsilon = width * (spacing**2 if metric == "power" else spacing)
    cotangent = np.random.default_rng(1).normal(size=(2, *shape)).astype(dtype)
    options = {"shape": shape, "metric": metric, "periodic": periodic, "epsilon": epsilon}
    arrays = sites, weights, values, cotangent
    wanted = pl.laguerre.relax_with_gradient(*(a.astype(float) for a in arrays), **options)
    got = pl.laguerre.relax_with_gradient(*sent(*arrays), **options)
    tolerance = TOLERANCE[dtype]
    np.testing.assert_allclose(got[0].get(), wanted[0], atol=tolerance, rtol=0)
    assert got[0].dtype == dtype
    for name, mine, theirs in zip(wanted[1]._fields, got[1], wanted[1], strict=True):
        assert mine.dtype == dtype
        # The sum for epsilon has terms of both signs, of which little may be left.
        bound = (30 if name == "epsilon" else 1) * tolerance * np.abs(theirs).max()
        np.testing.assert_allclose(mine.get(), theirs, atol=bound, rtol=0, err_msg=name)
    alone = relax(*sent(sites, weights, values), **options)
    np.testing.assert_array_equal(alone.get(), got[0].get())


@pytest.mark.parametrize("metric", METRICS)
def test_relaxed_fields_of_many_seeds(metric):
    """Sifted, and more than a list holds at once where faces are wide."""
    for width, count in ((0.1, 300), (30.0, 300)):
        sites, weights, values = seeds((), count, 2)
        epsilon = width * (1 / count if metric == "power" else count**-0.5)
        cotangent = np.random.default_rng(1).normal(size=(9, 33))
        options = {"shape": (9, 33), "metric": metric, "epsilon": epsilon}
        wanted = pl.laguerre.relax_with_gradient(sites, weights, values, cotangent, **options)
        got = pl.laguerre.relax_with_gradient(*sent(sites, weights, values, cotangent), **options)
        np.testing.assert_allclose(got[0].get(), wanted[0], atol=1e-11)
        for mine, theirs in zip(got[1], wanted[1], strict=True):
            np.testing.assert_allclose(mine.get(), theirs, atol=1e-9 * np.abs(theirs).max())


def test_relaxed_batches_and_shared_arguments():
    sites, _, values = seeds((3, 1), 12, 2)
    epsilon = np.array([0.01, 0.02])
    cotangent = np.random.default_rng(1).normal(size=(3, 2, 10, 12))
    options = {"shape": (10, 12)}
    wanted = pl.laguerre.relax_with_gradient(
        sites, None, values[0, 0], cotangent, epsilon=epsilon, **options
    )
    for width in (epsilon, cupy.asarray(epsilon)):
        got = pl.laguerre.relax_with_gradient(
            cupy.asarray(sites), None, *sent(values[0, 0], cotangent), epsilon=width, **options
        )
        np.testing.assert_allclose(got[0].get(), wanted[0], atol=1e-12)
        for mine, theirs in zip(got[1], wanted[1], strict=True):
            assert mine.shape == theirs.shape
            np.testing.assert_allclose(mine.get(), theirs, atol=1e-11 * np.abs(theirs).max())


def test_a_pixel_at_a_seed_has_a_gradient():
    sites = np.array([[0.25, 0.25], [0.7, 0.4]])
    arguments = sites, np.zeros(2), np.array([1.0, 2.0])
    g = np.ones((2, 2))
    options = {"shape": (2, 2), "epsilon": 0.1, "metric": "additive"}
    wanted = pl.laguerre.relax_with_gradient(*arguments, g, **options)
    got = pl.laguerre.relax_with_gradient(*sent(*arguments, g), **options)
    for mine, theirs in zip(got[1], wanted[1], strict=True):
        np.testing.assert_allclose(mine.get(), theirs, atol=1e-14)


def test_tensors():
    """Those of a card go through memory they share; here torch's CPU is taken for it."""
    torch = pytest.importorskip("torch")
    arrays = seeds((2,), 9, 2)
    tensors = [torch.from_numpy(a).requires_grad_() for a in arrays]
    cupy.machine.launches.clear()
    field = relax(*tensors, shape=(9, 10), epsilon=0.01)
    field.square().sum().backward()
    assert [launch.kernel for launch in cupy.machine.launches] == ["relax", "relax"]
    wanted, gradient = pl.laguerre.relax_with_gradient(
        *arrays, 2 * field.detach().numpy(), shape=(9, 10), epsilon=0.01
    )
    np.testing.assert_allclose(field.detach().numpy(), wanted, atol=1e-12)
    for tensor, theirs in zip(tensors, gradient, strict=False):
        scale = np.abs(theirs).max()
        np.testing.assert_allclose(tensor.grad.numpy(), theirs, atol=1e-11 * scale)
    labels = assign(tensors[0], tensors[1], shape=(9, 10), dtype=torch.int32)
    assert labels.dtype == torch.int32
    np.testing.assert_array_equal(labels.numpy(), assign(*arrays[:2], shape=(9, 10)))


def test_what_is_refused():
    sites, weights, values = sent(*seeds((2,), 5, 2))
    with pytest.raises(TypeError, match="weights is a ndarray; expected a cupy array"):
        assign(sites, weights.get(), shape=(4, 4))
    with pytest.raises(TypeError, match="sites is a ndarray; expected a cupy array"):
        assign(sites.get(), weights, shape=(4, 4))
    with pytest.raises(TypeError, match="weights has dtype float32; expected float64"):
        assign(sites, weights.astype(np.float32), shape=(4, 4))
    with pytest.raises(TypeError, match="sites has dtype int64"):
        assign(sites.astype(np.int64), shape=(4, 4))
    with pytest.raises(ValueError, match="weights has shape"):
        assign(sites, weights[:, :3], shape=(4, 4))
    with pytest.raises(ValueError, match="sites has shape"):
        assign(sites[0, 0], shape=(4, 4))
    with pytest.raises(ValueError, match="batch axes"):
        assign(sites, cupy.zeros((3, 5)), shape=(4, 4))
    with pytest.raises(ValueError, match="shape is"):
        assign(sites, weights, shape=(4, 4, 4))
    with pytest.raises(ValueError, match="metric is"):
        assign(sites, weights, shape=(4, 4), metric="euclidean")
    with pytest.raises(ValueError, match="values has shape"):
        relax(sites, weights, values[:, :2], shape=(4, 4), epsilon=0.1)
    with pytest.raises(ValueError, match="epsilon is -1"):
        relax(sites, weights, values, shape=(4, 4), epsilon=-1)
    with pytest.raises(ValueError, match="cotangent has shape"):
        pl.laguerre.relax_with_gradient(
            sites, weights, values, cupy.zeros((3, 3)), shape=(4, 4), epsilon=0.1
        )
    with cupy.cuda.Device(1):
        other = cupy.zeros((2, 5))
    with pytest.raises(ValueError, match="values is on device 1; expected 0"):
        relax(sites, weights, other, shape=(4, 4), epsilon=0.1)
