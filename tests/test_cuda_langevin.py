"""The CUDA kernels of Langevin steps, on the emulated card, beside the CPU's."""

import numpy as np
import pytest
from emulator import stand_in as cupy

import pearlite as pl
from pearlite import _core

step, normal = pl.langevin.step, pl.langevin.normal
TYPES = [np.float32, np.float64]
FUSES = _core.instruction_set() != "base"


@pytest.fixture(autouse=True)
def _card(monkeypatch):
    monkeypatch.setenv("PEARLITE_CUDA", "emulate")


def same(got, wanted):
    """Equal to the last bit, where the CPU fuses multiplication and addition too."""
    got = got.get()
    if FUSES or got.dtype.kind == "i":
        np.testing.assert_array_equal(got, wanted)
    else:
        eps = np.finfo(got.dtype).eps
        np.testing.assert_allclose(got, wanted, rtol=8 * eps, atol=8 * eps)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("count", [1, 15, 16, 63, 64, 65, 255, 1023, 1024, 1025, 5000])
def test_normals(dtype, count):
    """At sizes about a half of a warp, a tile and a block."""
    samples = np.array([[3, 2**48 - 1], [0, 77]])
    options = {"seed": 2**64 - 5, "step": 2**32 - 1, "dtype": dtype}
    got = normal(count, sample=cupy.asarray(samples), **options)
    assert isinstance(got, cupy.ndarray)
    assert got.shape == (2, 2, count)
    same(got, normal(count, sample=samples, **options))


def images(batch, channels, shape, padding, dtype, seed=0):
    """-> x, score (B, C, *shape + 2 padding)"""
    rng = np.random.default_rng(seed)
    around = np.broadcast_to(padding, len(shape))
    full = (batch, channels, *(n + 2 * p for n, p in zip(shape, around, strict=True)))
    x = rng.normal(0.4, 0.5, full).astype(dtype)
    return x, rng.normal(size=full).astype(dtype)


SHAPES = [(5, 7), (8, 8), (16, 24), (33, 31), (3, 4, 16), (2, 3, 5), (1, 130)]


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("channels", [1, 2, 3, 9])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("padding", [0, 2, 9])
def test_steps(dtype, channels, shape, padding):
    x, score = images(3, channels, shape, padding, dtype)
    options = {
        "seed": 3, "step": 9, "sample": [5, 2**47, 1], "padding": padding, "clamp": (-1, 2),
        "sigma_volume": [0.05, 0.1, 0.2],
        "volume_fraction": [0.3, 0.9, 0.5] if channels == 1 else np.full(channels, 1 / channels),
    }  # fmt: skip
    sizes = [0.3, 0.0, 0.01]
    y, slope = cupy.asarray(x), cupy.asarray(score)
    counts = step(y, slope, sizes, **options)
    wanted = step(x, score, sizes, **options)
    assert isinstance(counts, cupy.ndarray)
    same(counts, wanted)
    same(y, x)
    same(pl.langevin.phase_counts(y, padding=padding), wanted)
    np.testing.assert_array_equal(slope.get(), score)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(("shape", "padding"), [((8, 9), 0), ((16, 8), (1, 3)), ((4, 4, 4), 1)])
@pytest.mark.parametrize("channels", [1, 3])
def test_any_strides(dtype, shape, padding, channels):
    x, score = images(2, channels, shape, padding, dtype)
    plain = x.copy()
    options = {"seed": 1, "step": 2, "padding": padding, "clamp": 3.0}
    wanted = step(plain, score, 0.1, **options)
    wide = np.zeros((*x.shape[:-1], 2 * x.shape[-1]), dtype)
    layouts = {
        "channels last": np.moveaxis(np.moveaxis(x, 1, -1).copy(), -1, 1),
        "every second": wide[..., ::2],
        "backwards": x[..., ::-1].copy()[..., ::-1],
        "swapped": x.swapaxes(-1, -2).copy().swapaxes(-1, -2),
    }
    for name, array in layouts.items():
        array[...] = x
        y = cupy.ndarray(array)
        same(step(y, cupy.asarray(score), 0.1, **options), wanted)
        np.testing.assert_array_equal(y.get(), plain, err_msg=name)
    assert (wide[..., 1::2] == 0).all()


def test_plain_steps():
    """Without noise and fractions; with a score that is x itself; of no images."""
    x, score = images(2, 1, (6, 70), 0, np.float64)
    y = cupy.asarray(x)
    step(y, cupy.asarray(score), 0.25, seed=0, step=0, noise=0)
    np.testing.assert_allclose(y.get(), x + 0.25 * score, rtol=1e-15, atol=1e-15)
    y, apart = cupy.asarray(x), cupy.asarray(x)
    step(y, y, 0.25, seed=0, step=0)
    step(apart, cupy.asarray(x), 0.25, seed=0, step=0)
    np.testing.assert_array_equal(y.get(), apart.get())
    nothing = cupy.asarray(np.zeros((0, 2, 8, 8), np.float32))
    assert step(nothing, nothing, 0.1, seed=0, step=0).shape == (0, 2)


def test_many_phases_are_counted_in_global_memory():
    x, _ = images(1, 5000, (2, 3), 0, np.float32)
    x[0, :, 0, 0] = 0
    got = pl.langevin.phase_counts(cupy.asarray(x))
    same(got, pl.langevin.phase_counts(x))
    y = cupy.asarray(x)
    got = step(y, cupy.asarray(x), 0.1, seed=0, step=1)
    same(got, step(x, x.copy(), 0.1, seed=0, step=1))
    same(y, x)


def test_more_images_than_a_grid_has_rows(monkeypatch):
    monkeypatch.setattr("pearlite._cuda._MOST_ROWS", 2)
    x, score = images(5, 2, (8, 8), 1, np.float32)
    y = cupy.asarray(x)
    options = {"seed": 5, "step": 1, "padding": 1, "volume_fraction": [0.5, 0.5]}
    got = step(y, cupy.asarray(score), 0.1, sigma_volume=0.1, **options)
    same(got, step(x, score, 0.1, sigma_volume=0.1, **options))
    same(y, x)
    assert cupy.machine.launches[-1].grid == (1, 2, 1)
    got = normal(9, seed=1, sample=cupy.asarray(np.arange(7)))
    same(got, normal(9, seed=1, sample=np.arange(7)))


@pytest.mark.parametrize("order", [1, 12345])
def test_the_order_of_blocks_and_threads_changes_nothing(monkeypatch, order):
    x, score = images(3, 3, (8, 24), 2, np.float64)
    options = {"seed": 5, "step": 1, "padding": 2, "volume_fraction": [0.5, 0.2, 0.3]}
    results = []
    for turn in (0, order):
        monkeypatch.setattr(cupy.machine, "order", turn)
        y = cupy.asarray(x)
        counts = step(y, cupy.asarray(score), 0.1, sigma_volume=0.1, **options)
        results.append((y.get(), counts.get()))
    for first, second in zip(*results, strict=True):
        np.testing.assert_array_equal(first, second)


def test_device_and_stream():
    """Work is done where the images are, in the stream that is cupy's current one."""
    with cupy.cuda.Device(1):
        x = cupy.asarray(np.zeros((2, 1, 8, 8), np.float32))
    stream = cupy.cuda.Stream()
    cupy.machine.launches.clear()
    with stream:
        counts = step(x, x, 0.5, seed=0, step=0, volume_fraction=0.5, sigma_volume=0.1)
    assert counts.device.id == 1
    kernels = [launch.kernel for launch in cupy.machine.launches]
    assert kernels == ["count", "shifts", "step_whole"]
    assert {(launch.device, launch.stream) for launch in cupy.machine.launches} == {(1, stream.ptr)}
    assert (cupy.machine.device, cupy.machine.stream) == (0, 0)


def test_what_is_refused():
    x, score = (cupy.asarray(a) for a in images(1, 1, (4, 5), 0, np.float32))
    options = {"seed": 0, "step": 0}
    with cupy.cuda.Device(1):
        other = cupy.asarray(np.zeros((1, 1, 4, 5), np.float32))
    with pytest.raises(ValueError, match="score is on device 1; expected 0, that of x"):
        step(x, other, 0.1, **options)
    with pytest.raises(TypeError, match="score is a ndarray; expected a cupy array"):
        step(x, score.get(), 0.1, **options)
    with pytest.raises(TypeError, match="x is a ndarray; expected a cupy array"):
        step(x.get(), score, 0.1, **options)
    with pytest.raises(TypeError, match="score has dtype float64"):
        step(x, score.astype(np.float64), 0.1, **options)
    with pytest.raises(ValueError, match="score has shape"):
        step(x, score[:, :, :2], 0.1, **options)
    with pytest.raises(ValueError, match="x has strides"):
        step(cupy.broadcast_to(x, (2, 1, 4, 5)), cupy.zeros((2, 1, 4, 5), np.float32), 0.1,
             **options)  # fmt: skip
    with pytest.raises(TypeError, match="x has dtype int64"):
        step(x.astype(np.int64), score.astype(np.int64), 0.1, **options)
    with pytest.raises(TypeError, match="step_size is a cupy ndarray"):
        step(x, score, x, **options)
    for wrong in ({"padding": 2}, {"clamp": 0}, {"noise": -1}, {"threads": 0}, {"seed": -1}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            step(x, score, 0.1, **(options | wrong))
    with pytest.raises(ValueError, match="sample is"):
        normal(3, seed=0, sample=cupy.asarray(np.array([-1])))


torch_only = pytest.importorskip  # named so that what needs torch reads as such


@pytest.mark.parametrize("shape", [(3, 1, 12, 14), (2, 3, 12, 16), (2, 2, 7, 8, 9)])
def test_tensors(shape):
    """Those of a card go through memory they share; here torch's CPU is taken for it."""
    torch = torch_only("torch")
    x, score = images(shape[0], shape[1], [n - 4 for n in shape[2:]], 2, np.float32)
    tensor, slope = torch.from_numpy(x.copy()), torch.from_numpy(score)
    options = {"seed": 2**64 - 3, "step": 2**32 - 1, "sample": 7, "padding": 2, "clamp": 3.0}
    place = tensor.data_ptr()
    cupy.machine.launches.clear()
    stream, cupy.machine.torch_stream = cupy.machine.torch_stream, 17
    try:
        counts = step(tensor, slope, 0.3, **options)
        numbers = normal((2, 3), seed=1, sample=torch.tensor([4, 5]), dtype=np.float32)
    finally:
        cupy.machine.torch_stream = stream
    assert {launch.stream for launch in cupy.machine.launches} == {17}
    assert tensor.data_ptr() == place
    np.testing.assert_array_equal(counts.numpy(), step(x, score, 0.3, **options))
    np.testing.assert_array_equal(tensor.numpy(), x)
    assert isinstance(numbers, torch.Tensor)
    wanted = normal((2, 3), seed=1, sample=[4, 5], dtype=np.float32)
    np.testing.assert_array_equal(numbers.numpy(), wanted)
    assert torch.equal(pl.langevin.phase_counts(tensor, padding=2), counts)
