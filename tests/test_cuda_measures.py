"""Volumes and centroids of labelled cells on the emulated card: the CPU's, to the last bit."""

from pathlib import Path

import numpy as np
import pytest
from emulator import build
from emulator import stand_in as cupy

import pearlite as pl
from pearlite.laguerre import _cells_card

TYPES = [np.uint8, np.uint16, np.int32, np.int64, np.bool_]
# Below, at and above a block's tile.
SHAPES = [(2, 3), (32, 256), (33, 257), (70, 20), (4, 5, 6), (32, 8, 32), (33, 9, 33)]
LARGE = SHAPES[1:4] + SHAPES[5:]


@pytest.fixture(autouse=True)
def _card(monkeypatch):
    monkeypatch.setenv("PEARLITE_CUDA", "emulate")


def images(shape, dtype, seed=0):
    """Noise, convex cells, and layers around the torus -> (3, *shape), and how many cells"""
    rng = np.random.default_rng(seed)
    count = 2 if dtype is np.bool_ else 12
    noise = rng.integers(0, count, shape)
    cells = noise
    if min(shape) > 1:
        cells = pl.laguerre.assign(rng.random((count, len(shape))), shape=shape)
    layers = (np.indices(shape)[-1] * 5 // shape[-1]) % min(count, 4)
    return np.stack([noise, cells, layers]).astype(dtype), count + 1


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", TYPES)
def test_volumes(shape, dtype):
    labels, count = images(shape, dtype)
    options = {"dim": len(shape), "spacing": 0.3}
    got = pl.laguerre.volumes(cupy.asarray(labels), count, **options)
    assert isinstance(got, cupy.ndarray)
    assert got.dtype == np.float64
    np.testing.assert_array_equal(got.get(), pl.laguerre.volumes(labels, count, **options))
    found = pl.laguerre.volumes(cupy.asarray(labels[0]), dim=len(shape))
    np.testing.assert_array_equal(found.get(), pl.laguerre.volumes(labels[0], dim=len(shape)))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("periodic", [True, False])
def test_centroids(shape, dtype, periodic):
    labels, count = images(shape, dtype)
    options = {"dim": len(shape), "periodic": periodic}
    got = pl.laguerre.centroids(cupy.asarray(labels), count, **options)
    np.testing.assert_array_equal(got.get(), pl.laguerre.centroids(labels, count, **options))


@pytest.mark.parametrize("shape", LARGE)
@pytest.mark.parametrize("periodic", [True, False])
def test_moments(shape, periodic):
    """What Lloyd's iteration takes, of cells in one piece and of those that go around."""
    from pearlite import _core
    from pearlite.laguerre import _images

    labels, count = images(shape, np.uint8, seed=1)
    checked = _images.images(cupy.asarray(labels), count, len(shape))
    got = _cells_card.moments(checked, periodic)
    wanted = _core.cell_moments(labels, count, periodic, 1)
    for mine, theirs in zip(got, wanted, strict=True):
        np.testing.assert_array_equal(mine.get(), theirs)


@pytest.mark.parametrize("count", [255, 256, 257, 700])
def test_more_cells_than_a_block_has_room_for(count, monkeypatch):
    """What shared memory has no room for is added in global memory; profiles are made in parts."""
    monkeypatch.setattr(_cells_card, "_MOST_SLICES", 1000)
    labels = np.random.default_rng(0).integers(0, count, (24, 90)).astype(np.int32)
    for function in (pl.laguerre.volumes, pl.laguerre.centroids):
        got = function(cupy.asarray(labels), count)
        np.testing.assert_array_equal(got.get(), function(labels, count))


@pytest.mark.parametrize("order", [1, 99])
def test_the_order_of_blocks_and_threads_changes_nothing(order, monkeypatch):
    labels, count = images((40, 300), np.uint8)
    wanted = pl.laguerre.centroids(cupy.asarray(labels), count).get()
    monkeypatch.setattr(cupy.machine, "order", order)
    np.testing.assert_array_equal(pl.laguerre.centroids(cupy.asarray(labels), count).get(), wanted)


def test_batches_and_what_does_not_lie_in_a_row():
    labels = np.random.default_rng(0).integers(0, 5, (2, 3, 9, 10)).astype(np.uint8)
    for function in (pl.laguerre.volumes, pl.laguerre.centroids):
        wanted = function(labels.swapaxes(-1, -2), 6)
        got = function(cupy.asarray(labels).swapaxes(-1, -2), 6)
        assert got.shape[:3] == (2, 3, 6)
        np.testing.assert_array_equal(got.get(), wanted)
        assert function(cupy.zeros((0, 4, 4), np.uint8), 3).shape[:2] == (0, 3)


def test_devices():
    labels = np.eye(5, dtype=np.uint8)
    with cupy.cuda.Device(1):
        there = cupy.asarray(labels)
    for function in (pl.laguerre.volumes, pl.laguerre.centroids):
        found = function(there)
        assert found.device.id == 1
        np.testing.assert_array_equal(found.get(), function(labels))


@pytest.mark.parametrize("emulated", [True, False])
def test_tensors(emulated, monkeypatch):
    torch = pytest.importorskip("torch")
    if not emulated:
        monkeypatch.delenv("PEARLITE_CUDA")
    labels, count = images((9, 33), np.int32)
    for function in (pl.laguerre.volumes, pl.laguerre.centroids):
        got = function(torch.from_numpy(labels), count)
        assert isinstance(got, torch.Tensor)
        np.testing.assert_array_equal(got.numpy(), function(labels, count))
    with pytest.raises(TypeError, match="labels is on meta; expected a tensor on the CPU or a"):
        pl.laguerre.volumes(torch.zeros(2, 2, dtype=torch.int32, device="meta"))


def test_what_is_refused():
    labels = cupy.asarray(np.array([[0, 1], [2, 7]], np.int16))
    with pytest.raises(ValueError, match=r"labels\[1, 1\] is 7; expected a label from 0 to 2,"):
        pl.laguerre.volumes(labels, 3)
    with pytest.raises(ValueError, match=r"labels\[0, 0\] is -1; expected a label from 0 to 6"):
        pl.laguerre.centroids(labels - 1)
    with pytest.raises(TypeError, match="labels has dtype float64; expected uint8"):
        pl.laguerre.volumes(cupy.zeros((2, 2)))
    with pytest.raises(ValueError, match=r"labels has shape \(2, 2\); expected .* with dim=3"):
        pl.laguerre.volumes(labels, dim=3)
    with pytest.raises(ValueError, match="count is 0; expected"):
        pl.laguerre.volumes(labels, 0)
    with pytest.raises(ValueError, match="spacing is -1; expected"):
        pl.laguerre.centroids(labels, spacing=-1)
    with pytest.raises(TypeError, match="periodic is a int; expected a bool"):
        pl.laguerre.centroids(labels, periodic=1)
    with pytest.raises(ValueError, match="labels has values from 0 to 4294967296; expected int32"):
        pl.laguerre.volumes(cupy.asarray(np.array([[0, 2**32]])))


# Integers of 128 bits ----------------------------------------------------------------------------

_WIDE = """
#include "wide.cuh"
using namespace pearlite;
extern "C" __global__ void operate(long long* words, double* rounded, const long long* given,
                                   int n) {
  const int k = threadIdx.x;
  if (k >= n) return;
  const Wide a(given[4 * k], (unsigned long long)given[4 * k + 1]);
  const Wide b(given[4 * k + 2], (unsigned long long)given[4 * k + 3]);
  const Wide found[4] = {a + b, a - b, a * b, a < b};
  for (int f = 0; f < 4; ++f) {
    words[8 * k + 2 * f] = found[f].high;
    words[8 * k + 2 * f + 1] = (long long)found[f].low;
  }
  rounded[k] = double(a);
}
"""


def test_wide_integers_are_those_of_python():
    rng = np.random.default_rng(0)
    halves = [2**53 + 1, 2**54 + 2, 2**64 - 1, 2**64, 2**65 + 2**12, 2**65 + 2**12 + 1, 3 * 2**100]
    numbers = [
        0,
        1,
        *halves,
        *(int(rng.integers(1, 2**62)) << int(rng.integers(64)) for _ in range(60)),
    ]
    numbers += [n + int(rng.integers(2**40)) for n in numbers]
    numbers = [n * int(rng.choice([-1, 1])) for n in numbers]
    others = [numbers[int(rng.integers(len(numbers)))] for _ in numbers]
    pairs = [(a >> 64, a % 2**64, b >> 64, b % 2**64) for a, b in zip(numbers, others, strict=True)]
    given = np.array([n % 2**64 for pair in pairs for n in pair], np.uint64)
    words, rounded = np.zeros((len(pairs), 4, 2), np.uint64), np.zeros(len(pairs))
    cuda = Path(__file__).parents[1] / "cuda"
    module = build.Module(_WIDE, (f"-I{cuda}", f"-I{cuda.parent / 'cpp'}"))
    places = [np.uint64(array.ctypes.data).tobytes() for array in (words, rounded, given)]
    arguments = [*places, np.int32(len(pairs)).tobytes()]
    module.launch("operate", (1, 1, 1), (256, 1, 1), arguments)
    for k, (a, b) in enumerate(zip(numbers, others, strict=True)):
        got = [int(high) << 64 | int(low) for high, low in words[k]]
        assert got == [n % 2**128 for n in (a + b, a - b, a * b, int(a < b))]
        assert rounded[k] == float(a)
